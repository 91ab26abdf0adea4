package main

import (
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
)

func init() {
	name := os.Getenv("HEDDLE_CPUPROFILE")
	if name == "" || len(os.Args) < 2 || os.Args[1] != "serve" {
		return
	}
	f, _ := os.Create(name)
	_ = pprof.StartCPUProfile(f)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	go func() { <-c; pprof.StopCPUProfile(); f.Close(); }()
	u := make(chan os.Signal, 1)
	signal.Notify(u, syscall.SIGUSR1)
	go func() { <-u; runtime.GC(); h, _ := os.Create(name + ".heap"); _ = pprof.WriteHeapProfile(h); h.Close() }()
}
