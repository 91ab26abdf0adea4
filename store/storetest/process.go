package storetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package or, in a process that [Command] made, its role with a path.
func Main(m *testing.M, roles map[string]func(path string) error) {
	role := os.Getenv("HEDDLE_STORE_TEST_CHILD")
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	do := roles[role]
	if do == nil {
		do = func(string) error { return errors.New("unknown role " + role) }
	}
	if err := do(os.Getenv("HEDDLE_STORE_TEST_PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Command returns this very test program as another process, with a role.
func Command(t testing.TB, role, path string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HEDDLE_STORE_TEST_CHILD="+role, "HEDDLE_STORE_TEST_PATH="+path)
	return cmd
}
