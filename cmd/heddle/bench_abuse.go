package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"

	"heddle/component/value"
)

// abuseDefinition has a flow for each way in which what comes is read or written.
func abuseDefinition() string {
	var b strings.Builder
	b.WriteString("definitionVersion: 7\nname: Abused\nflows:\n")
	flow := func(name, synchronous, trigger, component, inputs, steps string) {
		fmt.Fprintf(&b, "  - name: %s\n    isSynchronous: %s\n    steps:\n      - name: Hook\n        isTrigger: true\n"+
			"        action: {key: %s, component: {key: %s, isPublic: true, version: LATEST}}\n        inputs: %s\n%s",
			name, synchronous, trigger, component, inputs, steps)
	}
	reading := func(name, component, action, input string) {
		flow(name, "true", "webhook", "webhook-triggers", "{}", fmt.Sprintf("      - name: Change\n"+
			"        action: {key: %s, component: {key: %s, isPublic: true, version: LATEST}}\n        inputs: {%s}\n",
			action, component, input))
	}
	const body = ": {type: reference, value: hook.results.body.data}"
	flow("Open", "false", "webhook", "webhook-triggers", "{}", "")
	flow("Synchronous", "true", "webhook", "webhook-triggers", "{}", "")
	flow("Signed", "true", "hmacWebhookTrigger", "hash",
		"{hmacHeaderName: {type: value, value: X-Signature}, secretKey: {type: value, value: nobody-knows}}", "")
	reading("Write CSV", "csv", "generateFromObject", "inputArray"+body)
	reading("Read CSV", "csv", "parse", "csv"+body)
	reading("Read YAML", "change-data-format", "deserializeFromYaml", "data"+body)
	reading("Read XML", "change-data-format", "deserializeFromXml", "data"+body)
	reading("Read form", "change-data-format", "deserializeFormData", "data"+body)
	reading("Read MessagePack", "messagepack", "decodeMessage", "message"+body)
	reading("Code", "code", "runCode", "code: {type: value, value: 'module.exports = async () => ({ data: 1 })'}")
	return b.String()
}

type benchAbuseCmd struct {
	Only string `help:"The one request to send, by its name; all when empty."`
}

// attack is a request that anybody may send who knows the URL of a trigger, at the limits that there are.
type attack struct {
	name, flow  string
	contentType string
	body        func() []byte // made only when it is sent
	header      http.Header
	query       string
}

// repeated makes a body of so many bytes at most.
func repeated(begin, again, end string, size int) func() []byte {
	return func() []byte {
		n := (size - len(begin) - len(end)) / max(len(again), 1)
		return []byte(begin + strings.Repeat(again, max(n, 0)) + end)
	}
}

// numbered makes a body of so many bytes at most in which each piece has a number.
func numbered(begin, again, end string, size int) func() []byte {
	return func() []byte {
		var b bytes.Buffer
		b.WriteString(begin)
		for i := 0; b.Len()+len(again)+len(end)+6 < size; i++ {
			fmt.Fprintf(&b, again, i)
		}
		b.WriteString(end)
		return b.Bytes()
	}
}

// repeatedTimes makes a body of so many pieces.
func repeatedTimes(begin, again, end string, times int) func() []byte {
	return func() []byte { return []byte(begin + strings.Repeat(again, times) + end) }
}

const (
	abuseForm = "multipart/form-data; boundary=b"
	abuseJSON = "application/json"
	formPart  = "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n"
)

// held returns how many pieces of JSON fit into what a body may take once it is read.
func held(memory int, piece string) int {
	const many = 1000
	return memory / 20 * 19 / (value.MeasureJSON([]byte("["+strings.Repeat(piece, many)+"0]")).Bytes / many)
}

// attacks are the requests, given how large a body may be, what its JSON may take and how many parts it may have.
func attacks(size, memory, parts int) []attack {
	nested := strings.Repeat("--b\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n", 100_000)
	return []attack{
		{name: "text", flow: "Synchronous", contentType: "text/plain", body: repeated("", "text ", "", size)},
		{name: "bytes", flow: "Synchronous", contentType: "application/octet-stream",
			body: repeated("", "\xff\x00", "", size)},
		{name: "control characters", flow: "Synchronous", contentType: "text/plain",
			body: repeated("", "\x01", "", size)},
		{name: "quotes", flow: "Synchronous", contentType: "text/plain", body: repeated("", `"`, "", size)},
		{name: "not answered with", flow: "Open", contentType: "text/plain", body: repeated("", "text ", "", size)},
		{name: "bad signature", flow: "Signed", contentType: abuseJSON,
			body: repeatedTimes("[", "{},", "0]", held(memory, "{},"))},
		{name: "bad signature, form", flow: "Signed", contentType: abuseForm,
			body: repeated("", formPart+strings.Repeat("x", size/parts-len(formPart)-4)+"\r\n", "--b--", size)},
		{name: "JSON numbers", flow: "Synchronous", contentType: abuseJSON,
			body: repeatedTimes("[", "0,", "0]", held(memory, "0,"))},
		{name: "JSON objects", flow: "Synchronous", contentType: abuseJSON,
			body: repeatedTimes("[", "{},", "0]", held(memory, "{},"))},
		{name: "JSON fields", flow: "Synchronous", contentType: abuseJSON, body: repeatedTimes("[", `{"a":0},`, "0]",
			held(memory, `{"a":0},`))},
		{name: "JSON too many", flow: "Synchronous", contentType: abuseJSON, body: repeated("[0", ",0", "]", size)},
		{name: "JSON too deep", flow: "Synchronous", contentType: abuseJSON, body: repeated("", "[", "", size)},
		{name: "JSON long text", flow: "Synchronous", contentType: abuseJSON, body: repeated(`"`, "text ", `"`, size)},
		{name: "form of forms", flow: "Synchronous", contentType: abuseForm,
			body: func() []byte { return []byte(nested) }},
		{name: "form fields", flow: "Synchronous", contentType: abuseForm,
			body: repeated("", formPart+strings.Repeat("x", size/parts-len(formPart)-4)+"\r\n", "--b--", size)},
		{name: "form, empty parts", flow: "Synchronous", contentType: abuseForm,
			body: repeated("", "--b\r\n\r\n\r\n", "--b--", size)},
		{name: "headers", flow: "Synchronous", header: manyHeaders(1000), body: repeatedTimes("", "", "", 0)},
		{name: "query", flow: "Synchronous", query: strings.Repeat("a=1&", 999), body: repeatedTimes("", "", "", 0)},
		{name: "write CSV, keys", flow: "Write CSV", contentType: abuseJSON, body: numbered("[{}", `,{"k%d":0}`, "]",
			size)},
		{name: "read CSV, cells", flow: "Read CSV", contentType: "text/csv", body: repeated("", ",", "", size)},
		{name: "read CSV, rows", flow: "Read CSV", contentType: "text/csv", body: repeated("", "a\n", "", size)},
		{name: "read YAML, keys", flow: "Read YAML", contentType: "text/yaml",
			body: numbered("", "k%d: 0\n", "", size)},
		{name: "read YAML, lists", flow: "Read YAML", contentType: "text/yaml",
			body: repeated("", "- [] \n", "", size)},
		{name: "read YAML, depth", flow: "Read YAML", contentType: "text/yaml", body: repeated("", "[", "", size)},
		{name: "read XML, elements", flow: "Read XML", contentType: "text/xml",
			body: repeated("<a>", "<b/>", "</a>", size)},
		{name: "read XML, depth", flow: "Read XML", contentType: "text/xml", body: repeated("", "<a>", "", size)},
		{name: "read form, fields", flow: "Read form", contentType: "application/x-www-form-urlencoded",
			body: numbered("", "&k%d=", "", size)},
		{name: "read MessagePack", flow: "Read MessagePack", contentType: "application/msgpack",
			body: repeated("\xdd\x00\x01\x00\x00", "\x80", "", 65541)},
		{name: "code that ignores it", flow: "Code", contentType: "text/plain", body: repeated("", "text ", "", size)},
	}
}

func manyHeaders(n int) http.Header {
	h := http.Header{}
	for i := range n {
		h.Set(fmt.Sprintf("X-%d", i), "1")
	}
	return h
}

// Run sends each request to a server of its own, since memory that was once taken hides what is taken next, and
// prints what it costs beside what it has.
func (b *benchAbuseCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	fmt.Fprintf(stdout, "log %s, %d cores; memory is the most that the server took beyond what it had before\n",
		withoutSecrets(s.Log), runtime.NumCPU())
	fmt.Fprintln(stdout, "request                  bytes   answer     memory   times its size        CPU   ns a byte")
	for _, a := range attacks(int(s.MaxBody), s.MaxBodyMemory, s.MaxBodyParts) {
		if err := b.alone(ctx, s, a.name, func(server *benchServer, urls map[string]string) error {
			return b.attack(ctx, server, urls[a.flow], a, stdout)
		}); err != nil {
			return err
		}
	}
	return b.alone(ctx, s, "deaf readers", func(server *benchServer, urls map[string]string) error {
		return b.deafReaders(ctx, server, urls["Synchronous"], int(s.MaxBody), stdout)
	})
}

// alone has a request sent to a server of its own, if it is asked for.
func (b *benchAbuseCmd) alone(ctx context.Context, s *settings, name string,
	send func(*benchServer, map[string]string) error) error {
	if b.Only != "" && b.Only != name {
		return nil
	}
	return onBench(ctx, s, func(server *benchServer) error {
		urls, err := server.deploy(ctx, abuseDefinition())
		if err != nil {
			return err
		}
		return send(server, urls)
	})
}

// warmups is how often a flow is called before it is measured.
const warmups = 20

// attack sends one request and prints what it cost.
func (b *benchAbuseCmd) attack(ctx context.Context, server *benchServer, to string, a attack, stdout io.Writer) error {
	for range warmups { // code that is used for the first time is no cost of the request
		warm, err := http.Post(to, a.contentType, strings.NewReader("{}"))
		if err != nil {
			return fmt.Errorf("calling the trigger: %w", err)
		}
		_, _ = io.Copy(io.Discard, warm.Body)
		_ = warm.Body.Close()
	}
	body := a.body()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to+"?"+a.query, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	for name, values := range a.header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", a.contentType)
	server.settle(ctx)
	server.forgetPeak()
	memory, spent := server.memory(), server.processor()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("%s: reading the answer: %w", a.name, err)
	}
	_ = answer.Body.Close()
	server.settle(ctx)
	size := len(body) + len(a.query)
	for name := range a.header {
		size += len(name) + len(": 1\r\n")
	}
	took, peak := server.processor()-spent, max(server.peak()-memory, 0)
	_, err = fmt.Fprintf(stdout, "%-20s %9d      %3d %6d MiB %16.1f %10s %11.0f\n", a.name, size, answer.StatusCode,
		peak>>20,
		float64(peak)/float64(size), took.Round(time.Millisecond), float64(took.Nanoseconds())/float64(size))
	return err
}

// settle waits until the server does nothing any more.
func (s *benchServer) settle(ctx context.Context) {
	const look = 300 * time.Millisecond
	for before := s.processor(); ctx.Err() == nil; {
		time.Sleep(look)
		now := s.processor()
		if now-before <= 10*time.Millisecond { // what is idle wakes up now and then
			return
		}
		before = now
	}
}

// deaf is how many callers read nothing of what they are answered.
const deaf = 25

// deafReaders has callers ask for what they do not read, and prints what that holds.
func (b *benchAbuseCmd) deafReaders(ctx context.Context, server *benchServer, to string, size int,
	stdout io.Writer) error {
	u, err := url.Parse(to)
	if err != nil {
		return fmt.Errorf("reading the trigger's URL: %w", err)
	}
	server.settle(ctx)
	server.forgetPeak()
	memory, spent := server.memory(), server.processor()
	for range deaf {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			return fmt.Errorf("calling the trigger: %w", err)
		}
		defer func() { _ = conn.Close() }()
		go func() {
			_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", u.Path, u.Host, size)
			_, _ = conn.Write(bytes.Repeat([]byte("x"), size)) // it is refused in the middle, or not
		}()
	}
	time.Sleep(5 * time.Second)
	server.settle(ctx)
	took, peak := server.processor()-spent, max(server.peak()-memory, 0)
	_, err = fmt.Fprintf(stdout, "%-20s %9d          %6d MiB %16.1f %10s %11.0f\n", fmt.Sprint(deaf, " deaf readers"),
		deaf*size, peak>>20,
		float64(peak)/float64(deaf*size), took.Round(time.Millisecond), float64(took.Nanoseconds())/float64(deaf*size))
	return err
}
