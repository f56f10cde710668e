// Package crash gives a program that comes down a code of its own. The runtime's is 2, which tells a pipeline that
// changes are pending.
package crash

import (
	"fmt"
	"os"
	"runtime/debug"
)

const unexpected = 1

// Exit ends the process as an unexpected error does if its goroutine panics, and says where it was. It is the first
// call that main and every goroutine defers: a deferred call sees the panics of its own goroutine alone.
func Exit() {
	if r := recover(); r != nil {
		Tell(r, debug.Stack())
		os.Exit(unexpected)
	}
}

// Tell says that the process ends by a panic. A program with a form of its own for that sets it before anything else.
var Tell = func(panicked any, stack []byte) {
	fmt.Fprintf(os.Stderr, "panic: %v\n\n%s", panicked, stack)
}

// AbortOnFaults lets what no deferred call sees, such as two goroutines in one map, end the process by SIGABRT, where
// there are signals. It leaves no core behind, which would hold tokens.
func AbortOnFaults() {
	if withoutCore() {
		debug.SetTraceback("crash")
	}
}
