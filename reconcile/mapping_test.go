package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// entry is an entry of a mapping.
func entry(to reconcile.Mapped, match func(*reconcile.MapEntry)) reconcile.MapEntry {
	e := reconcile.MapEntry{Mapped: to}
	if match != nil {
		match(&e)
	}
	return e
}

func TestTheFirstEntryThatMatchesCounts(t *testing.T) {
	high, low := reconcile.Mapped{Level: "high"}, reconcile.Mapped{Level: "low"}
	scored := func(n int) reconcile.Indicator {
		return with(ind("a", "domain_name x.example"), func(i *reconcile.Indicator) { i.Score = &n })
	}
	unscored := with(ind("a", "domain_name x.example"), func(i *reconcile.Indicator) { i.Score = nil })
	labelled := with(scored(50), func(i *reconcile.Indicator) { i.Labels = []string{"Ransomware", "apt"} })
	above := entry(high, func(e *reconcile.MapEntry) { e.MinScore = new(80) })
	below := entry(low, func(e *reconcile.MapEntry) { e.MaxScore = new(20) })
	for _, tt := range []struct {
		name    string
		mapping reconcile.Mapping
		ind     reconcile.Indicator
		kind    reconcile.Kind
		typ     string
		want    int
	}{
		{name: "no mapping matches nothing", ind: scored(90), want: -1},
		{name: "the bounds belong to the range", mapping: reconcile.Mapping{above, below}, ind: scored(80), want: 0},
		{name: "the upper one too", mapping: reconcile.Mapping{above, below}, ind: scored(20), want: 1},
		{name: "between them nothing matches", mapping: reconcile.Mapping{above, below}, ind: scored(50), want: -1},
		{name: "no score is within no bound", mapping: reconcile.Mapping{above, below}, ind: unscored, want: -1},
		{name: "an entry without conditions matches it", mapping: reconcile.Mapping{above, entry(low, nil)}, ind: unscored, want: 1},
		{name: "the first counts", mapping: reconcile.Mapping{entry(low, nil), above}, ind: scored(90), want: 0},
		{name: "a label in another case", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.Labels = []string{"x", "ransomware"} })}, ind: labelled, want: 0},
		{name: "another label", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.Labels = []string{"ransom"} })}, ind: labelled, want: -1},
		{name: "a kind", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.Kinds = []reconcile.Kind{reconcile.Sigma, reconcile.YARA} })}, ind: scored(50), kind: reconcile.YARA, want: 0},
		{name: "another kind", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.Kinds = []reconcile.Kind{reconcile.Sigma} })}, ind: scored(50), want: -1},
		{name: "a type", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.Types = []string{"hash", "url"} })}, ind: scored(50), typ: "url", want: 0},
		{name: "another type", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.Types = []string{"hash"} })}, ind: scored(50), typ: "url", want: -1},
		{name: "all conditions have to hold", mapping: reconcile.Mapping{entry(high, func(e *reconcile.MapEntry) { e.MinScore, e.Labels = new(80), []string{"apt"} })}, ind: labelled, want: -1},
	} {
		kind, typ := tt.kind, tt.typ
		if kind == 0 {
			kind = reconcile.IOC
		}
		if typ == "" && kind == reconcile.IOC {
			typ = "domain_name"
		}
		if _, at := tt.mapping.Match(&tt.ind, kind, typ); at != tt.want {
			t.Errorf("%s: entry %d, want %d", tt.name, at, tt.want)
		}
	}
}

func TestAMappingIsWhatItDoes(t *testing.T) {
	a := reconcile.Mapping{entry(reconcile.Mapped{Level: "high"}, nil)}
	named := reconcile.Mapping{entry(reconcile.Mapped{Level: "high"}, func(e *reconcile.MapEntry) { e.Name = "top" })}
	other := reconcile.Mapping{entry(reconcile.Mapped{Level: "low"}, nil)}
	if a.Digest() != named.Digest() || a.Digest() == other.Digest() || reconcile.Mapping(nil).Digest() != "" {
		t.Errorf("digests %q, %q, %q", a.Digest(), named.Digest(), other.Digest())
	}
	if got := (reconcile.Mapped{Level: "high", Confidence: "weak", State: "block", Maturity: "testing"}).Words(); got != "level high, confidence weak, global_state block, maturity testing" {
		t.Errorf("words %q", got)
	}
	p, mapped := policy(), policy()
	mapped.Mapping = a
	i := ind("a", "domain_name x.example")
	if decide(t, p, nil, i).WantedDigest == decide(t, mapped, nil, i).WantedDigest {
		t.Error("the digest of the wanted rules does not cover what a mapping asks of them")
	}
}

// TestMappedRules holds when what a mapping asks for makes a rule differ, and what is then sent.
func TestMappedRules(t *testing.T) {
	everything := reconcile.Mapping{entry(reconcile.Mapped{Level: "high", Confidence: "strong", State: "block"}, nil)}
	levels := reconcile.Mapping{
		entry(reconcile.Mapped{Level: "critical"}, func(e *reconcile.MapEntry) { e.MinScore = new(80) }),
		entry(reconcile.Mapped{Level: "low"}, nil),
	}
	testing := reconcile.Mapping{entry(reconcile.Mapped{Maturity: "testing"}, nil)}
	score := func(i reconcile.Indicator, n int) reconcile.Indicator {
		return with(i, func(i *reconcile.Indicator) { i.Score = &n })
	}
	a, y, s := ind("a", "domain_name x.example"), yara("y"), sigma("s", ruleA)
	all := []reconcile.Indicator{a, s, y}
	const mapped = "rule_level_override,rule_confidence_override,global_state,"
	for _, tt := range []struct {
		name   string
		before reconcile.Mapping
		wanted []reconcile.Indicator // at first
		edit   func(*reconcile.Row)
		after  reconcile.Mapping
		alter  func(*reconcile.Policy)
		now    []reconcile.Indicator // nil is as at first
		want   []string
	}{
		{name: "what was asked for is there", before: everything, wanted: all, after: everything, want: []string{"= 3"}},
		{name: "a mapping that is new", wanted: all, after: everything, want: []string{
			"~ domain_name x.example fields_changed/mapping_changed (" + mapped + "comment) by a",
			"~ sigma name of s fields_changed/mapping_changed (" + mapped + "content) by s",
			"~ yara name of y fields_changed/mapping_changed (" + mapped + "content) by y", "= 0"}},
		{name: "a field that is not asked for any more stays", before: everything, wanted: all, after: reconcile.Mapping{entry(reconcile.Mapped{Level: "high"}, nil)}, want: []string{"= 3"}},
		{name: "and so do all of them", before: everything, wanted: all, want: []string{"= 3"}},
		{name: "what nobody asks for is nobody's difference", wanted: all[:1], edit: func(r *reconcile.Row) { r.Level, r.Confidence, r.State = "low", "weak", "quarantine" }, want: []string{"= 1"}},
		{name: "edited in the console", before: everything, wanted: all[:1], edit: func(r *reconcile.Row) { r.State = "alert" }, after: everything, want: []string{
			"~ domain_name x.example fields_changed/drift (global_state) by a", "= 0"}},
		{name: "cleared in the console", before: everything, wanted: all[:1], edit: func(r *reconcile.Row) { r.Level = "" }, after: everything, want: []string{
			"~ domain_name x.example fields_changed/drift (rule_level_override) by a", "= 0"}},
		{name: "a value that this program does not know", before: everything, wanted: all[:1], edit: func(r *reconcile.Row) { r.Level = "extreme" }, after: everything, want: []string{
			"~ domain_name x.example fields_changed/drift (rule_level_override) by a", "= 0"}},
		{name: "another mapping", before: levels, wanted: all[:1], after: everything, want: []string{
			"~ domain_name x.example fields_changed/mapping_changed (" + mapped + "comment) by a", "= 0"}},
		{name: "a score that crosses a bound", before: levels, wanted: []reconcile.Indicator{score(a, 79)}, after: levels, now: []reconcile.Indicator{score(a, 80)}, want: []string{
			"~ domain_name x.example fields_changed/source_changed (rule_level_override,comment) by a", "= 0"}},
		{name: "a score that crosses none", before: levels, wanted: []reconcile.Indicator{score(a, 80)}, after: levels, now: []reconcile.Indicator{score(a, 99)}, want: []string{"= 1"}},
		{name: "of several owners the winner counts, which stays the one that the row names", before: levels, wanted: []reconcile.Indicator{score(a, 50)}, after: levels,
			now: []reconcile.Indicator{score(a, 50), score(ind("b", "domain_name x.example"), 90)}, want: []string{
				"~ domain_name x.example owners_changed/source_changed (comment) by a,b", "= 0"}},
		{name: "and another one when it goes", before: levels, wanted: []reconcile.Indicator{score(a, 50)}, after: levels,
			now: []reconcile.Indicator{score(ind("b", "domain_name x.example"), 90)}, want: []string{
				"~ domain_name x.example owners_changed/source_changed (rule_level_override,description,comment) by b", "= 0"}},
		{name: "out of force, and not by us", before: everything, wanted: all[:1], edit: func(r *reconcile.Row) { r.Enabled, r.State = false, "disabled" }, after: everything, want: []string{
			"held pinned domain_name x.example by a", "= 1"}},
		{name: "taken back against the analyst", before: everything, wanted: all[:1], edit: func(r *reconcile.Row) { r.Enabled, r.State = false, "disabled" }, after: everything,
			alter: func(p *reconcile.Policy) { p.Revert = true }, want: []string{
				"* domain_name x.example drift/drift (enabled,global_state) by a", "= 0"}},
		{name: "unwanted rules go as ever", before: everything, wanted: all[:1], after: everything, now: []reconcile.Indicator{}, want: []string{
			"! domain_name x.example indicator_gone (enabled,comment) by a", "= 0"}},
		{name: "a maturity", wanted: all[:1], after: testing, want: []string{
			"~ domain_name x.example fields_changed/mapping_changed (hl_status,comment) by a", "= 0"}},
		{name: "which the server may end", before: testing, wanted: all[:1], edit: func(r *reconcile.Row) { r.HLStatus = "stable" }, after: testing, want: []string{"= 1"}},
		{name: "and which ends with the mapping", before: testing, wanted: all[:1], want: []string{
			"~ domain_name x.example fields_changed/mapping_changed (hl_status,comment) by a", "= 0"}},
	} {
		p := policy()
		p.Mapping = tt.before
		rows := obedient().apply(t, decide(t, p, nil, tt.wanted...), p, nil)
		if tt.edit != nil {
			rows = edit(rows, tt.edit)
		}
		now := tt.now
		if now == nil {
			now = tt.wanted
		}
		m := reconcile.Memory{LastGood: reconcile.LastGood{Mapping: tt.before.Digest()}}
		p.Mapping = tt.after
		if tt.alter != nil {
			tt.alter(&p)
		}
		plan := decideKnowing(t, p, m, rows, now...)
		if d := cmp.Diff(tt.want, brief(plan)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// What a change sends of a mapping is what the row lacks, and a removal sends nothing of it.
func TestOnlyWhatARowLacksIsSent(t *testing.T) {
	p := policy()
	p.Mapping = reconcile.Mapping{entry(reconcile.Mapped{Level: "high", State: "block", Maturity: "testing"}, nil)}
	a := ind("a", "domain_name x.example")
	created := decide(t, p, nil, a)
	row := created.Changes.At(0).Row()
	if row.Level != "high" || row.State != "block" || row.Confidence != "" || row.HLStatus != "testing" || created.Changes.At(0).Sent[16:] != "-h0k" {
		t.Errorf("created as %+v, noted as %s", row, created.Changes.At(0).Sent)
	}
	if !strings.Contains(row.Comment, `-testing-mh0k"`) {
		t.Errorf("the marker does not say what was asked for: %s", row.Comment)
	}
	rows := edit(obedient().apply(t, created, p, nil), func(r *reconcile.Row) { r.State = "alert" })
	ch := decide(t, p, rows, a).Changes.At(0)
	if ch.After.Level != nil || ch.After.State == nil || *ch.After.State != "block" || *ch.Before.State != "alert" {
		t.Errorf("updated from %+v to %+v", ch.Before, ch.After)
	}
	if other := edit(rows, func(r *reconcile.Row) { r.State = "quarantine" }); ch.Before.SameAs(&other[0]) || !ch.Before.SameAs(&rows[0]) {
		t.Error("a state that changed since the plan was made is not noticed")
	}
	ch = decide(t, p, rows).Changes.At(0)
	if ch.Action != reconcile.Disable || ch.After.Level != nil || ch.After.State != nil || !strings.Contains(*ch.After.Comment, `-mh0k"`) {
		t.Errorf("disabled as %+v", ch.After)
	}
}

// A refused rule is tried again when the mapping asks something else of it.
func TestAnotherMappingIsAnotherRule(t *testing.T) {
	p, a := policy(), ind("a", "domain_name x.example")
	p.Mapping = reconcile.Mapping{entry(reconcile.Mapped{Level: "high"}, nil)}
	ch := decide(t, p, nil, a).Changes.At(0)
	m := reconcile.Memory{Refusals: map[reconcile.Key]reconcile.Refusal{ch.Key: {Sent: ch.Sent, Words: "no"}}}
	if got := brief(decideKnowing(t, p, m, nil, a)); !cmp.Equal(got, []string{"held refused domain_name x.example by a", "= 0"}) {
		t.Errorf("the same: %q", got)
	}
	p.Mapping = nil
	if got := brief(decideKnowing(t, p, m, nil, a)); !cmp.Equal(got, []string{"+ domain_name x.example new_indicator by a", "= 0"}) {
		t.Errorf("another: %q", got)
	}
}

func genMapping(t *rapid.T, label string) reconcile.Mapping {
	var m reconcile.Mapping
	for range rapid.IntRange(0, 3).Draw(t, label) {
		word := func(words []string) string { return rapid.SampledFrom(append([]string{""}, words...)).Draw(t, "word") }
		e := reconcile.MapEntry{Mapped: reconcile.Mapped{Level: word(reconcile.Levels), Confidence: word(reconcile.Confidences), State: word(reconcile.States), Maturity: word(reconcile.Maturities)}}
		if rapid.Bool().Draw(t, "by score") {
			e.MinScore = new(rapid.IntRange(0, 3).Draw(t, "least"))
		}
		if rapid.Bool().Draw(t, "by kind") {
			e.Kinds = []reconcile.Kind{rapid.SampledFrom(reconcile.Kinds).Draw(t, "kind")}
		}
		m = append(m, e)
	}
	return m
}

// TestAMappedPlanIsEmptyAfterTwoAppliesWhateverTheServerDoes models servers that know no states, take block for alert,
// forget confidences, cut comments, and fold.
func TestAMappedPlanIsEmptyAfterTwoAppliesWhateverTheServerDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unlicensed, weak, fold := rapid.Bool().Draw(t, "no blocking"), rapid.Bool().Draw(t, "no confidence"), rapid.Bool().Draw(t, "fold")
		cutAt := rapid.SampledFrom([]int{0, 0, 290, 310, 330, 400}).Draw(t, "comments cut at")
		s := &server{stateless: rapid.Bool().Draw(t, "old generation"), munge: func(r *reconcile.Row) {
			if unlicensed && r.State == "block" || r.Kind != reconcile.IOC && r.State == "backend_alert" {
				r.State = "alert"
			}
			if weak {
				r.Confidence = ""
			}
			if fold {
				r.Description = strings.ToLower(r.Description)
			}
			if x := []rune(r.Comment); cutAt > 0 && len(x) > cutAt {
				r.Comment = string(x[:cutAt])
			}
		}}
		p := policy()
		p.Remove = rapid.Bool().Draw(t, "remove")
		var rows []reconcile.Row
		for _, step := range []string{"first", "second"} {
			p.Mapping = genMapping(t, step+" mapping")
			inds := genIndicators(t, step)
			remapped := reconcile.Memory{LastGood: reconcile.LastGood{Mapping: "another"}}
			rows = s.apply(t, decideKnowing(t, p, remapped, rows, inds...), p, rows)
			second := decideKnowing(t, p, remapped, rows, inds...)
			rows = s.apply(t, second, p, rows)
			if third := decideKnowing(t, p, remapped, rows, inds...); third.Changes.Len() > 0 {
				t.Fatalf("%s: second %q\nthird %q\nrows %+v", step, brief(second), brief(third), rows)
			}
		}
	})
}

func TestRulesHoldWhatTheMappingAsksOfTheirWinner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policy()
		var rows []reconcile.Row
		var inds []reconcile.Indicator
		for _, step := range []string{"first", "second"} {
			p.Mapping, inds = genMapping(t, step+" mapping"), genIndicators(t, step)
			rows = obedient().apply(t, decide(t, p, rows, inds...), p, rows)
		}
		for _, r := range rows {
			m, _ := marker.ParseIOC(r.Comment)
			i := slices.IndexFunc(inds, func(i reconcile.Indicator) bool { return len(m.Owners) > 0 && i.ID == m.Owners[0] })
			if r.Kind != reconcile.IOC || !r.Enabled || i < 0 {
				continue
			}
			want, _ := p.Mapping.Match(&inds[i], r.Kind, r.Type)
			for _, f := range [][2]string{{want.Level, r.Level}, {want.Confidence, r.Confidence}, {want.State, r.State}} {
				if f[0] != "" && f[0] != f[1] {
					t.Fatalf("asked for %+v, the row is %+v", want, r)
				}
			}
		}
	})
}
