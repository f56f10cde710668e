package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

func TestLimitsOfG4(t *testing.T) {
	for _, tt := range []struct{ n, evidence, absence int }{
		{9, 2, 2}, {10, 3, 3}, {99, 29, 29}, {100, 30, 30}, {300, 90, 30}, {1000, 300, 100}, {3333, 999, 100}, {10000, 3000, 300}, {30000, 9000, 300}, {100000, 30000, 1000}, {1000000, 300000, 10000},
	} {
		if e, a := reconcile.EvidenceLimit(tt.n), reconcile.AbsenceLimit(tt.n); e != tt.evidence || a != tt.absence {
			t.Errorf("of %d rules %d with evidence and %d without, want %d and %d", tt.n, e, a, tt.evidence, tt.absence)
		}
	}
}

// limits are the defaults, but for the percentage that a source may lose.
func limits(shrink int) reconcile.Limits {
	return reconcile.Limits{SourceShrink: shrink, Additions: 1000, Changes: 200, Failures: 10, Window: 24 * time.Hour}
}

// scene is a plan with n rules of each kind in the lists, of which some go.
type scene struct {
	rows, wanted map[reconcile.Kind]int
	why          map[reconcile.Kind]reconcile.Reason // of those that go; empty is indicator_gone
	last         reconcile.LastGood
	filter       string
	over         reconcile.Overrides
	unasked      string // why nobody could be asked for by id
	policy       func(*reconcile.Policy)
}

func (s scene) judge(t *testing.T) *reconcile.Plan {
	t.Helper()
	p := policy()
	if s.policy != nil {
		s.policy(&p)
	}
	make := func(k reconcile.Kind, i int) reconcile.Indicator {
		id := fmt.Sprintf("%s%05d", k, i)
		switch k {
		case reconcile.Sigma:
			return sigma(id, fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i))
		case reconcile.YARA:
			return yara(id)
		}
		return ind(id, "domain_name "+id+".example")
	}
	var before, now []reconcile.Indicator
	found := map[string]reconcile.Finding{}
	for _, k := range reconcile.Kinds {
		for i := range s.rows[k] {
			x := make(k, i)
			before = append(before, x)
			if i < s.wanted[k] {
				now = append(now, x)
			} else if why := s.why[k]; why != "" {
				f := reconcile.Finding{Indicator: x, Matches: true, Judged: why}
				if why == reconcile.OutOfFilter {
					f.Matches, f.Judged = false, ""
				}
				found[x.ID] = f
			}
		}
	}
	plan := decide(t, p, applied(t, policy(), before...), now...)
	g3 := plan.Explain(reconcile.Evidence{Started: noon, Found: found, Unasked: s.unasked}, p)
	plan.Judge(reconcile.Gate{ID: "G1", Name: "complete", OK: true, Message: "read to the end"}, g3, reconcile.Memory{LastGood: s.last}, s.filter, p, limits(20), s.over)
	return plan
}

func refusals(p *reconcile.Plan) []string {
	out := []string{}
	for _, g := range p.Gates {
		if !g.OK {
			out = append(out, fmt.Sprintf("%s %s %d of %d, limit %d: %s", g.ID, g.Name, g.Value, g.Base, g.Limit, g.Override))
			if g.Override != "" && !strings.HasSuffix(g.Message, g.Override) {
				out = append(out, "the message does not end in the override: "+g.Message)
			}
		}
	}
	return out
}

// remeant is a good run with settings that gave other values.
func remeant(l reconcile.LastGood) reconcile.LastGood {
	l.Meaning = "m"
	return l
}

type counts = map[reconcile.Kind]int
type reasons = map[reconcile.Kind]reconcile.Reason

// TestGates holds G2 and G4: what refuses, with which numbers, and what lets it pass.
func TestGates(t *testing.T) {
	i, s, y := reconcile.IOC, reconcile.Sigma, reconcile.YARA
	good := func(n counts) reconcile.LastGood {
		return reconcile.LastGood{At: noon.AddDate(0, 0, -1), Filter: "f", Sources: n}
	}
	for _, tt := range []struct {
		name string
		scene
		want []string
	}{
		{name: "30 of 100 may go without evidence", scene: scene{rows: counts{i: 100}, wanted: counts{i: 70}}, want: []string{}},
		{name: "31 may not", scene: scene{rows: counts{i: 100}, wanted: counts{i: 69}}, want: []string{"G4 removals_ioc_absence 31 of 100, limit 30: --accept-removals 31"}},
		{name: "31 of 300 may not without evidence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 269}}, want: []string{"G4 removals_ioc_absence 31 of 300, limit 30: --accept-removals 31"}},
		{name: "90 of 300 may with evidence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 210}, why: reasons{i: reconcile.Revoked}}, want: []string{}},
		{name: "91 may not", scene: scene{rows: counts{i: 300}, wanted: counts{i: 209}, why: reasons{i: reconcile.Expired}}, want: []string{"G4 removals_ioc_expired 91 of 300, limit 90: --accept-removals 91"}},
		{name: "below ten rules only an empty source counts", scene: scene{rows: counts{i: 9}, wanted: counts{i: 1}}, want: []string{}},
		{name: "one number for all kinds and classes that refuse", scene: scene{rows: counts{i: 100, s: 20, y: 20}, wanted: counts{i: 60, s: 5, y: 19}, why: reasons{s: reconcile.Revoked}},
			want: []string{"G4 removals_ioc_absence 40 of 100, limit 30: --accept-removals 55", "G4 removals_sigma_evidence 15 of 20, limit 6: --accept-removals 55"}},
		{name: "that number lets it pass", scene: scene{rows: counts{i: 100, s: 20, y: 20}, wanted: counts{i: 60, s: 5, y: 19}, why: reasons{s: reconcile.Revoked}, over: reconcile.Overrides{AcceptRemovals: 55}}, want: []string{}},
		{name: "no other number does", scene: scene{rows: counts{i: 100}, wanted: counts{i: 60}, over: reconcile.Overrides{AcceptRemovals: 41}}, want: []string{"G4 removals_ioc_absence 40 of 100, limit 30: --accept-removals 40"}},
		{name: "out of the last good run's filter is evidence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 260}, why: reasons{i: reconcile.OutOfFilter}, last: good(counts{i: 300}), filter: "f"}, want: []string{}},
		{name: "out of another filter is absence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 260}, why: reasons{i: reconcile.OutOfFilter}, last: good(counts{i: 300}), filter: "g"},
			want: []string{"G4 removals_ioc_absence 40 of 300, limit 30: --accept-removals 40"}},
		{name: "out of the filter before any good run is absence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 260}, why: reasons{i: reconcile.OutOfFilter}, filter: "f"},
			want: []string{"G4 removals_ioc_absence 40 of 300, limit 30: --accept-removals 40"}},
		{name: "what a changed setting leaves out is absence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 260}, why: reasons{i: reconcile.BelowThreshold}, last: good(counts{i: 300}), filter: "g"},
			want: []string{"G4 removals_ioc_absence 40 of 300, limit 30: --accept-removals 40"}},
		{name: "a value that changed settings leave out is absence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 260}, why: reasons{i: reconcile.Excluded}, last: remeant(good(counts{i: 300})), filter: "f"},
			want: []string{"G4 removals_ioc_absence 40 of 300, limit 30: --accept-removals 40"}},
		{name: "with the last good run's settings it is evidence", scene: scene{rows: counts{i: 300}, wanted: counts{i: 260}, why: reasons{i: reconcile.Excluded}, last: remeant(good(counts{i: 300})), filter: "f",
			policy: func(p *reconcile.Policy) { p.Meaning = "m" }}, want: []string{}},
		{name: "an empty source is not believed", scene: scene{rows: counts{i: 3}}, want: []string{"G2 source_empty_ioc 0 of 3, limit 0: --allow-empty"}},
		{name: "unless it is said to be so, and G4 still applies", scene: scene{rows: counts{i: 3, s: 20}, over: reconcile.Overrides{AllowEmpty: true}},
			want: []string{"G4 removals_sigma_absence 20 of 20, limit 6: --accept-removals 20"}},
		{name: "an empty source needs no second word for its shrinking", scene: scene{rows: counts{i: 9}, last: good(counts{i: 9}), over: reconcile.Overrides{AllowEmpty: true}}, want: []string{}},
		{name: "20 % fewer indicators are believed", scene: scene{unasked: "x", rows: counts{i: 100}, wanted: counts{i: 80}, last: good(counts{i: 100}), filter: "f"}, want: []string{}},
		{name: "what OpenCTI, asked by id, does not have is no loss of the read", scene: scene{rows: counts{i: 100}, wanted: counts{i: 79}, last: good(counts{i: 100}), filter: "f"}, want: []string{}},
		{name: "21 % are not", scene: scene{unasked: "x", rows: counts{i: 100}, wanted: counts{i: 79}, last: good(counts{i: 100}), filter: "f"}, want: []string{"G2 source_shrink 21 of 100, limit 20: --accept-shrink 21"}},
		{name: "unless the number is accepted", scene: scene{unasked: "x", rows: counts{i: 100}, wanted: counts{i: 79}, last: good(counts{i: 100}), filter: "f", over: reconcile.Overrides{AcceptShrink: 21}}, want: []string{}},
		{name: "and no greater one", scene: scene{unasked: "x", rows: counts{i: 100}, wanted: counts{i: 79}, last: good(counts{i: 100}), filter: "f", over: reconcile.Overrides{AcceptShrink: 22}}, want: []string{"G2 source_shrink 21 of 100, limit 20: --accept-shrink 21"}},
		{name: "what the evidence explains does not count", scene: scene{rows: counts{i: 100}, wanted: counts{i: 75}, why: reasons{i: reconcile.Revoked}, last: good(counts{i: 100}), filter: "f"}, want: []string{}},
		{name: "what left the same filter does not count", scene: scene{rows: counts{i: 100}, wanted: counts{i: 75}, why: reasons{i: reconcile.OutOfFilter}, last: good(counts{i: 100}), filter: "f"}, want: []string{}},
		{name: "losses of two kinds are one number", scene: scene{unasked: "x", rows: counts{i: 100, y: 100}, wanted: counts{i: 79, y: 78}, last: good(counts{i: 100, y: 100}), filter: "f"},
			want: []string{"G2 source_shrink 43 of 200, limit 40: --accept-shrink 43"}},
		{name: "ten of a kind may be lost, however few there are", scene: scene{unasked: "x", rows: counts{y: 12}, wanted: counts{y: 9}, last: good(counts{y: 19}), filter: "f"}, want: []string{}},
		{name: "other kinds than asked for do not count", scene: scene{rows: counts{i: 10}, wanted: counts{i: 10}, last: good(counts{i: 10, y: 10}), filter: "f", policy: func(p *reconcile.Policy) { p.Kinds = []reconcile.Kind{reconcile.IOC} }}, want: []string{}},
		{name: "what the policy forbids counts in no limit", scene: scene{rows: counts{i: 100}, wanted: counts{i: 10}, policy: func(p *reconcile.Policy) { p.Mode = reconcile.UpsertOnlyMode }}, want: []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, refusals(tt.judge(t))); d != "" {
				t.Errorf("refusals (-want +got):\n%s", d)
			}
		})
	}
}

// TestGatesSayWhoseDoingRemovalsAre: a setting, another version, and in a first run these together are no loss of OpenCTI's.
func TestGatesSayWhoseDoingRemovalsAre(t *testing.T) {
	k := reconcile.Sigma
	good := reconcile.LastGood{At: noon.AddDate(0, 0, -1), Filter: "f", Meaning: reconcile.MeaningOf("a", "1"), Sources: counts{k: 100}}
	for _, tt := range []struct {
		name    string
		last    reconcile.LastGood
		meaning string
		why     reconcile.Reason
		says    string
	}{
		{"another version", good, reconcile.MeaningOf("a", "2"), reconcile.PatternSkipped, "this version of harfangsync judges otherwise: 60 are of patterns that give no rule any more: 60 of 100 enabled rules go, limit 30"},
		{"another setting", good, reconcile.MeaningOf("b", "1"), reconcile.PatternSkipped, "your settings changed: 60 are of patterns that give no rule any more: 60 of 100 enabled rules go, limit 30"},
		{"both", good, reconcile.MeaningOf("b", "2"), reconcile.Excluded, "your settings changed: 60 are excluded: 60 of 100 enabled rules go, limit 30"},
		{"a first run", reconcile.LastGood{}, reconcile.MeaningOf("a", "1"), reconcile.PatternSkipped, "by your settings and this version: 60 are of patterns that give no rule any more: 60 of 100 enabled rules go, limit 30"},
		{"a first run with a threshold", reconcile.LastGood{}, reconcile.MeaningOf("a", "1"), reconcile.BelowThreshold, "by your settings and this version: 60 fall below min_score: 60 of 100 enabled rules go, limit 30"},
		{"neither", good, reconcile.MeaningOf("a", "1"), reconcile.PatternSkipped, "60 of 100 enabled rules go, limit 30"},
		{"OpenCTI", good, reconcile.MeaningOf("a", "2"), reconcile.Revoked, "60 of 100 enabled rules go, limit 30"},
	} {
		s := scene{rows: counts{k: 100}, wanted: counts{k: 40}, why: reasons{k: tt.why}, last: tt.last, filter: "f", policy: func(p *reconcile.Policy) { p.Meaning = tt.meaning }}
		said := ""
		for _, g := range s.judge(t).Gates {
			if !g.OK {
				said += g.Message
			}
		}
		if want := tt.says + "; if that is right, pass --accept-removals 60"; said != want {
			t.Errorf("%s: %q, want %q", tt.name, said, want)
		}
	}
}

func TestNoRulesFromIndicatorsIsAnEmptySource(t *testing.T) {
	p := policy()
	plan := decide(t, p, applied(t, p, ind("a", "domain_name x.example")), ind("a", ""))
	plan.Judge(reconcile.Gate{OK: true}, reconcile.Gate{OK: true}, reconcile.Memory{}, "", p, limits(20), reconcile.Overrides{})
	if got := refusals(plan); !cmp.Equal(got, []string{"G2 source_empty_ioc 0 of 1, limit 0: --allow-empty"}) {
		t.Errorf("refusals %q", got)
	}
	if msg := plan.Gates[1].Message; !strings.Contains(msg, "0 wanted ioc rules") {
		t.Errorf("message %q", msg)
	}
}

func TestUnmanagedRowsThatGoCountInG4(t *testing.T) {
	p := policy()
	p.Unmanaged = reconcile.RemoveUnmanaged
	var rows []reconcile.Row
	for n := range 40 {
		rows = append(rows, reconcile.Row{Kind: reconcile.IOC, ID: fmt.Sprint(n), Type: "domain_name", Value: fmt.Sprintf("h%d.example", n), Enabled: true})
	}
	plan := decide(t, p, rows, ind("a", "domain_name a.example"))
	g3 := plan.Explain(reconcile.Evidence{Started: noon}, p)
	plan.Judge(reconcile.Gate{OK: true}, g3, reconcile.Memory{}, "", p, limits(20), reconcile.Overrides{})
	if got := refusals(plan); !cmp.Equal(got, []string{"G4 removals_ioc_absence 40 of 40, limit 12: --accept-removals 40"}) {
		t.Errorf("refusals %q", got)
	}
}

// What a plan lists as a gate can refuse it.
func TestGatesAreThoseThatCanRefuse(t *testing.T) {
	var ids []string
	names := map[string]bool{}
	for _, g := range (scene{rows: counts{reconcile.IOC: 1}, wanted: counts{reconcile.IOC: 1}}).judge(t).Gates {
		if g.Message == "" || !g.OK || names[g.Name] {
			t.Errorf("%+v", g)
		}
		names[g.Name] = true
		if !slices.Contains(ids, g.ID) {
			ids = append(ids, g.ID)
		}
	}
	if d := cmp.Diff([]string{"G1", "G2", "G3", "G4", "G13", "G14"}, ids); d != "" {
		t.Errorf("gates (-want +got):\n%s", d)
	}
}

// What begins to detect is counted by who made its indicators, and by their labels.
func TestOrigins(t *testing.T) {
	p := policy()
	inds := []reconcile.Indicator{ind("a", "domain_name a.example; domain_name b.example"), ind("b", "domain_name c.example"), ind("c", "domain_name d.example")}
	inds[0].Author, inds[0].Labels = "Feed", []string{"junk", "apt"}
	inds[1].Author, inds[1].Labels = "Feed", []string{"apt"}
	rows := applied(t, p, inds[1])
	plan := decide(t, p, rows, inds...)
	want := &reconcile.Origins{Authors: []reconcile.Counted{{Word: "Feed", Count: 2}, {Count: 1}}, Labels: []reconcile.Counted{{Word: "apt", Count: 2}, {Word: "junk", Count: 2}}}
	if d := cmp.Diff(want, plan.Origins); d != "" {
		t.Errorf("origins (-want +got):\n%s", d)
	}
}
