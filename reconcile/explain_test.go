package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// found is a finding that matches the filter and passes our selection.
func found(i reconcile.Indicator, change func(*reconcile.Finding)) reconcile.Finding {
	f := reconcile.Finding{Indicator: i, Matches: true, Values: map[reconcile.Value]bool{}}
	given := reconcile.Given{Values: valuesOf(&i)}
	for _, v := range given.Identities(&i) {
		f.Values[v] = true
	}
	if change != nil {
		change(&f)
	}
	return f
}

// TestExplain holds gate G3 with its cases: a, an owner that was not read; b, one that was and gives
// the value no more; c, fewer markings.
func TestExplain(t *testing.T) {
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name x.example")
	both, one := []reconcile.Indicator{a, b}, []reconcile.Indicator{a}
	judged := func(why reconcile.Reason) func(*reconcile.Finding) {
		return func(f *reconcile.Finding) { f.Judged = why }
	}
	empty := with(a, func(i *reconcile.Indicator) { i.Pattern = "" })
	moved := with(a, func(i *reconcile.Indicator) { i.UpdatedAt = noon.Add(time.Second) })
	readNow := func(i reconcile.Indicator) reconcile.Finding {
		return found(i, func(f *reconcile.Finding) { f.Read = true })
	}
	fewer := func(e *reconcile.Evidence) { e.LostMarkings, e.MayGive = []string{"TLP:RED"}, anyMayGive }
	type evidence map[string]reconcile.Finding
	const gone, stays = "! domain_name x.example ", "held "
	for _, tt := range []struct {
		name     string
		owners   []reconcile.Indicator
		found    evidence
		evidence func(*reconcile.Evidence)
		want     string // of the one row
		refused  bool
	}{
		{name: "a: an owner that is nowhere is gone", owners: one, want: gone + "indicator_gone"},
		{name: "a: revoked", owners: one, found: evidence{"a": found(a, judged(reconcile.Revoked))}, want: gone + "revoked"},
		{name: "a: expired", owners: one, found: evidence{"a": found(a, judged(reconcile.Expired))}, want: gone + "expired"},
		{name: "a: not flagged for detection", owners: one, found: evidence{"a": found(a, judged(reconcile.DetectionOff))}, want: gone + "detection_off"},
		{name: "a: below the threshold", owners: one, found: evidence{"a": found(a, judged(reconcile.BelowThreshold))}, want: gone + "below_threshold"},
		{name: "a: label", owners: one, found: evidence{"a": found(a, judged(reconcile.LabelFiltered))}, want: gone + "label_filtered"},
		{name: "a: marking", owners: one, found: evidence{"a": found(a, judged(reconcile.MarkingDenied))}, want: gone + "marking_denied"},
		{name: "a: valid from a later day is outside of the filter", owners: one, found: evidence{"a": found(a, judged(reconcile.NotYetValid))}, want: gone + "out_of_filter"},
		{name: "a: the stream's filter does not let it through", owners: one, found: evidence{"a": found(a, func(f *reconcile.Finding) { f.Matches = false })}, want: gone + "out_of_filter"},
		{name: "a: found and matching means that the read was incomplete", owners: one, found: evidence{"a": found(a, nil)}, refused: true, want: gone + "indicator_gone"},
		{name: "a: found and matching without the value means so too", owners: one, found: evidence{"a": found(empty, nil)}, refused: true, want: gone + "indicator_gone"},
		{name: "a: found, matching and changed since is held", owners: one, found: evidence{"a": found(moved, nil)}, want: stays + "changed_meanwhile"},
		{name: "a: changed at the very start of the read is held", owners: one, found: evidence{"a": found(with(a, func(i *reconcile.Indicator) { i.UpdatedAt = noon }), nil)}, want: stays + "changed_meanwhile"},
		{name: "b: the value is still there, so the read lost it", owners: one, found: evidence{"a": readNow(a)}, refused: true, want: gone + "indicator_gone"},
		{name: "b: the value came back since, so it is held", owners: one, found: evidence{"a": readNow(moved)}, want: stays + "changed_meanwhile"},
		{name: "b: the value is not there any more", owners: one, found: evidence{"a": readNow(ind("a", "domain_name z.example"))}, want: gone + "value_removed"},
		{name: "b: the pattern gives nothing any more", owners: one, found: evidence{"a": readNow(empty)}, want: gone + "pattern_skipped"},
		{name: "b: the value is excluded", owners: one, found: evidence{"a": readNow(empty)}, evidence: func(e *reconcile.Evidence) { e.Excluded = func(_, _ string) bool { return true } }, want: gone + "excluded"},
		{name: "c: with fewer markings nothing counts as gone", owners: one, evidence: fewer, want: stays + "ambiguous"},
		{name: "c: one owner of two that may be invisible holds the rule", owners: both, found: evidence{"a": found(a, judged(reconcile.Revoked))}, evidence: fewer, want: stays + "ambiguous"},
		{name: "c: what says itself that it is out goes", owners: one, found: evidence{"a": found(a, judged(reconcile.Revoked))}, evidence: fewer, want: gone + "revoked"},
		{name: "c: a value that its indicator does not give may be of an observable that is invisible", owners: one, found: evidence{"a": readNow(ind("a", "domain_name z.example"))}, evidence: fewer, want: stays + "ambiguous"},
		{name: "c: and so may all that it gave", owners: one, found: evidence{"a": readNow(empty)}, evidence: fewer, want: stays + "ambiguous"},
		{name: "c: also where another owner is revoked", owners: both, found: evidence{"a": found(a, judged(reconcile.Revoked)), "b": readNow(ind("b", "domain_name z.example"))}, evidence: fewer, want: stays + "ambiguous"},
		{name: "c: but of no observable where none may give it", owners: one, found: evidence{"a": readNow(ind("a", "domain_name z.example"))}, evidence: func(e *reconcile.Evidence) {
			fewer(e)
			e.MayGive = func(i *reconcile.Indicator, typ string) bool { return i.ID != "a" || typ != "domain_name" }
		}, want: gone + "value_removed"},
		{name: "c: nor where none counts", owners: one, found: evidence{"a": readNow(empty)}, evidence: func(e *reconcile.Evidence) { e.LostMarkings = []string{"TLP:RED"} }, want: gone + "pattern_skipped"},
		{name: "c: what is excluded goes", owners: one, found: evidence{"a": readNow(empty)}, evidence: func(e *reconcile.Evidence) {
			fewer(e)
			e.Excluded = func(_, _ string) bool { return true }
		}, want: gone + "excluded"},
		{name: "c: so does what its indicator names and an exclusion takes away", owners: one, found: evidence{"a": found(empty, func(f *reconcile.Finding) {
			f.Read, f.Excluded = true, []reconcile.Value{{Type: "domain_name", Value: "x.example"}}
		})}, evidence: fewer, want: gone + "excluded"},
		{name: "of two owners the absent one is the reason", owners: both, found: evidence{"a": found(a, judged(reconcile.Revoked))}, want: gone + "indicator_gone"},
		{name: "of two owners the one outside of the filter is the reason", owners: both, found: evidence{"a": found(a, judged(reconcile.Revoked)), "b": found(b, func(f *reconcile.Finding) { f.Matches = false })}, want: gone + "out_of_filter"},
		{name: "of two owners one that wants it refuses all", owners: both, found: evidence{"b": found(b, nil)}, refused: true, want: gone + "indicator_gone"},
		{name: "of two owners one that changed holds the rule", owners: both, found: evidence{"a": found(moved, nil)}, want: stays + "changed_meanwhile"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			plan := decide(t, p, applied(t, p, tt.owners...))
			e := reconcile.Evidence{Started: noon, Found: tt.found}
			if tt.evidence != nil {
				tt.evidence(&e)
			}
			gate := plan.Explain(e, p)
			if got := brief(plan)[0]; !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if gate.OK == tt.refused {
				t.Errorf("gate %+v, refused %t", gate, tt.refused)
			}
			if plan.Changes.Len()+plan.Unchanged != 1 {
				t.Errorf("the row is counted %d times", plan.Changes.Len()+plan.Unchanged)
			}
			if plan.Changes.Len() == 1 && !tt.refused && !strings.Contains(*plan.Changes.At(0).After.Comment, `"disabled":"`+string(plan.Changes.At(0).Reason)+`"`) {
				t.Errorf("the note does not say why: %s", *plan.Changes.At(0).After.Comment)
			}
		})
	}
}

func TestEveryOwnerOfWhatGoesIsAskedFor(t *testing.T) {
	p := policy()
	rows := append(applied(t, p, ind("b", "domain_name x.example"), ind("a", "domain_name x.example"), sigma("s", ruleA), yara("y")), oldRow("o", "domain_name", "o.example", "o"))
	got := decide(t, p, rows).Absent()
	if want := []string{"a", "b", std("o"), "s", "y"}; !cmp.Equal(got, want) {
		t.Errorf("asked for (-want +got):\n%s", cmp.Diff(want, got))
	}
	if got := decide(t, p, rows, ind("a", "domain_name x.example")).Absent(); !cmp.Equal(got, []string{"b", std("o"), "s", "y"}) {
		t.Errorf("asked for %q, want also b, which a rule that stays no longer names", got)
	}
}

// A rule of two loses the one that was not read only if that one is gone, or does not want it: once its marker does
// not name an owner, nobody asks for it before the rule goes.
func TestAnOwnerThatWasNotReadKeepsItsRule(t *testing.T) {
	p := policy()
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name x.example")
	value := map[reconcile.Value]bool{{Type: "domain_name", Value: "x.example"}: true}
	for _, tt := range []struct {
		name     string
		found    map[string]reconcile.Finding
		markings []string
		want     string
	}{
		{name: "it is gone", want: "~ domain_name x.example owners_changed/source_changed (comment) by a"},
		{name: "it is revoked", found: map[string]reconcile.Finding{"b": {Indicator: b, Judged: reconcile.Revoked}}, want: "~ domain_name x.example owners_changed/source_changed (comment) by a"},
		{name: "it wants another value", found: map[string]reconcile.Finding{"b": {Indicator: b, Matches: true}}, want: "~ domain_name x.example owners_changed/source_changed (comment) by a"},
		{name: "it is there and wants it", found: map[string]reconcile.Finding{"b": {Indicator: b, Matches: true, Values: value}}, want: "held ambiguous domain_name x.example by a"},
		{name: "it may be hidden", markings: []string{"TLP:RED"}, want: "held ambiguous domain_name x.example by a"},
	} {
		plan := decide(t, p, applied(t, p, a, b), a)
		plan.Explain(reconcile.Evidence{Started: noon, Found: tt.found, LostMarkings: tt.markings}, p)
		if got := brief(plan)[0]; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if plan.Hidden() != (tt.markings != nil) {
			t.Errorf("%s: hidden %t", tt.name, plan.Hidden())
		}
	}
}

// TestAHiddenObservableKeepsItsRule: an indicator that was read and gives a value no more, among others that do, may give it by an
// observable that is hidden. Once the marker does not name it, nobody would ask for it before the rule goes.
func TestAHiddenObservableKeepsItsRule(t *testing.T) {
	p := policy()
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name x.example; domain_name z.example")
	other := with(b, func(i *reconcile.Indicator) { i.Pattern = "domain_name z.example" })
	s, other2 := sigma("s", ruleA), with(sigma("s", ruleA), func(i *reconcile.Indicator) { i.Pattern = "no rule" })
	for _, tt := range []struct {
		name         string
		before, read []reconcile.Indicator
		judged       reconcile.Reason
		markings     []string
		want         string
	}{
		{name: "its pattern changed", before: []reconcile.Indicator{a, b}, read: []reconcile.Indicator{a, other}, want: "~ domain_name x.example owners_changed"},
		{name: "it may be hidden", before: []reconcile.Indicator{a, b}, read: []reconcile.Indicator{a, other}, markings: []string{"TLP:RED"}, want: "held ambiguous domain_name x.example"},
		{name: "it says itself that it is out", before: []reconcile.Indicator{a, b}, read: []reconcile.Indicator{a, other}, judged: reconcile.Revoked, markings: []string{"TLP:RED"}, want: "~ domain_name x.example owners_changed"},
		{name: "a Sigma rule has no observables", before: []reconcile.Indicator{s}, read: []reconcile.Indicator{other2}, markings: []string{"TLP:RED"}, want: "! sigma name of s pattern_skipped"},
	} {
		plan := decide(t, p, applied(t, p, tt.before...), tt.read...)
		e := reconcile.Evidence{Started: noon, Found: map[string]reconcile.Finding{}, LostMarkings: tt.markings, MayGive: anyMayGive}
		for _, id := range plan.Absent() {
			for _, i := range tt.read {
				if i.ID == id {
					e.Found[id] = found(i, func(f *reconcile.Finding) { f.Read, f.Judged = true, tt.judged })
				}
			}
		}
		plan.Explain(e, p)
		if got := brief(plan); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, tt.want) }) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if held := strings.HasPrefix(tt.want, "held"); plan.Hidden() != held {
			t.Errorf("%s: hidden %t", tt.name, plan.Hidden())
		}
	}
}

// TestWhatIsHeldForADoubtMayBeHidden: a rule that is held since one of its indicators changed, or cannot be read or looked
// up, may have a hidden one beside it, which the next run is to know.
func TestWhatIsHeldForADoubtMayBeHidden(t *testing.T) {
	p := policy()
	a, b, hidden := ind("a", "domain_name x.example"), ind("b", "domain_name x.example"), ind("h", "domain_name x.example")
	moved := with(a, func(i *reconcile.Indicator) { i.UpdatedAt = noon.Add(time.Second) })
	for _, tt := range []struct {
		name     string
		read     []reconcile.Indicator
		evidence reconcile.Evidence
		want     string
	}{
		{name: "changed", evidence: reconcile.Evidence{Found: map[string]reconcile.Finding{"a": found(moved, nil)}}, want: "held changed_meanwhile"},
		{name: "unreadable", read: []reconcile.Indicator{unreadable("a")}, want: "held ambiguous"},
		{name: "not looked up", read: []reconcile.Indicator{b}, evidence: reconcile.Evidence{Unknown: map[string]string{"a": "it cannot be resolved"}}, want: "held ambiguous"},
	} {
		for _, lost := range [][]string{nil, {"TLP:RED"}} {
			plan := decide(t, p, applied(t, p, a, b, hidden), tt.read...)
			tt.evidence.Started, tt.evidence.LostMarkings = noon, lost
			plan.Explain(tt.evidence, p)
			if got := brief(plan)[0]; !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
			if plan.Hidden() != (lost != nil) {
				t.Errorf("%s, lost %q: hidden %t", tt.name, lost, plan.Hidden())
			}
		}
	}
}

// TestWhatStaysForGoodIsNotHidden: no rule that stays whatever is seen keeps a lost marking in mind, for it would do so for ever.
func TestWhatStaysForGoodIsNotHidden(t *testing.T) {
	p := policy()
	a := ind("a", "domain_name x.example")
	moved := with(a, func(i *reconcile.Indicator) { i.UpdatedAt = noon.Add(time.Second) })
	second := edit(applied(t, p, a), func(r *reconcile.Row) { r.ID, r.Value = "second", "X.EXAMPLE" })
	noOwners := edit(applied(t, p, a), func(r *reconcile.Row) {
		m, _ := marker.ParseIOC(r.Comment)
		m.StandardID, m.Owners, m.Count = "", nil, 0
		r.Comment = m.Comment()
	})
	for _, tt := range []struct {
		name     string
		rows     []reconcile.Row
		read     []reconcile.Indicator
		evidence reconcile.Evidence
		want     string
	}{
		{name: "a second rule", rows: append(edit(applied(t, p, a), off), second...), read: []reconcile.Indicator{a}, want: "held ambiguous"},
		{name: "its marker names nobody", rows: noOwners, want: "held ambiguous"},
		{name: "unreadable", rows: applied(t, p, a), read: []reconcile.Indicator{unreadable("a")}, want: "held ambiguous"},
		{name: "not looked up", rows: applied(t, p, a), evidence: reconcile.Evidence{Unknown: map[string]string{"a": "it cannot be resolved"}}, want: "held ambiguous"},
		{name: "changed", rows: applied(t, p, a), evidence: reconcile.Evidence{Found: map[string]reconcile.Finding{"a": found(moved, nil)}}, want: "held changed_meanwhile"},
	} {
		plan := decide(t, p, tt.rows, tt.read...)
		tt.evidence.Started, tt.evidence.LostMarkings, tt.evidence.MayGive = noon, []string{"TLP:RED"}, anyMayGive
		plan.Explain(tt.evidence, p)
		if got := brief(plan); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, tt.want) }) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if plan.Hidden() {
			t.Errorf("%s: it is hidden", tt.name)
		}
	}
}

// TestALossOfMarkingsIsAcceptedByName: by exactly the names of the lost ones, and then nothing counts as hidden.
func TestALossOfMarkingsIsAcceptedByName(t *testing.T) {
	p := policy()
	rows := applied(t, p, ind("a", "domain_name x.example"))
	red, both := []string{"TLP:RED"}, []string{"TLP:RED", "PAP:RED"}
	for _, tt := range []struct {
		lost, accept []string
		want, says   string
	}{
		{red, nil, "held ambiguous", "or pass --accept-markings TLP:RED if the loss is meant"},
		{red, red, "! domain_name x.example indicator_gone", "accepted by --accept-markings TLP:RED"},
		{both, []string{"PAP:RED", "TLP:RED"}, "! domain_name x.example indicator_gone", "accepted by --accept-markings PAP:RED,TLP:RED"},
		{both, red, "held ambiguous", "if the loss is meant, pass --accept-markings PAP:RED,TLP:RED"},
		{red, both, "held ambiguous", "if the loss is meant, pass --accept-markings TLP:RED"},
		{nil, red, "! domain_name x.example indicator_gone", "it lost none"},
	} {
		plan := decide(t, p, rows)
		gate := plan.Explain(reconcile.Evidence{Started: noon, LostMarkings: tt.lost, AcceptMarkings: tt.accept}, p)
		if got := brief(plan)[0]; !strings.HasPrefix(got, tt.want) || plan.Hidden() != strings.HasPrefix(tt.want, "held") {
			t.Errorf("lost %q, accepted %q: %q, hidden %t", tt.lost, tt.accept, got, plan.Hidden())
		}
		if wrong := strings.Contains(tt.says, "if the loss is meant, pass") || tt.lost == nil; gate.OK == wrong || !strings.Contains(gate.Message, tt.says) {
			t.Errorf("lost %q, accepted %q: %+v", tt.lost, tt.accept, gate)
		}
	}
}

func anyMayGive(*reconcile.Indicator, string) bool { return true }

// Owners that a marker counts and does not name cannot be asked for: whatever those say that it names, the rule goes as if
// one of its indicators were absent, and not at all while some may be hidden.
func TestOwnersThatAreNotNamedCountAsAbsent(t *testing.T) {
	p := policy()
	revoked := map[string]reconcile.Finding{}
	var inds []reconcile.Indicator
	for i := range 10 {
		inds = append(inds, ind(fmt.Sprintf("i%d", i), "domain_name x.example"))
		revoked[inds[i].ID] = found(inds[i], func(f *reconcile.Finding) { f.Judged = reconcile.Revoked })
	}
	rows := applied(t, p, inds...)
	cut := edit(rows, tiny)
	hidden := []string{"TLP:RED"}
	for _, tt := range []struct {
		name     string
		rows     []reconcile.Row
		read     []reconcile.Indicator
		markings []string
		want     string
	}{
		{name: "it goes", rows: rows, want: "! domain_name x.example indicator_gone"},
		{name: "they may be hidden", rows: rows, markings: hidden, want: "held ambiguous"},
		{name: "a cut marker does not even count them", rows: cut, markings: hidden, want: "held ambiguous"},
		{name: "two that were not named left", rows: rows, read: inds[:8], want: "~ domain_name x.example owners_changed"},
		{name: "two that were not named may be hidden", rows: rows, read: inds[:8], markings: hidden, want: "held ambiguous"},
		{name: "one that was not named may be hidden", rows: rows, read: inds[:9], markings: hidden, want: "held ambiguous"},
		{name: "two others came", rows: rows, read: append(inds[:10:10], ind("j", "domain_name x.example")), markings: hidden, want: "~ domain_name x.example owners_changed"},
	} {
		plan := decide(t, p, tt.rows, tt.read...)
		plan.Explain(reconcile.Evidence{Started: noon, Found: revoked, LostMarkings: tt.markings}, p)
		if got := brief(plan)[0]; !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAnOldRowIsDescribedByWhatWasFound(t *testing.T) {
	p := policy()
	plan := decide(t, p, []reconcile.Row{oldRow("o", "domain_name", "x.example", "a")})
	a := ind("a", "domain_name x.example")
	plan.Explain(reconcile.Evidence{Started: noon, Found: map[string]reconcile.Finding{std("a"): found(a, func(f *reconcile.Finding) { f.Judged = reconcile.Revoked })}}, p)
	ch := plan.Changes.At(0)
	if ch.Reason != reconcile.Revoked || ch.Owners[0].ID != "a" || !strings.Contains(*ch.After.Comment, `"indicators":["a"]`) {
		t.Errorf("%+v\n%s", ch, *ch.After.Comment)
	}
}

func TestARowWithoutANameToAskForStays(t *testing.T) {
	p := policy()
	row := applied(t, p, ind("a", "domain_name x.example"))[0]
	row.Comment = `{"managed_by":"harfangsync","instance":"` + us + `"}`
	plan := decide(t, p, []reconcile.Row{row})
	if gate := plan.Explain(reconcile.Evidence{Started: noon}, p); !gate.OK {
		t.Errorf("gate %+v", gate)
	}
	if got := brief(plan); !cmp.Equal(got, []string{"held ambiguous domain_name x.example", "= 1"}) {
		t.Errorf("got %q", got)
	}
}

func TestADuplicateThatLostItsReasonIsAskedForToo(t *testing.T) {
	p := policy()
	rows := []reconcile.Row{edit([]reconcile.Row{oldRow("1", "domain_name", "x.example", "a")}, off)[0], oldRow("2", "domain_name", "X.example", "b")}
	plan := decide(t, p, rows)
	if got := plan.Absent(); !cmp.Equal(got, []string{std("b")}) {
		t.Errorf("asked for %q", got)
	}
	b := ind("b", "domain_name x.example")
	if gate := plan.Explain(reconcile.Evidence{Started: noon, Found: map[string]reconcile.Finding{std("b"): found(b, nil)}}, p); gate.OK {
		t.Error("the read lost an indicator, and its rule goes as a duplicate of one out of force")
	}
}
