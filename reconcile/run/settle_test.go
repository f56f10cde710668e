package run_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// gateway answers every write with a failure, whether or not it was stored.
type gateway struct {
	*sink
	stores, dark bool // dark lets nothing be read from the first write on
}

func (g *gateway) write(once bool, store func() error) error {
	if g.stores {
		if err := store(); err != nil {
			return err
		}
	}
	if g.dark {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.fail = func(string, string) error { return &fault{reconcile.Fault{Side: true, Words: "down"}} }
	}
	return &fault{reconcile.Fault{Side: true, Unsure: true, Once: once, Words: "500"}}
}

func (g *gateway) Create(ctx context.Context, list string, r reconcile.Row) (id string, err error) {
	return "", g.write(r.Kind == reconcile.YARA, func() error { _, err := g.sink.Create(ctx, list, r); return err })
}

func (g *gateway) Update(ctx context.Context, k reconcile.Kind, id string, p reconcile.Patch) error {
	return g.write(false, func() error { return g.sink.Update(ctx, k, id, p) })
}

func (g *gateway) Delete(ctx context.Context, k reconcile.Kind, id string) error {
	return g.write(false, func() error { return g.sink.Delete(ctx, k, id) })
}

// TestWritesThatAreStoredThoughTheirAnswersFail: such rules were reported as failed, and the run as one that wrote nothing.
func TestWritesThatAreStoredThoughTheirAnswersFail(t *testing.T) {
	x := ind("a", "domain_name x.example")
	other, more := x, ind("b", "domain_name x.example")
	other.Description = "other"
	kept := ind("k", "domain_name kept.example")
	for _, tt := range []struct {
		name          string
		before, after []reconcile.Indicator
		remove        bool
		want          string
	}{
		{"create", nil, []reconcile.Indicator{x}, false, "+ domain_name x.example"},
		{"create a Sigma rule", nil, []reconcile.Indicator{sigma("s", ruleA)}, false, "+ sigma name of s"},
		{"create a YARA file", nil, []reconcile.Indicator{yara("y")}, false, "+ yara name of y"},
		{"update", []reconcile.Indicator{x}, []reconcile.Indicator{other}, false, "~ domain_name x.example"},
		{"update of owners alone", []reconcile.Indicator{x}, []reconcile.Indicator{x, more}, false, "~ domain_name x.example"},
		{"disable", []reconcile.Indicator{x, kept}, []reconcile.Indicator{kept}, false, "! domain_name x.example"},
		{"delete", []reconcile.Indicator{x, kept}, []reconcile.Indicator{kept}, true, "- domain_name x.example"},
	} {
		for _, way := range []struct {
			name             string
			stores, dark     bool
			outcome, says    string
			wrote, unreached bool
		}{
			{"stored", true, false, "applied", "it was stored, although", true, false},
			{"not stored", false, false, "failed", "HarfangLab ", false, true},
			{"nobody can look", true, true, "failed", "unknown whether it was stored", true, false},
		} {
			snk := newSink()
			src := &source{read: tt.before, known: map[string]reconcile.Indicator{}}
			j := job(t, src, snk)
			j.Policy.Remove, j.Limits.SourceShrink = tt.remove, 100
			syncAll(t, j)
			src.read = tt.after
			p := plan(t, j)
			j.Sink = &gateway{snk, way.stores, way.dark}
			r := apply(t, j, p, false)
			if d := cmp.Diff([]string{tt.want + " " + way.outcome}, brief(r)[:1]); d != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, way.name, d)
			}
			asked := tt.name == "create a YARA file" && way.outcome == "applied" // before it would be sent again
			if r.Wrote != way.wrote || (r.Unreachable != nil) != way.unreached || !asked && !strings.Contains(r.Items[0].Error, way.says) {
				t.Errorf("%s, %s: wrote %t, unreachable %v, %q", tt.name, way.name, r.Wrote, r.Unreachable, r.Items[0].Error)
			}
		}
	}
}

// A delete that is refused, and whose disable then gets no answer, is the platform's failure and no verdict.
func TestADisableInPlaceOfADeleteFailsAsItself(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{sigma("s", ruleA)}, known: map[string]reconcile.Indicator{}}, newSink()
	j := job(t, src, snk)
	j.Policy.Remove, j.Limits.SourceShrink, j.Overrides.AllowEmpty = true, 100, true
	syncAll(t, j)
	src.read = nil
	snk.fail = func(what, _ string) error {
		switch what {
		case "delete":
			return &fault{reconcile.Fault{Linked: true, Verdict: true, Words: "linked"}}
		case "update":
			return &fault{reconcile.Fault{Side: true, Words: "down"}}
		}
		return nil
	}
	r := apply(t, j, plan(t, j), false)
	if r.Count(run.Failed, "") != 1 || r.Unreachable == nil {
		t.Errorf("%q, unreachable %v", brief(r), r.Unreachable)
	}
}

// What is unsure is looked for once the breaker (gate G9) has stopped, and not item by item before.
func TestWhatIsUnsureDoesNotHoldTheBreaker(t *testing.T) {
	for _, dark := range []bool{false, true} {
		snk := newSink()
		j := job(t, &source{read: domains(0, 20)}, snk)
		j.Parallel = 1
		p := plan(t, j)
		snk.log = nil
		j.Sink = &gateway{snk, true, dark}
		r := apply(t, j, p, false)
		want := map[bool]int{false: 3, true: 0}[dark]
		if _, stopped := errors.AsType[*run.BreakerError](r.Stopped); !stopped || r.Count(run.Applied, "") != want || r.Count(run.NotAttempted, "") != 17 || r.Unreachable != nil {
			t.Errorf("dark %t: stopped %v, %d applied, %d left, unreachable %v", dark, r.Stopped, r.Count(run.Applied, ""), r.Count(run.NotAttempted, ""), r.Unreachable)
		}
		if looks := strings.Count(strings.Join(snk.log, "\n"), "look up"); dark && looks > 1 {
			t.Errorf("%d look-ups of a platform that is down", looks)
		}
	}
}
