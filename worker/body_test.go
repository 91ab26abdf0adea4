package worker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/component/value"
	"heddle/domain/refusal"
)

var testLimits = bodyLimits{memory: 5000, parts: 5}

const formType = "multipart/form-data; boundary=b"

// part makes one part of a form with the boundary b.
func part(headers, data string) string { return "--b\r\n" + headers + "\r\n\r\n" + data + "\r\n" }

func TestParseBody(t *testing.T) {
	named := func(name string) string { return `Content-Disposition: form-data; name="` + name + `"` }
	inner := "--c\r\n" + named("deep") + "\r\n\r\nx\r\n--c--\r\n"
	for name, c := range map[string]struct{ contentType, body, want string }{
		"json":             {"application/json", `{"a":[1]}`, `{"a":[1]}`},
		"json with a mark": {"application/problem+json; charset=utf-8", "\uFEFF7", `7`},
		"no json":          {"application/json", `{"a":`, `"{\"a\":"`},
		"text":             {"text/plain", `{}`, `"{}"`},
		"fields": {formType, part(named("a"), "1") + part(named("a"), "2") + "--b--",
			`{"a":[{"contentType":"text/plain","data":"1"},{"contentType":"text/plain","data":"2"}]}`},
		"empty field": {formType, part(named("a"), "") + "--b--\r\n",
			`{"a":{"contentType":"text/plain","data":""}}`},
		"json part": {formType, part(named("a")+"\r\nContent-Type: application/json", `[1]`) + "--b--",
			`{"a":{"contentType":"application/json","data":[1]}}`},
		"file": {formType, part(named("a")+`; filename="../x/f.txt"`, "1") + "--b--",
			`{"a":{"contentType":"text/plain","data":"1","fileName":"f.txt"}}`},
		"form in a form": {formType, part(named("a")+"\r\nContent-Type: multipart/form-data; boundary=c", inner) +
			"--b--", "{\"a\":{\"contentType\":\"multipart/form-data; boundary=c\",\"data\":" + inQuotes(inner) + "}}"},
		"preamble, padding": {formType, "hello\r\n--b \t\r\n" + named("a") + "\r\n\r\n--bb\r\n--b--",
			`{"a":{"contentType":"text/plain","data":"--bb"}}`},
		"line feeds only": {formType, "--b\n" + named("a") + "\n\n1\n--b--\n",
			`{"a":{"contentType":"text/plain","data":"1"}}`},
		"quoted-printable": {formType, part(named("a")+"\r\nContent-Transfer-Encoding: quoted-printable", "1=3D1") +
			"--b--", `{"a":{"contentType":"text/plain","data":"1=1"}}`},
		"other newline": {formType, part(named("a"), "1\n--b\nA: b") + "--b--",
			"{\"a\":{\"contentType\":\"text/plain\",\"data\":\"1\\n--b\\nA: b\"}}"},
		"longer boundary": {formType, "--b--x\r\n--bc\r\n" + part(named("a"), "--b--x") + "--b-- ",
			`{"a":{"contentType":"text/plain","data":"--b--x"}}`},
		"cut off":     {formType, part(named("a"), "1"), inQuotes(part(named("a"), "1"))},
		"no parts":    {formType, "--b--", `"--b--"`},
		"no boundary": {"multipart/form-data", "--b--", `"--b--"`},
	} {
		got, err := parseBody(textOrBytes([]byte(c.body)), c.contentType, testLimits)
		if err != nil || checkBody([]byte(c.body), c.contentType, testLimits) != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, _ := json.Marshal(got); string(text) != c.want {
			t.Errorf("%s: read as\n%s, want\n%s", name, text, c.want)
		}
	}
}

func inQuotes(s string) string { return `"` + quoted(s) + `"` }

// What is too much is refused before it is held, by what checks and by what parses.
func TestBodyLimits(t *testing.T) {
	list := func(n int) string { return "[" + strings.Repeat("0,", n-2) + "0]" }
	some := part("A: b", "")
	jsonPart := part("Content-Type: application/json", list(100))
	for name, c := range map[string]struct{ contentType, body, limit string }{
		"as many values as may be": {"application/json", list(150), ""},
		"values":                   {"application/json", list(250), "HEDDLE_MAX_BODY_MEMORY"},
		"objects": {"application/json", "[" + strings.Repeat("{},", 100) + "{}]",
			"HEDDLE_MAX_BODY_MEMORY"},
		"commas in text are no values": {"application/json", `"` + strings.Repeat(`,[\"`, 200) + `"`, ""},
		"depth": {"application/json", strings.Repeat("[", value.MaxDepth+1) + strings.Repeat("]",
			value.MaxDepth+1), "nested deeper"},
		"as many parts as may be": {formType, strings.Repeat(some, 5) + "--b--", ""},
		"parts":                   {formType, strings.Repeat(some, 6) + "--b--", "HEDDLE_MAX_BODY_PARTS"},
		"empty parts": {formType, strings.Repeat("--b\r\n\r\n\r\n", 6) + "--b--",
			"HEDDLE_MAX_BODY_PARTS"},
		"headers": {formType, part(strings.Repeat("A: b\r\n", maxPartHeaders+1)+"B: c", "") +
			"--b--", "100 headers"},
		"long headers": {formType, part("A: "+strings.Repeat("b", maxPartHeaderBytes), "") +
			"--b--", "16384 bytes"},
		"values of all parts together": {formType, jsonPart + jsonPart + "--b--", "HEDDLE_MAX_BODY_MEMORY"},
	} {
		limits := testLimits
		if strings.Contains(name, "depth") {
			limits.memory = 1 << 20
		}
		_, err := parseBody(c.body, c.contentType, limits)
		for _, err := range []error{err, checkBody([]byte(c.body), c.contentType, limits)} {
			if c.limit == "" && err != nil || c.limit != "" && (err == nil || !strings.Contains(err.Error(), c.limit) ||
				refusal.CodeOf(err) != refusal.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A request that is too much is answered so, and leaves no run.
func TestIngressBounds(t *testing.T) {
	h := newHarness(t)
	h.MaxBodyMemory, h.MaxBodyParts, h.TriggerRate = 200, 2, 0
	_, urls := h.deploy(integrationOf(flow("Main", "", "", "")))
	h.start()
	for name, c := range map[string]struct {
		url, contentType, body string
		status                 int
	}{
		"values":     {"", "application/json", "[1,2,3,4,5,6,7,8,9,10,11]", http.StatusRequestEntityTooLarge},
		"depth":      {"", "application/json", strings.Repeat("[", 2000), http.StatusBadRequest},
		"parts":      {"", formType, strings.Repeat(part("A: b", ""), 3) + "--b--", http.StatusRequestEntityTooLarge},
		"parameters": {"?" + strings.Repeat("a=1&", 1000), "", "", http.StatusBadRequest},
	} {
		a := h.post(urls["Main"]+c.url, c.contentType, c.body)
		if a.Code != c.status || !strings.Contains(a.Body.String(), `"error"`) ||
			a.Header().Get(ExecutionHeader) != "" {
			t.Errorf("%s: answered %d %s", name, a.Code, a.Body)
		}
	}
	h.TriggerRate = 1
	codes := map[int]int{}
	for range 20 {
		a := h.post(urls["Main"], "", "")
		if codes[a.Code]++; a.Code == http.StatusTooManyRequests && a.Header().Get("Retry-After") != "1" {
			t.Errorf("answered %v", a.Header())
		}
	}
	if codes[http.StatusOK] == 0 || codes[http.StatusTooManyRequests] == 0 {
		t.Errorf("answered %v", codes)
	}
	if runs := h.accepted(); len(runs) != codes[http.StatusOK] {
		t.Errorf("%d runs are left", len(runs))
	}
}

// One instance has a share of the memory for large bodies, and others wait for what is taken.
func TestIntake(t *testing.T) {
	var in intake
	leave, err := in.enter(t.Context(), "a", 20, 80, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.enter(t.Context(), "a", 1, 80, 0); refusal.CodeOf(err) != refusal.Unavailable ||
		refusal.LimitOf(err) != "HEDDLE_MAX_BODIES" {
		t.Errorf("beyond its share: %v", err)
	}
	others, err := in.enter(t.Context(), "b", 500, 80, 0) // counts as 20
	if err != nil {
		t.Error("another instance's:", err)
	}
	for _, instance := range []string{"x", "y"} {
		if _, err := in.enter(t.Context(), instance, 20, 80, 0); err != nil {
			t.Error("a third and a fourth:", err)
		}
	}
	entered := make(chan error)
	go func() {
		_, err := in.enter(t.Context(), "c", 10, 80, 1<<40)
		entered <- err
	}()
	others()
	if err := <-entered; err != nil {
		t.Error("once there is room:", err)
	}
	leave()
	leave() // counts once
	if in.held != 50 || len(in.by) != 3 {
		t.Errorf("%d bytes are held by %v", in.held, in.by)
	}
	if _, entered := in.try("d", 500, 80); entered {
		t.Error("more than all beside others")
	}
}

// Large bodies come in whole, with and without a length.
func TestLargeBody(t *testing.T) {
	h := newHarness(t)
	_, urls := h.deploy(integrationOf(flow("Main", "    isSynchronous: true\n", "",
		step("one", "call", echo("hook.results.body.data")))))
	h.start()
	for _, size := range []int{smallBody - 1, smallBody, smallBody + 1, 1 << 20} {
		for _, length := range []int64{-1, int64(size)} {
			body := strings.Repeat("x", size)
			r, _ := http.NewRequest(http.MethodPost, urls["Main"], strings.NewReader(body))
			r.ContentLength = length
			r.RemoteAddr = "127.0.0.1:1"
			if a := h.do(r); a.Code != 200 || a.Body.String() != inQuotes(body) {
				t.Errorf("%d bytes, said to be %d: answered %d with %d bytes", size, length, a.Code, a.Body.Len())
			}
		}
	}
	if h.intake.held != 0 {
		t.Errorf("%d bytes are held", h.intake.held)
	}
}

// FuzzParseBody compares with mime/multipart where both read a form, and sees to it that what is checked is
// what is parsed.
func FuzzParseBody(f *testing.F) {
	f.Add("application/json", `{"a":[1,{"b":"\"]"}]}`)
	f.Add("application/json", strings.Repeat("[", 1200))
	f.Add(formType, part(`Content-Disposition: form-data; name="a"`, "1")+"--b--")
	f.Add(formType, "--b\r\n--b\r\n--b--")
	f.Add(formType, "--b\n\n\n--b--")
	f.Add(formType, "--b\r \n--b--")
	f.Add(formType, part("", "x\n")+"--b\n--b--")
	f.Add("multipart/form-data; boundary=b:", "--b:\r\n--b:\r\n\r\n\r\n--b:--")
	f.Add(formType, part("Content-Type: application/json",
		`[1,2]`)+part("Content-Type: multipart/form-data; boundary=c", "--c")+"--b--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		limits := bodyLimits{memory: 10_000, parts: 10}
		got, err := parseBody(textOrBytes([]byte(body)), contentType, limits)
		if checked := checkBody([]byte(body), contentType, limits); fmt.Sprint(checked) != fmt.Sprint(err) {
			t.Fatalf("checked %v, parsed %v", checked, err)
		}
		if err != nil || len(body) == 0 {
			return
		}
		if data, err := json.Marshal(got); err == nil && len(data) > 8*len(body)+1000 {
			t.Fatalf("%d bytes became %d", len(body), len(data))
		}
		fields, isForm := got.(map[string]any)
		media, params, _ := mime.ParseMediaType(contentType)
		if media != "multipart/form-data" || !isForm {
			return
		}
		if want, err := standardForm(body, params["boundary"]); err == nil {
			if diff := cmp.Diff(want, namesOf(fields)); diff != "" {
				t.Fatal("parts differ from mime/multipart's:", diff)
			}
		}
	})
}

// standardForm counts the parts of a form by name, as the standard library reads it.
func standardForm(body, boundary string) (map[string]int, error) {
	names := map[string]int{}
	for parts := multipart.NewReader(bytes.NewReader([]byte(body)), boundary); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names[part.FormName()]++
		if _, err := io.Copy(io.Discard, part); err != nil {
			return nil, err
		}
	}
}

func namesOf(fields map[string]any) map[string]int {
	names := map[string]int{}
	for name, field := range fields {
		names[name] = 1
		if list, many := field.([]any); many {
			names[name] = len(list)
		}
	}
	return names
}

// A body that does not come, or not wholly, is no fault of the server, and keeps no place.
func TestBodyThatDoesNotCome(t *testing.T) {
	h := newHarness(t)
	h.BodyTime = 50 * time.Millisecond
	_, urls := h.deploy(integrationOf(flow("Main", "", "", "")))
	h.start()
	server := httptest.NewServer(h.Worker)
	defer server.Close()
	for name, c := range map[string]struct {
		begin  string
		close  bool
		answer string
	}{
		"late":               {"Content-Length: 10\r\n\r\nabc", false, "408"},
		"late and large":     {"Content-Length: 100000\r\n\r\n" + strings.Repeat("x", smallBody+1), false, "408"},
		"cut off":            {"Content-Length: 10\r\n\r\nabc", true, "400"},
		"no chunks":          {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", true, "400"},
		"chunks without end": {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false, "408"},
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST "+urls["Main"]+" HTTP/1.1\r\nHost: x\r\n"+c.begin); err != nil {
			t.Fatal(err)
		}
		if c.close {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 "+c.answer) {
			t.Errorf("%s: answered %q, %v", name, line, err)
		}
		_ = conn.Close()
	}
	server.Close()
	if h.intake.held != 0 || len(h.accepted()) != 0 {
		t.Errorf("%d bytes are held, %d runs accepted", h.intake.held, len(h.accepted()))
	}
}
