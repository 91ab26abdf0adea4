package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/store"
	"heddle/store/blobs"
)

const (
	libraryIntegrations = 10_000
	libraryVersions     = 5
	libraryToken        = "benchmark-token-0123456789"
)

// filler writes events straight into a log, in groups: quicker than deciding each.
type filler struct {
	b            *testing.B
	log          *store.SQLite
	organization string
}

func fill[S any](f filler, c *domain.Category[S], id string, events ...domain.Event[S]) {
	f.b.Helper()
	var encoded []store.Event
	for _, e := range events {
		data, err := c.Encode(e)
		if err != nil {
			f.b.Fatal(err)
		}
		eid := uuid.Must(uuid.NewV7())
		meta, err := json.Marshal(domain.Meta{ID: eid, Organization: f.organization, Actor: uuid.Nil.String(),
			Remote: "192.0.2.1",
			Time:   time.Now().UTC().Truncate(time.Microsecond), Correlation: eid.String(),
			Previous: strings.Repeat("0",
				64)})
		if err != nil {
			f.b.Fatal(err)
		}
		encoded = append(encoded, store.Event{ID: eid, Kind: data.Kind, Meta: meta, Data: data.Data})
	}
	if _, err := f.log.Append(f.b.Context(), c.Stream(id), store.NoStream, encoded...); err != nil {
		f.b.Fatal(err)
	}
}

// library fills a data folder with integrations of five versions each, every version edited from a
// draft of its own.
func library(b *testing.B, dir string) {
	b.Helper()
	text, err := os.ReadFile("testdata/library.yaml")
	if err != nil {
		b.Fatal(err)
	}
	parsed, _, err := definition.Parse(text, definition.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	def := definition.Identify(parsed, nil, uuid.NewString)
	kept, err := blobs.Open(b.Context(), "file://"+filepath.Join(dir, "blobs"))
	if err != nil {
		b.Fatal(err)
	}
	log, err := store.OpenSQLite(filepath.Join(dir, "log.db"))
	if err != nil {
		b.Fatal(err)
	}
	f := filler{b, log, domain.DeriveID("first organization")}
	encoded, err := definition.Encode(def)
	if err != nil {
		b.Fatal(err)
	}
	hash, err := kept.PutContent(b.Context(), f.organization, encoded)
	if err != nil {
		b.Fatal(err)
	}
	for n := range libraryIntegrations {
		f.integration(def, hash, n)
	}
	for _, c := range []io.Closer{log, kept} {
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func (f filler) integration(def *definition.Part, hash string, n int) {
	id := uuid.Must(uuid.NewV7()).String()
	history := []domain.Event[domain.Integration]{domain.IntegrationCreated{}}
	for v := range libraryVersions {
		version, draft := uuid.Must(uuid.NewV7()).String(), domain.MainDraftID(id, v)
		fill(f, domain.Drafts, draft, domain.DraftOpened{Integration: id, Main: true, Definition: def},
			domain.DraftEdited{Changes: []definition.Change{{Op: definition.SetOp, Path: []string{"name"},
				Value: fmt.Sprintf("Integration %05d", n)}}},
			domain.DraftClosed{Version: version, Definition: hash, Note: "A change worth a sentence."})
		history = append(history, domain.IntegrationPublished{Version: version, Number: v + 1,
			Note: "A change worth a sentence.", Definition: hash, Draft: draft})
	}
	fill(f, domain.Integrations, id, history...)
	fill(f, domain.Instances, domain.SystemInstanceID(id), domain.InstanceCreated{Name: "Test", Integration: id,
		System: true})
}

// BenchmarkLibrary starts the real program on 10,000 integrations of five versions each lists them and
// publishes one by HTTP: median times in milliseconds, resident memory in MiB.
func BenchmarkLibrary(b *testing.B) {
	dir := b.TempDir()
	library(b, dir)
	binary := filepath.Join(b.TempDir(), "heddle")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	const address = "127.0.0.1:18273"
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(os.Environ(), "HEDDLE_DATA="+dir, "HEDDLE_LISTEN="+address, "HEDDLE_ADMIN_TOKEN="+libraryToken)
	started := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for {
		if r, err := http.Get("http://" + address + "/readyz"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				break
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	ready := time.Since(started)
	queries := map[string]string{
		"sorted": `{ integrations(sortBy: [{field: UPDATED_AT, direction: DESC}, {field: NAME, direction: ASC}]) { nodes { id name description versionNumber labels category } pageInfo { hasNextPage endCursor } } }`,
		"list":   `{ integrations { nodes { id name description versionNumber labels category } pageInfo { hasNextPage endCursor } } }`,
		"search": `{ integrations(name_Icontains: "04217") { nodes { id name description versionNumber labels category } pageInfo { hasNextPage endCursor } } }`,
	}
	times := map[string][]time.Duration{}
	var first struct {
		Data struct {
			Integrations struct{ Nodes []struct{ ID string } }
		}
	}
	if err := json.Unmarshal(answerTo(b, address, `{ integrations(first: 1) { nodes { id name } } }`),
		&first); err != nil {
		b.Fatal(err)
	}
	id, change := first.Data.Integrations.Nodes[0].ID, 0
	for b.Loop() {
		for name, query := range queries {
			begun := time.Now()
			answerTo(b, address, query)
			times[name] = append(times[name], time.Since(begun))
		}
		change++
		answerTo(b, address, fmt.Sprintf(`mutation { updateIntegration(input: {id: %q, description: "change %d"}) { integration { name } } }`, id, change))
		begun := time.Now()
		answerTo(b, address, fmt.Sprintf(`mutation { publishIntegration(input: {id: %q}) { integration { name } } }`,
			id))
		times["publish"] = append(times["publish"], time.Since(begun))
	}
	for name, all := range times {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"-p50-ms")
	}
	b.ReportMetric(ready.Seconds(), "start-s")
	b.ReportMetric(residentMiB(b, cmd.Process.Pid, "VmRSS"), "RSS-MiB")
	b.ReportMetric(residentMiB(b, cmd.Process.Pid, "VmHWM"), "peak-MiB")
}

// answerTo returns the answer to what names an integration of the library.
func answerTo(b *testing.B, address, query string) []byte {
	b.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		b.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+address+"/api", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+libraryToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || !bytes.Contains(text, []byte(`"name":"`)) {
		b.Fatalf("%v %.300s", err, text)
	}
	return text
}

// residentMiB reads a field of /proc/PID/status in MiB.
func residentMiB(b *testing.B, pid int, field string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc on this system")
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	b.Fatalf("no %s in /proc/%d/status", field, pid)
	return 0
}
