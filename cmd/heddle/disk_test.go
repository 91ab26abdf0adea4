package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of 8 MiB, where that is allowed.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a small disk can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// useUp takes all room of a disk with a ballast file, which it names.
func useUp(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return ballast
}

func fileSize(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// room is what the test leaves of the disk at first, so that it is runs that meet its end.
const room = 400 << 10

// TestFullDisk fills the disk under a server: it says so, writes nothing by halves, goes on reading,
// and works again once there is room, all without a restart.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t)
	h := newHarness(t, "HEDDLE_DATA="+filepath.Join(disk, "data"))
	h.start()
	trigger := h.deploy(callsDefinition("http://127.0.0.1:1", "refused"))
	ballast := useUp(t, disk)
	h.must(os.Truncate(ballast, fileSize(t, ballast)-room))
	runs := h.fillUp(trigger)
	h.refusedFor(strings.Repeat("full ", 4000))
	h.mustRefuse(trigger, strings.Repeat("full ", 1<<17)) // a blob has no room
	customers := at(h.call(`{ customers { totalCount } }`, nil), "customers.totalCount")
	if status, _, _, err := send(http.MethodGet, h.url+"/readyz", http.Header{}, nil); status != http.StatusOK ||
		err != nil {
		t.Errorf("/readyz answers %d %v", status, err)
	}
	h.must(os.Remove(ballast))
	h.call(`mutation { createCustomer(input: {name: "Room again"}) { customer { id } errors { field messages } } }`,
		nil)
	if now := at(h.call(`{ customers { totalCount } }`, nil), "customers.totalCount"); now != customers.(float64)+1 {
		t.Errorf("%v customers, there were %v", now, customers)
	}
	for _, run := range append(runs, h.trigger(trigger, "{}")) { // what was accepted is done
		if result := h.ended(run); at(result, "resultType") != "ERROR" {
			t.Errorf("the run ended with %v", result)
		}
	}
	h.must(h.stop())
	if out, err := command(h.dir, h.env, "verify").CombinedOutput(); err != nil {
		t.Errorf("the log is not whole: %v\n%s", err, out)
	}
}

// mustRefuse posts what there is no room for.
func (h *harness) mustRefuse(trigger, body string) {
	h.Helper()
	status, _, text, err := send(http.MethodPost, h.url+trigger, http.Header{"Content-Type": {"application/json"}},
		[]byte(body))
	h.must(err)
	if status != http.StatusServiceUnavailable || !strings.Contains(string(text), "full") {
		h.Errorf("the trigger answers %d %s", status, text)
	}
}

// fillUp triggers runs until there is no room even for a small one, and gives those accepted.
func (h *harness) fillUp(trigger string) (runs []string) {
	h.Helper()
	for range 1000 {
		status, header, text, err := send(http.MethodPost, h.url+trigger,
			http.Header{"Content-Type": {"application/json"}}, []byte("{}"))
		h.must(err)
		if status == http.StatusServiceUnavailable {
			h.Logf("%d runs fitted in, then: %s", len(runs), text)
			return runs
		}
		if status != http.StatusOK {
			h.Fatalf("the trigger answers %d %s", status, text)
		}
		runs = append(runs, header.Get("prismatic-executionid"))
	}
	h.Fatal("the disk never gets full")
	return nil
}

// refusedFor makes customers until the disk is full, which has to be said clearly.
func (h *harness) refusedFor(description string) {
	h.Helper()
	for made := range 1000 {
		answer, err := ask(h.url, h.token, `mutation($d: String) { createCustomer(input: {name: "Customer", description: $d}) { customer { id } errors { field messages } } }`,
			map[string]any{"d": description})
		h.must(err)
		err = refused(answer)
		if err == nil {
			continue
		}
		if at(answer, "errors.0.extensions.code") != "UNAVAILABLE" || !strings.Contains(err.Error(),
			"the disk that holds the event log is full") {
			h.Errorf("after %d customers: %v", made, err)
		}
		return
	}
	h.Fatal("the disk never gets full")
}
