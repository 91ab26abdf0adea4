package worker

import "runtime"

// runStack is about how much of a stack executing a run takes.
const runStack = 8 << 10 // bytes

// enlargeStack makes the goroutine's stack as large as a run needs, at once and while there is little on it
// that has to be moved: the queue starts a goroutine for each run, with a small one.
//
//go:noinline
func enlargeStack() {
	var room [runStack]byte
	runtime.KeepAlive(&room)
}
