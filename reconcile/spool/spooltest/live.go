package spooltest

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/crash"
)

// Live is how many bytes are in use at most, beyond those before, while do runs.
func Live(do func()) int {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int {
		metrics.Read(live)
		return int(live[0].Value.Uint64())
	}
	before, most, done := read(), 0, make(chan bool)
	go func() {
		defer crash.Exit()
		defer close(done)
		do()
	}()
	for {
		select {
		case <-done:
			return most
		case <-time.After(time.Millisecond):
			most = max(most, read()-before)
		}
	}
}
