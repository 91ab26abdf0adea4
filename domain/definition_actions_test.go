package domain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnknownActions(t *testing.T) {
	def := parse(t, `definitionVersion: 7
name: Shop
flows:
  - name: Orders
    steps:
      - name: Hook
        isTrigger: true
        action: {key: webhook, component: {key: hooks, isPublic: true, version: LATEST}}
      - name: Each
        action: {key: loopOverItems, component: {key: loop, isPublic: true, version: LATEST}}
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
	got := UnknownActions(def, func(ref ActionRef, trigger bool) error {
		if trigger {
			triggers = append(triggers, ref.Component+"."+ref.Key)
		}
		if ref.Component == "carrier" || trigger {
			return Refuse(NotFound, "there is no component %q here", ref.Component)
		}
		return nil
	})
	want := []Problem{
		{Line: 8, Flow: "Orders", Step: "Hook", Message: `action: there is no component "hooks" here; the step fails when it is reached`},
		{Line: 18, Flow: "Orders", Step: "Send", Message: `action: there is no component "carrier" here; the step fails when it is reached`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(triggers, []string{"hooks.webhook"}) {
		t.Errorf("triggers: %v", triggers)
	}
}
