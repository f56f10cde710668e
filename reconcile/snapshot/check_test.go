package snapshot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
)

// TestCheck holds when a plan may be made from a file.
func TestCheck(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name  string
		alter func(*snapshot.Header)
		want  func(*snapshot.Expect)
		error string
	}{
		{name: "the same settings"},
		{name: "settings that name no source", want: func(e *snapshot.Expect) { e.URL = "" }},
		{name: "another source", want: func(e *snapshot.Expect) { e.URL = "https://other.example" }, error: "it is of https://cti.example, not of https://other.example"},
		{name: "a stream", want: func(e *snapshot.Expect) { e.Stream = "s" }, error: "through the built-in filter, not through the stream s"},
		{name: "the same stream", alter: func(h *snapshot.Header) { h.Source.Stream = "s" }, want: func(e *snapshot.Expect) { e.Stream = "s" }},
		{name: "another stream", alter: func(h *snapshot.Header) { h.Source.Stream = "r" }, want: func(e *snapshot.Expect) { e.Stream = "s" }, error: "through the stream r, not through the stream s"},
		{name: "settings that name no stream", alter: func(h *snapshot.Header) { h.Source.Stream = "r" }},
		{name: "as old as is allowed", want: func(e *snapshot.Expect) { e.Now = noon.Add(day) }},
		{name: "older", want: func(e *snapshot.Expect) { e.Now = noon.Add(day + time.Second) }, error: "it is stale: 24h0m1s old, at most 24h0m0s is allowed"},
		{name: "a clock that is a little ahead", want: func(e *snapshot.Expect) { e.Now = noon.Add(-time.Minute) }},
		{name: "a clock that is far ahead", want: func(e *snapshot.Expect) { e.Now = noon.Add(-time.Hour) }, error: "which is still to come"},
		{name: "no limit", want: func(e *snapshot.Expect) { e.Now, e.MaxAge = noon.Add(99*day), 0 }},
		{name: "everything, and only the flagged are in it", want: func(e *snapshot.Expect) { e.Selection.Detection = false }, error: "flagged for detection"},
		{name: "the flagged of everything", alter: func(h *snapshot.Header) { h.Selection.Detection = false }},
		{name: "any score, and only high ones are in it", alter: func(h *snapshot.Header) { h.Selection.MinScore = reconcile.LeastScore(60) }, error: "only indicators with a score of 60 or more, and these settings take any"},
		{name: "lower scores than are in it", alter: func(h *snapshot.Header) { h.Selection.MinScore = reconcile.LeastScore(60) }, want: func(e *snapshot.Expect) { e.Selection.MinScore = reconcile.LeastScore(59) }, error: "only indicators with a score of 60 or more, and these settings take 59"},
		{name: "lower scores of one kind", alter: func(h *snapshot.Header) { h.Selection.MinScore = reconcile.Thresholds{reconcile.YARA: 60} }, want: func(e *snapshot.Expect) {
			e.Selection.MinScore = reconcile.Thresholds{reconcile.IOC: 70, reconcile.YARA: 20}
		}, error: "only yara indicators with a score of 60 or more, and these settings take 20"},
		{name: "a threshold for a kind that had none", alter: func(h *snapshot.Header) { h.Selection.MinScore = reconcile.Thresholds{reconcile.YARA: 60} }, want: func(e *snapshot.Expect) { e.Selection.MinScore = reconcile.LeastScore(60) }},
		{name: "the scores that are in it", alter: func(h *snapshot.Header) { h.Selection.MinScore = reconcile.LeastScore(60) }, want: func(e *snapshot.Expect) { e.Selection.MinScore = reconcile.LeastScore(60) }},
		{name: "higher scores than are in it", want: func(e *snapshot.Expect) { e.Selection.MinScore = reconcile.LeastScore(60) }},
		{name: "observables, and none are in it", alter: func(h *snapshot.Header) { h.Selection.Observables = false }, error: "no attached observables"},
		{name: "no observables", want: func(e *snapshot.Expect) { e.Selection.Observables = false }},
	} {
		h := header()
		if tt.alter != nil {
			tt.alter(&h)
		}
		f, err := snapshot.Open(write(t, h, everything("a"), everything("b")))
		if err != nil {
			t.Fatal(err)
		}
		want := snapshot.Expect{URL: "https://cti.example", Now: noon.Add(time.Hour), MaxAge: day, Selection: snapshot.Selection{Detection: true, Observables: true}}
		if tt.want != nil {
			tt.want(&want)
		}
		err = f.Check(want)
		if (err == nil) != (tt.error == "") || err != nil && (!strings.Contains(err.Error(), tt.error) || !snapshot.Unusable(err)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.error)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
