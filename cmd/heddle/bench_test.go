package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart is the time from an empty folder to a server that is ready, of the program as people
// get it, and the memory that it holds when it has nothing to do. The targets are 500 ms and 60 MiB.
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "heddle")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var ready time.Duration
	var memory float64
	for b.Loop() {
		url := "http://" + freeAddress(b)
		cmd := exec.Command(binary, "serve")
		cmd.Dir = b.TempDir()
		cmd.Env = []string{"HEDDLE_LISTEN=" + strings.TrimPrefix(url, "http://"), "HEDDLE_DATA=data",
			"HEDDLE_ADMIN_TOKEN=" + testToken}
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if err := isReady(url); err != nil {
			b.Fatal(err)
		}
		ready += time.Since(begin)
		b.StopTimer()
		memory = max(memory, settled(b, cmd.Process.Pid))
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ready.Milliseconds())/float64(b.N), "ms/start")
	b.ReportMetric(memory, "MiB-RSS")
}

// freeAddress is one that nobody listens at. Reading the server's log for the one it chose would cost
// time that is not the server's.
func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return l.Addr().String()
}

func isReady(url string) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if status, _, _, err := send(http.MethodGet, url+"/readyz", http.Header{}, nil); err == nil &&
			status == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready", url)
}

// settled is the resident memory of a process in MiB once it has not grown for a second.
func settled(b *testing.B, pid int) (size float64) {
	for last, since := -1.0, time.Now(); time.Since(since) < time.Second; time.Sleep(50 * time.Millisecond) {
		size = resident(b, pid)
		if size > last {
			last, since = size, time.Now()
		}
	}
	return size
}

func resident(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("there is no /proc to read the size of a process from")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
