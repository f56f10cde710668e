package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

const (
	ruleA = "aaaaaaaa-0000-4000-8000-00000000000a"
	ruleB = "bbbbbbbb-0000-4000-8000-00000000000b"
)

// TestCompute holds the rows of spec 6 and 7 that need one wanted set and one set of rows.
func TestCompute(t *testing.T) {
	p := policy()
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name x.example")
	scored := func(i reconcile.Indicator, n int) reconcile.Indicator {
		return with(i, func(i *reconcile.Indicator) { i.Score = &n })
	}
	for _, tt := range []struct {
		name   string
		policy func(*reconcile.Policy)
		rows   []reconcile.Row
		wanted []reconcile.Indicator
		want   []string
	}{
		{name: "nothing against nothing", want: []string{"= 0"}},
		{name: "a new indicator is created", wanted: []reconcile.Indicator{a}, want: []string{"+ domain_name x.example new_indicator by a", "= 0"}},
		{name: "a second value of a known indicator is value_added", rows: applied(t, p, a), wanted: []reconcile.Indicator{ind("a", "domain_name x.example; domain_name y.example")},
			want: []string{"+ domain_name y.example value_added by a", "= 1"}},
		{name: "all three kinds are created", wanted: []reconcile.Indicator{a, sigma("s", ruleA), yara("y")},
			want: []string{"+ domain_name x.example new_indicator by a", "+ sigma name of s new_indicator by s", "+ yara name of y new_indicator by y", "= 0"}},
		{name: "in sync is unchanged", rows: applied(t, p, a, sigma("s", ruleA), yara("y")), wanted: []reconcile.Indicator{a, sigma("s", ruleA), yara("y")}, want: []string{"= 3"}},
		{name: "a score change alone writes nothing", rows: applied(t, p, a), wanted: []reconcile.Indicator{scored(a, 90)}, want: []string{"= 1"}},
		{name: "a new description is fields_changed by the source", rows: applied(t, p, a),
			wanted: []reconcile.Indicator{with(a, func(i *reconcile.Indicator) { i.Description = "other" })},
			want:   []string{"~ domain_name x.example fields_changed/source_changed (description,comment) by a", "= 0"}},
		{name: "an edit in the console is drift", rows: edit(applied(t, p, a), func(r *reconcile.Row) { r.Description = "mine" }), wanted: []reconcile.Indicator{a},
			want: []string{"~ domain_name x.example fields_changed/drift (description) by a", "= 0"}},
		{name: "a Sigma rule edited in the console is drift", rows: edit(applied(t, p, sigma("s", ruleA)), func(r *reconcile.Row) { r.Content = strings.Replace(r.Content, "evil.exe", "good.exe", 1) }),
			wanted: []reconcile.Indicator{sigma("s", ruleA)}, want: []string{"~ sigma name of s fields_changed/drift (content) by s", "= 0"}},
		{name: "a renamed YARA file is drift", rows: edit(applied(t, p, yara("y")), func(r *reconcile.Row) { r.Name = "other" }),
			wanted: []reconcile.Indicator{yara("y")}, want: []string{"~ yara name of y fields_changed/drift (name) by y", "= 0"}},
		{name: "another maturity setting is mapping_changed", policy: func(p *reconcile.Policy) { p.Maturity = "testing" }, rows: applied(t, p, a), wanted: []reconcile.Indicator{a},
			want: []string{"~ domain_name x.example fields_changed/mapping_changed (hl_status,comment) by a", "= 0"}},
		{name: "another maturity setting with another owner is still mapping_changed", policy: func(p *reconcile.Policy) { p.Maturity = "testing" }, rows: applied(t, p, a), wanted: []reconcile.Indicator{a, b},
			want: []string{"~ domain_name x.example fields_changed/mapping_changed (hl_status,comment) by a,b", "= 0"}},
		{name: "a maturity that the server moved is not compared", rows: edit(applied(t, p, a), func(r *reconcile.Row) { r.HLStatus = "testing" }), wanted: []reconcile.Indicator{a}, want: []string{"= 1"}},
		{name: "a rule promoted out of testing stays", policy: func(p *reconcile.Policy) { p.Maturity = "testing" }, rows: promoted(t, a), wanted: []reconcile.Indicator{a}, want: []string{"= 1"}},
		{name: "a note of another version is not a difference", rows: edit(applied(t, p, a), func(r *reconcile.Row) { r.Comment = strings.Replace(r.Comment, `"applied":"1:`, `"applied":"2:`, 1) }),
			wanted: []reconcile.Indicator{a}, want: []string{"= 1"}},
		{name: "an owner that joins is owners_changed", rows: applied(t, p, a), wanted: []reconcile.Indicator{a, b},
			want: []string{"~ domain_name x.example owners_changed/source_changed (comment) by a,b", "= 0"}},
		{name: "owners that the server cut from the marker are not compared", rows: edit(applied(t, p, a, b), tiny), wanted: []reconcile.Indicator{a}, want: []string{"= 1"}},
		{name: "an owner that leaves is owners_changed, the value stays", rows: applied(t, p, a, b), wanted: []reconcile.Indicator{a},
			want: []string{"~ domain_name x.example owners_changed/source_changed (comment) by a", "= 0"}},
		{name: "a winner that leaves is owners_changed, the value stays", rows: applied(t, p, a, b), wanted: []reconcile.Indicator{b},
			want: []string{"~ domain_name x.example owners_changed/source_changed (description,comment) by b", "= 0"}},
		{name: "the best score wins a new rule", wanted: []reconcile.Indicator{scored(a, 10), scored(b, 20)}, want: []string{"+ domain_name x.example new_indicator by b,a", "= 0"}},
		{name: "the newest wins among equal scores", wanted: []reconcile.Indicator{a, with(b, func(i *reconcile.Indicator) { i.CreatedAt = i.CreatedAt.Add(time.Hour) })},
			want: []string{"+ domain_name x.example new_indicator by b,a", "= 0"}},
		{name: "the first id wins among equals", wanted: []reconcile.Indicator{b, a}, want: []string{"+ domain_name x.example new_indicator by a,b", "= 0"}},
		{name: "the winner that the row names stays, whatever the scores", rows: applied(t, p, scored(a, 80), scored(b, 10)), wanted: []reconcile.Indicator{scored(a, 10), scored(b, 80)}, want: []string{"= 1"}},
		{name: "what we disabled comes back with its indicator", rows: disabledByUs(t, a), wanted: []reconcile.Indicator{a},
			want: []string{"* domain_name x.example indicator_back/source_changed (enabled,comment) by a", "= 0"}},
		{name: "a Sigma rule that we disabled comes back", rows: disabledByUs(t, sigma("s", ruleA)), wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"* sigma name of s indicator_back/source_changed (enabled,content) by s", "= 0"}},
		{name: "a YARA file that we disabled comes back", rows: disabledByUs(t, yara("y")), wanted: []reconcile.Indicator{yara("y")},
			want: []string{"* yara name of y indicator_back/source_changed (enabled,content) by y", "= 0"}},
		{name: "what a person disabled is pinned", rows: edit(applied(t, p, a), off), wanted: []reconcile.Indicator{a}, want: []string{"held pinned domain_name x.example by a", "= 1"}},
		{name: "what a person disabled comes back under revert", policy: func(p *reconcile.Policy) { p.Revert = true }, rows: edit(applied(t, p, a), off), wanted: []reconcile.Indicator{a},
			want: []string{"* domain_name x.example drift/drift (enabled) by a", "= 0"}},
		{name: "our note of a disable goes when a person enabled the rule again", rows: edit(disabledByUs(t, a), func(r *reconcile.Row) { r.Enabled = true }), wanted: []reconcile.Indicator{a},
			want: []string{"~ domain_name x.example fields_changed/drift (comment) by a", "= 0"}},
		{name: "a second indicator with one Sigma id is merged", wanted: []reconcile.Indicator{sigma("s", ruleA), sigma("t", ruleA)},
			want: []string{"+ sigma name of s new_indicator by s", "skip duplicate_merged t", "= 0"}},
		{name: "the Sigma row names which of two indicators has it", rows: applied(t, p, sigma("t", ruleA)), wanted: []reconcile.Indicator{sigma("s", ruleA), sigma("t", ruleA)},
			want: []string{"skip duplicate_merged s", "= 1"}},
		{name: "a Sigma rule without id is deployed under a derived one", rows: applied(t, p, sigma("s", "")), wanted: []reconcile.Indicator{sigma("s", "")}, want: []string{"= 1"}},
		{name: "a Sigma id in capitals is the same id", rows: applied(t, p, sigma("s", ruleA)), wanted: []reconcile.Indicator{sigma("s", strings.ToUpper(ruleA))}, want: []string{
			"~ sigma name of s fields_changed/source_changed (content) by s", "= 0"}},
		{name: "a rule that cannot be read is one skip", wanted: []reconcile.Indicator{with(sigma("s", ruleA), func(i *reconcile.Indicator) { i.Pattern = "title: [" }),
			with(yara("y"), func(i *reconcile.Indicator) { i.Pattern = "rule x {" })}, want: []string{"skip invalid_rule s", "skip invalid_rule y", "= 0"}},
		{name: "an indicator that comes twice counts in its last form", wanted: []reconcile.Indicator{a, ind("a", "domain_name z.example")}, want: []string{"+ domain_name z.example new_indicator by a", "= 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			if tt.policy != nil {
				tt.policy(&p)
			}
			plan := decide(t, p, tt.rows, tt.wanted...)
			if d := cmp.Diff(tt.want, brief(plan)); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
			after := obedient().apply(t, plan, p, tt.rows)
			if again := decide(t, p, after, tt.wanted...); again.Changes.Len() > 0 {
				t.Errorf("a second plan is not empty: %q", brief(again))
			}
		})
	}
}

// disabledByUs is rows whose indicators went and came back later.
func disabledByUs(t *testing.T, inds ...reconcile.Indicator) []reconcile.Row {
	t.Helper()
	p := policy()
	rows := applied(t, p, inds...)
	return obedient().apply(t, decide(t, p, rows), p, rows)
}

// promoted is a rule that was made in testing and that the server made stable.
func promoted(t *testing.T, inds ...reconcile.Indicator) []reconcile.Row {
	t.Helper()
	p := policy()
	p.Maturity = "testing"
	return edit(applied(t, p, inds...), func(r *reconcile.Row) { r.HLStatus = "stable" })
}

func TestNineOwnersAreCountedAndEightAreNamed(t *testing.T) {
	p := policy()
	var inds []reconcile.Indicator
	for i := range 9 {
		inds = append(inds, ind(fmt.Sprintf("i%d", i), "domain_name x.example"))
	}
	rows := applied(t, p, inds...)
	if !strings.Contains(rows[0].Comment, `"owners_count":9`) || strings.Contains(rows[0].Comment, `"i8"`) {
		t.Errorf("comment %s", rows[0].Comment)
	}
	if got := brief(decide(t, p, rows, inds...)); !cmp.Equal(got, []string{"= 1"}) {
		t.Errorf("in sync with nine owners: %q", got)
	}
	got := brief(decide(t, p, rows, inds[:8]...))
	if want := []string{"~ domain_name x.example owners_changed/source_changed (comment) by i0,i1,i2,i3,i4,i5,i6,i7", "= 0"}; !cmp.Equal(got, want) {
		t.Errorf("an unnamed owner left (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestTheDigestOfTheWantedRulesIsFreeOfTimesScoresAndOrder(t *testing.T) {
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name x.example")
	first := wantedOf(t, a, b).Digest()
	high := 99
	b.Score, b.UpdatedAt, b.CreatedAt = &high, noon, noon
	if second := wantedOf(t, b, a).Digest(); first != second {
		t.Error("a score, a time or the order changes the digest")
	}
	b.Description = "other"
	if third := wantedOf(t, a, b).Digest(); first == third {
		t.Error("another text does not change the digest")
	}
}

// tiny leaves of a marker no more than what keeps a row ours.
func tiny(r *reconcile.Row) {
	for short, shorter := r.Comment, true; shorter; short, shorter = reconcile.ShortComment(short) {
		r.Comment = short
	}
}
