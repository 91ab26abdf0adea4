package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
)

// profileVariable names the file for a server's CPU profile. It is for the bench command, which starts the server,
// and no setting: a profile tells what others do.
const profileVariable = "HEDDLE_BENCH_PROFILE"

// profile writes where the processor's time goes into a file, until the caller stops it; nowhere without a path.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("profiling: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("profiling: %w", errors.Join(err, f.Close()))
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
