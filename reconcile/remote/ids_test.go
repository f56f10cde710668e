package remote_test

import (
	"runtime"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

func TestIDsAreWhatAMapHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ids remote.IDs
		have := map[string]bool{}
		for _, id := range rapid.SliceOf(rapid.StringMatching(`[a-d]{0,4}`)).Draw(t, "ids") {
			if fresh := ids.Add(id); fresh == have[id] {
				t.Fatalf("%q: new %t, and had %t", id, fresh, have[id])
			}
			have[id] = true
		}
		if ids.Len() != len(have) {
			t.Fatalf("%d ids, want %d", ids.Len(), len(have))
		}
	})
}

// TestAMillionIDsAreSmall: both sides of a plan hold as many while they are read.
func TestAMillionIDsAreSmall(t *testing.T) {
	const n, most = 1_000_000, 18 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var ids remote.IDs
	for i := range n {
		ids.Add(strconv.Itoa(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := after.HeapAlloc - before.HeapAlloc; ids.Len() != n || got > most {
		t.Errorf("%d ids in %d bytes, want %d in at most %d", ids.Len(), got, n, most)
	}
}
