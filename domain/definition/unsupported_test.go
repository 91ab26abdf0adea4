package definition

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/refusal"
)

func TestUnsupported(t *testing.T) {
	def := parse(t, `definitionVersion: 7
name: Shop
endpointType: shared_instance
configPages:
  - {name: Each, userLevelConfigured: true, elements: []}
flows:
  - name: Orders
    triggerResolver: {enabled: true, batchSize: 5}
    steps:
      - name: Hook
        isTrigger: true
        action: {key: webhook, component: {key: hooks, isPublic: true, version: LATEST}}
      - name: Each
        action: {key: loopOverItems, component: {key: loop, isPublic: true, version: LATEST}}
        inputs: {items: {type: value, value: ''}, itmes: {type: complex, value: [{type: value, value: ''}, {name: n, type: dataSource, value: x}]}}
        steps:
          - name: Choose
            action: {key: branchOnValue, component: {key: branch, isPublic: true, version: LATEST}}
            branches:
              - name: Else
                steps:
                  - name: Send
                    action: {key: send, component: {key: carrier, isPublic: true, version: LATEST}}
`)
	var triggers []string
	got := Unsupported(def, func(ref ActionRef, trigger bool) ([]string, error) {
		if trigger {
			triggers = append(triggers, ref.Component+"."+ref.Key)
		}
		if ref.Component == "carrier" || trigger {
			return nil, refusal.New(refusal.NotFound, "there is no component %q here", ref.Component)
		}
		return map[string][]string{"loop": {"items"}}[ref.Component], nil
	})
	want := []refusal.Problem{
		{Line: 3,
			Message: `endpointType: shared_instance has no effect: a request goes to the URL of a flow in an instance, and nothing else chooses the flow or the customer`},
		{Line: 5,
			Message: `userLevelConfigured: page "Each" is not filled in by each user: what it asks for is set once for the instance`},
		{Line: 8, Flow: "Orders",
			Message: `triggerResolver: it has no effect: one execution gets all that the trigger gives, and no batches are made`},
		{Line: 12, Flow: "Orders", Step: "Hook",
			Message: `action: there is no component "hooks" here; the step fails when it is reached`},
		{Line: 15, Flow: "Orders", Step: "Each",
			Message: `inputs.itmes: loopOverItems has no such input, so it has no effect; it has items`},
		{Line: 15, Flow: "Orders", Step: "Each",
			Message: `inputs.itmes.value.1: an input of type dataSource can't be read in a step; the step fails when it is reached`},
		{Line: 23, Flow: "Orders", Step: "Send",
			Message: `action: there is no component "carrier" here; the step fails when it is reached`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(triggers, []string{"hooks.webhook"}) {
		t.Errorf("triggers: %v", triggers)
	}
}
