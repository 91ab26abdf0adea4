package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain lets this test program be heddle itself: started under that name it is the real main, in
// a process of its own that tests can kill.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"heddle": main})
}

// leakChecked runs the tests and then sees to it that no goroutine of theirs is left.
type leakChecked struct{ *testing.M }

// Run implements [testscript.TestingM].
func (m leakChecked) Run() int {
	code := m.M.Run()
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
			goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop")); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
	}
	return code
}

// TestStories plays every story of testdata: whole processes, real sockets, no clock but the real one.
// The commands of a story are in story_test.go.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setup,
		Cmds:                commands,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("HEDDLE_UPDATE_STORIES") != "",
	})
}

// corpus is the path of a definition that other people wrote; such files are not part of the project.
func corpus(name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "corpus", name))
	if err != nil {
		return name
	}
	return path
}

func TestVersion(t *testing.T) {
	stamp := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	for want, info := range map[string]debug.BuildInfo{
		"unknown": {},
		"(devel)": {Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{stamp("vcs", "git"),
			stamp("GOOS", "linux")}},
		"v1.2.0 commit 0a1b of 2026-11-27T20:00:00Z": {Main: debug.Module{Version: "v1.2.0"},
			Settings: []debug.BuildSetting{
				stamp("vcs.revision", "0a1b"), stamp("vcs.time", "2026-11-27T20:00:00Z"), stamp("vcs.modified",
					"false")}},
		"v1.2.1-0 commit 0a1b of 2026-11-27T20:00:00Z, changed since": {Main: debug.Module{Version: "v1.2.1-0"},
			Settings: []debug.BuildSetting{
				stamp("vcs.modified", "true"), stamp("vcs.time", "2026-11-27T20:00:00Z"), stamp("vcs.revision",
					"0a1b")}},
	} {
		if got := versionOf(&info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
