package worker

import (
	"encoding/json"
	"strings"
	"testing"

	"heddle/domain"
)

// act makes a step of a built-in component; inputs are one line of YAML.
func act(name, component, key, inputs string) string {
	quoted, _ := json.Marshal(name)
	return "      - name: " + string(quoted) + "\n        action: {component: {key: " + component +
		", isPublic: true, version: LATEST}, key: " + key + "}\n        inputs: {" + inputs + "}\n"
}

// answers runs steps in a synchronous flow whose trigger got a JSON body, and returns the answer.
func (h *harness) answers(steps, body string) (string, domain.Run) {
	h.t.Helper()
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "", steps)))
	a := h.post(urls["Main"], "application/json", body)
	return strings.TrimSpace(a.Body.String()), h.ended(a.Header().Get(ExecutionHeader))
}

// What the format says of names, references, templates, branches and loops, as whole flows with the
// components that definitions use.
func TestFlowsAsTheFormatSays(t *testing.T) {
	h := newHarness(t)
	h.start()
	give := func(expression string) string {
		return codeStep("Last", "module.exports = async (context, r) => ({data: "+expression+"})")
	}
	object := func(pairs string) string {
		return act("Last", "collection-tools", "createObject", "keyValueInput: {type: complex, value: ["+pairs+"]}")
	}
	pair := func(name, kind, value string) string {
		text, _ := json.Marshal(value)
		return "{name: " + name + ", type: " + kind + ", value: " + string(text) + "}"
	}
	loop := func(name, items, body string) string {
		return act(name, "loop", "loopOverItems", "items: {type: reference, value: '"+items+"'}") + indented("steps",
			body)
	}
	expression := func(name, condition string, order ...string) string {
		return act(name, "branch", "branchOnExpression", "conditions: {type: complex, value: [{name: '"+order[0]+
			"', type: complex, value: "+condition+"}]}")
	}
	isTrue := func(path string) string { return "[and, [isTrue, {type: reference, value: '" + path + "'}]]" }
	stop := act("Stop", "stop-execution", "stopExecution",
		"jsonBody: {type: template, value: 'stopped at {{$each.index}}'}, contentType: {type: value, value: text/plain}")
	for name, c := range map[string]struct {
		steps, body, want string
	}{
		"names": {codeStep("Get a Queue's URL",
			`module.exports = async () => ({data: 1})`) + codeStep("2nd - Step (new)",
			`module.exports = async () => ({data: 2})`) +
			codeStep("Fetch \U0001F680 rocket launches",
				`module.exports = async () => ({data: 3})`) + codeStep("über_Maß",
			`module.exports = async () => ({data: 4})`) +
			object(strings.Join([]string{pair("a", "reference", "getAQueueSUrl.results"),
				pair("b", "reference", "2ndStepNew.results"), pair("c", "reference", "fetchRocketLaunches.results"),
				pair("d", "reference", "berMa.results")}, ", ")),
			"{}", `{"a":1,"b":2,"c":3,"d":4}`},
		"names of another script": {codeStep("注文 を読む", `module.exports = async () => ({data: {n: 1}})`) +
			object(pair("a", "reference", "注文を読む.results.n")+", "+pair("b", "template", "{{$注文を読む.results.n}}!")), "{}",
			`{"a":1,"b":"1!"}`},
		"paths": {object(strings.Join([]string{pair("a", "reference", "hook.results.body.data.key2[1]"),
			pair("b", "reference", "hook.results.body.data.key2.1"),
			pair("c", "reference", `hook.results.body.data.["a.b"]`),
			pair("d", "reference", `hook.results.body.data["a.b"]`),
			pair("e", "reference", "hook.results.body.data.x-y z.0"),
			pair("f", "reference", "hook.results.headers.content-type"),
			pair("g", "reference", "hook.results.body.data.none.errors.0.messages.0")}, ", ")),
			`{"key2":["v0","v1"],"a.b":"dot","x-y z":{"0":"zero"},"none":null}`,
			`{"a":"v1","b":"v1","c":"dot","d":"dot","e":"zero","f":"application/json","g":null}`},
		"computed keys": {object("{name: {type: reference, value: hook.results.body.data.k}, type: value, value: v}, {name: {type: value, value: plain}, type: template, value: '{{$hook.results.body.data.k}}!'}"),
			`{"k":"dynamic"}`, `{"dynamic":"v","plain":"dynamic!"}`},
		"templates": {object(pair("a", "template",
			"${x} {{ y }} \\n {{$hook.results.body.data.n}}|{{$hook.results.body.data.o}}|{{$hook.results.body.data.gone.deep}}|{{$hook.results.body.data.t}}") + ", " + pair("b", "template", "")),
			`{"n":1.50,"o":{"b":[true]},"t":false}`, `{"a":"${x} {{ y }} \\n 1.5|{\"b\":[true]}||false","b":""}`},
		"odd branch names": {expression("Pick", isTrue("hook.results.body.data.go"), "Yes / No: 100% \"sure\"") +
			branches(map[string]string{"'Yes / No: 100% \"sure\"'": codeStep("In",
				`module.exports = async () => ({data: "in"})`)}, "'Yes / No: 100% \"sure\"'",
				"Else") + give("[r.pick.results, r.in.results]"),
			`{"go":"yes"}`, `["Yes / No: 100% \"sure\"","in"]`},
		"branches meet": {expression("Pick", isTrue("hook.results.body.data.go"), "A") +
			branches(map[string]string{"A": codeStep("Left", `module.exports = async () => ({data: "left"})`),
				"Else": codeStep("Right", `module.exports = async () => ({data: "right"})`)}, "A", "Else") +
			act("Last", "branch", "selectExecutedStepResult",
				"stepResults: {type: complex, value: [{type: reference, value: left.results}, {type: reference, value: right.results}]}"),
			`{"go":false}`, `"right"`},
		"a loop over an object": {loop("Each", "hook.results.body.data",
			codeStep("One", `module.exports = async (c, {each}) => ({data: [each.index, each.currentItem.key, each.currentItem.value]})`)) + give("r.each.results"),
			`{"b":2,"a":[1]}`, `[[0,"a",[1]],[1,"b",2]]`},
		"a loop over nothing": {loop("Each", "hook.results.body.data",
			codeStep("One", `module.exports = async () => ({data: 1})`)) + give("r.each.results"), `[]`, `[]`},
		"a counted loop": {act("Each", "loop", "loopNTimes",
			"iterationCount: {type: value, value: '3'}") + indented("steps",
			codeStep("One", `module.exports = async (c, {each}) => ({data: each.index + each.currentItem})`)) + give("r.each.results"),
			"{}", `[0,2,4]`},
		"a branch in a loop in a branch": {expression("Outer", isTrue("hook.results.body.data.go"),
			"A") + branches(map[string]string{"A": loop("Each", "hook.results.body.data.list",
			expression("Inner", "[and, [greaterThan, {type: reference, value: each.currentItem}, {type: value, value: '1'}], [lessThan, {type: reference, value: each.currentItem}, {type: value, value: '4'}]]", "B")+
				branches(map[string]string{"B": codeStep("Seen",
					`module.exports = async (c, {each}) => ({data: each.currentItem * 10})`)}, "B", "Else")+
				codeStep("Tail", `module.exports = async (c, {seen}) => ({data: seen ? seen.results : null})`))}, "A",
			"Else") + give("r.each.results"),
			`{"go":true,"list":[1,2,3,4]}`, `[null,20,30,null]`},
		"a stop in a branch in a loop": {loop("Each", "hook.results.body.data",
			expression("Pick", "[and, [equal, {type: reference, value: each.currentItem}, {type: value, value: b}]]",
				"B")+
				branches(map[string]string{"B": stop}, "B", "Else")) + give("'not reached'"),
			`["a","b","c"]`, `stopped at 1`},
		"a break of nested loops": {loop("Each", "hook.results.body.data",
			act("Again", "loop", "loopNTimes", "iterationCount: {type: value, value: '5'}")+
				indented("steps", expression("Pick",
					"[and, [greaterThanOrEqual, {type: reference, value: again.index}, {type: reference, value: each.currentItem}]]", "B")+
					branches(map[string]string{"B": act("Leave", "loop", "breakLoop", "")}, "B", "Else")+codeStep("One",
					`module.exports = async (c, {again}) => ({data: again.index})`))) + give("r.each.results"),
			`[1,0,2]`, `[[0],[],[0,1]]`},
		"errors ignored in a loop": {loop("Each", "hook.results.body.data",
			act("Read", "change-data-format", "deserializeFromJson",
				"data: {type: reference, value: each.currentItem}")+"        errorConfig: {errorHandlerType: ignore}\n"+
				expression("Pick", "[and, [exists, {type: reference, value: read.error}]]", "Bad")+branches(nil, "Bad",
				"Else")+
				codeStep("One", `module.exports = async (c, {read, pick}) => ({data: [pick.results, read.results ?? null, typeof read.error?.message]})`)) + give("r.each.results"),
			`["{}","{","1"]`, `[["Else",{},"undefined"],["Bad",null,"string"],["Else",1,"undefined"]]`},
		"what code returns": {codeStep("Nothing", `module.exports = async () => {}`) + codeStep("Bare",
			`module.exports = async () => "text"`) + codeStep("File",
			`module.exports = async () => ({data: new Uint8Array([104, 105]), contentType: "text/x"})`) +
			codeStep("Dated", `module.exports = async () => ({data: {at: new Date(0), none: undefined, f: () => 1, m: new Map([["a", 1]])}})`) + give("[r.nothing.results, r.bare.results, r.file.results.length, r.dated.results]"),
			"{}", `[null,"text",2,{"at":"1970-01-01T00:00:00.000Z","m":{"a":1}}]`},
		"headers in code": {give(`(({ headers: h }) => [h["content-type"], h["Content-Type"], "CONTENT-TYPE" in h, h["x-none"] === undefined, Object.keys(h), JSON.stringify(h)])(r.hook.results)`), "{}",
			`["application/json","application/json",true,true,["Content-Type"],"{\"Content-Type\":\"application/json\"}"]`},
		"files in code": {act("Pack", "messagepack", "encodeMessage", "data: {type: value, value: hi}") +
			give("r.pack.results.data.toString('hex') + Buffer.from(r.pack.results.data).toString('base64')"),
			"{}", `"a26869omhp"`},
		"values as text": {act("Keep", "persist-data", "saveExecutionValue",
			"keyInput: {type: value, value: k}, valueInput: {type: reference, value: hook.results.body.data}, dynamicValues: {type: complex, value: []}") +
			act("Last", "persist-data", "getExecutionValue",
				"keyInput: {type: value, value: k}, defaultValueInput: {type: value, value: ''}"),
			`{"id":[1,"2",null]}`, `{"id":[1,"2",null]}`},
	} {
		if got, r := h.answers(c.steps, c.body); got != c.want {
			t.Errorf("%s: answered %s, want %s; %s %s", name, got, c.want, paths(r), r.Finished.Error)
		}
	}
}

// What a flow sees of each kind of body, asked for its answer by a header.
func TestBodiesAsTheFormatSays(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "", "", act("Form", "change-data-format", "deserializeFormData",
		"data: {type: reference, value: hook.results.body}")+
		"        errorConfig: {errorHandlerType: ignore}\n"+
		codeStep("Last", `module.exports = async (c, {hook: {results: {body, rawBody, queryParameters, pathFragment}}, form}) => ({data:
			[body.data, body.contentType, rawBody.data?.length ?? null, queryParameters, pathFragment, form.results ?? null]})`))))
	h.start()
	const form = "--b\r\nContent-Disposition: form-data; name=\"person\"\r\nContent-Type: application/json\r\n\r\n{\"n\":1}\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nA\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b.bin\"\r\nContent-Type: image/png\r\n\r\n\xff\r\n--b--\r\n"
	for contentType, c := range map[string]struct{ body, data, form string }{
		"application/json":                  {`{"a":[1]}`, `{"a":[1]}`, `{"a":[1]}`},
		"application/json; charset=utf-8":   {`[]`, `[]`, `null`},
		"application/vnd.api+json":          {`"x"`, `"x"`, `{"x":""}`},
		"application/merge-patch+json":      {"\ufeff[1]", `[1]`, `null`},
		"application/JSON":                  {`{`, `"{"`, `{"{":""}`},
		"application/x-www-form-urlencoded": {"a=1&b=%20&b=2", `"a=1&b=%20&b=2"`, `{"a":"1","b":[" ","2"]}`},
		"text/xml":                          {"<a/>", `"<a/>"`, `{"<a/>":""}`},
		"text/plain":                        {"x", `"x"`, `{"x":""}`},
		"":                                  {"", `null`, `null`},
		"multipart/form-data; boundary=b": {form,
			`{"a":{"contentType":"text/plain","data":"A","fileName":"a.txt"},"b":{"contentType":"image/png","data":"/w==","fileName":"b.bin"},"person":{"contentType":"application/json","data":{"n":1}}}`,
			`{"a":{"contentType":"text/plain","data":"A","fileName":"a.txt"},"b":{"contentType":"image/png","data":"/w==","fileName":"b.bin"},"person":{"contentType":"application/json","data":{"n":1}}}`},
	} {
		a := h.post(urls["Main"]+"/my/path?p=1&q=a%20b", contentType, c.body, "Prismatic-Synchronous", "TRUE")
		var got []json.RawMessage
		if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || len(got) != 6 {
			t.Errorf("%s: answered %s", contentType, a.Body)
			continue
		}
		length, _ := json.Marshal(len([]rune(c.body)))
		if c.body == "" {
			length = []byte("null")
		}
		kind, _ := json.Marshal(contentType)
		for i, want := range []string{c.data, string(kind), string(length), `{"p":"1","q":"a b"}`,
			`"my/path"`, c.form} {
			if string(got[i]) != want {
				t.Errorf("%s: part %d is %s, want %s", contentType, i, got[i], want)
			}
		}
	}
}
