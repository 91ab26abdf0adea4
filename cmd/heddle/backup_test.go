package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fromPage returns a block of shell commands of the operating page.
func fromPage(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "<!-- "+name+" -->\n```sh\n")
	block, _, ends := strings.Cut(after, "```\n")
	if !found || !ends {
		t.Fatalf("docs/operating.md has no block %q", name)
	}
	return block
}

// shell runs commands as an operator does, with what the house's server is configured by.
func (h *harness) shell(commands string, env ...string) string {
	h.Helper()
	program, err := exec.LookPath("heddle") // this test, see TestMain
	h.must(err)
	cmd := exec.Command("sh", "-euc", commands)
	cmd.Dir = h.dir
	cmd.Env = slices.Concat(command(h.dir, h.env).Env, []string{"PATH=" + filepath.Dir(program) + ":" +
		os.Getenv("PATH")}, env)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// restored makes another house from a backup, by the page's commands, and starts a server in it.
func (h *harness) restored(t *testing.T, backup string) *harness {
	t.Helper()
	key := filepath.Join(t.TempDir(), "master.key")
	h.shell(fromPage(t, "keep the key"), "KEY="+key)
	h.must(h.kill())
	h.must(os.Rename(filepath.Join(h.dir, "data"), filepath.Join(h.dir, "lost")))
	other := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	other.shell(fromPage(t, "restore"), "BACKUP="+backup, "KEY="+key)
	other.start()
	return other
}

// TestBackup loses a server's data and goes on from what the operating page's commands have kept of it:
// every answer is the same, secrets can be used, and the log holds what it held.
func TestBackup(t *testing.T) {
	h, service := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1"), newHook()
	t.Cleanup(service.Close)
	h.start()
	trigger := h.connected()
	run := h.trigger(trigger, `{"url":"`+service.URL+`", "large": "`+strings.Repeat("x", 100_000)+`"}`)
	h.ended(run)
	ids := map[string]string{"RUN": run}
	found := h.call(`{ integrations { nodes { id } } customers { nodes { id } } instances { nodes { id } } }`, nil)
	for name, path := range map[string]string{"INTEGRATION": "integrations.nodes.0.id",
		"CUSTOMER": "customers.nodes.0.id", "INSTANCE": "instances.nodes.0.id"} {
		ids[name] = at(found, path).(string)
	}
	ids["DRAFT"] = at(h.call(`mutation($i: ID!) { createDraft(input: {id: $i, name: "Next"}) { draft { id } errors { field messages } } }`,
		map[string]any{"i": ids["INTEGRATION"]}), "createDraft.draft.id").(string)
	old := h.url
	answers := func(h *harness) string {
		text, err := roots(h.url, h.token, func(name string) string { return ids[name] })
		h.must(err)
		return strings.NewReplacer(h.url, "http://heddle", old, "http://heddle").Replace(text)
	}
	before, backup := answers(h), filepath.Join(t.TempDir(), "kept")
	told := h.shell(fromPage(t, "back up"), "BACKUP="+backup)
	for _, want := range []string{"log.db: ", "blobs: ", "not in it: the master key ("} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in %s", want, told)
		}
	}
	if _, err := os.Stat(filepath.Join(backup, "master.key")); err == nil {
		t.Error("the master key is in the backup")
	}
	other := h.restored(t, backup)
	if after := answers(other); after != before {
		t.Errorf("the answers differ: before %d bytes, after %d\n%s", len(before), len(after),
			firstDifference(before, after))
	}
	if result := other.ended(other.trigger(trigger, `{"url":"`+service.URL+`"}`)); at(result,
		"resultType") != "COMPLETED" {
		t.Errorf("a run after the restore ended with %v", result)
	}
	requests, err := service.got(2)
	h.must(err)
	if !strings.Contains(requests[1].authorization, canaryConnection) {
		t.Errorf("the service was called with %q", requests[1].authorization)
	}
	h.must(other.stop())
	other.shell("heddle verify --since "+filepath.Join(backup, headFile),
		"HEDDLE_DATA="+filepath.Join(other.dir, "data"))
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d: %.500s, now %.500s", i, as[i], bs[i])
		}
	}
	return "one is longer"
}

// TestBackupUnderLoad backs up while runs come in, with payloads in blobs: whatever the copy of the log
// tells of is whole, and goes on.
func TestBackupUnderLoad(t *testing.T) {
	h, service := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1"), newHook()
	t.Cleanup(service.Close)
	h.start()
	trigger := h.deploy(callsDefinition(service.URL, "a"))
	large := []byte(`{"large": "` + strings.Repeat("x", 20_000) + `"}`)
	var callers sync.WaitGroup
	stop, began := make(chan struct{}), make(chan struct{}, 1000)
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, _, text, err := send(http.MethodPost, h.url+trigger,
					http.Header{"Content-Type": {"application/json"}}, large); err != nil || status != http.StatusOK {
					t.Errorf("a trigger is answered %d %s %v", status, text, err)
					return
				}
				select {
				case began <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-began
	}
	backup := filepath.Join(t.TempDir(), "kept")
	h.shell(fromPage(t, "back up"), "BACKUP="+backup)
	close(stop)
	callers.Wait()
	other := h.restored(t, backup)
	h.must(until("all runs of the backup to end", func() bool {
		open := other.call(`{ queued: executionResults(status: QUEUED) { totalCount } running: executionResults(status: PENDING) { totalCount } }`, nil)
		return at(open, "queued.totalCount") == 0.0 && at(open, "running.totalCount") == 0.0
	}))
	all := other.call(`{ executionResults { totalCount } bad: executionResults(resultType: ERROR) { totalCount } }`,
		nil)
	if n := at(all, "executionResults.totalCount").(float64); n < 50 || at(all, "bad.totalCount") != 0.0 {
		t.Errorf("of %g runs %v have failed", n, at(all, "bad.totalCount"))
	}
}

// TestDataIsPrivate starts a server in a folder that everybody may read, with files that were restored so, and backs up
// into such a folder: nobody else can read anything then.
func TestDataIsPrivate(t *testing.T) {
	h := newHarness(t, "HEDDLE_SERVE_LOG=127.0.0.1:0")
	h.start()
	h.must(h.stop())
	data, backup := filepath.Join(h.dir, "data"), filepath.Join(h.dir, "kept")
	h.must(filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		} else if err == nil {
			return os.Chmod(path, 0o644)
		}
		return err
	}))
	h.must(os.Mkdir(backup, 0o755))
	h.must(os.Chmod(backup, 0o755))
	h.start()
	h.shell(fromPage(t, "back up"), "BACKUP="+backup)
	for _, dir := range []string{data, backup} {
		h.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 && filepath.Dir(path) != filepath.Join(data, "blobs") {
				t.Errorf("%s has mode %s", path, info.Mode())
			}
			return err
		}))
	}
}

// TestBackupRefuses has mistakes told.
func TestBackupRefuses(t *testing.T) {
	h := newHarness(t)
	full := t.TempDir()
	h.must(os.WriteFile(filepath.Join(full, "there"), nil, 0o600))
	for why, c := range map[string]struct {
		folder string
		env    []string
	}{
		"is not empty": {full, nil},
		"no such file": {filepath.Join(full, "new"), nil},
		"HEDDLE_LOG":   {filepath.Join(full, "new"), []string{"HEDDLE_LOG=esdb://somewhere:2113"}},
	} {
		out, err := command(h.dir, append(h.env, c.env...), "backup", c.folder).CombinedOutput()
		if err == nil || !strings.Contains(string(out), why) {
			t.Errorf("%q is not in %v %s", why, err, out)
		}
	}
	h.must(filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if d.Name() == "log.db" {
			t.Errorf("a backup of nothing has made %s", path)
		}
		return err
	}))
}
