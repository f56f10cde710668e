package pull_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// iocRow is a rule of an instance's for indicators.
func iocRow(id, list, value, instance string, owners ...string) reconcile.Located {
	m := marker.IOC{StandardID: "indicator--" + owners[0], Owners: owners, Count: len(owners), Instance: instance}
	return reconcile.Located{Row: reconcile.Row{Kind: reconcile.IOC, ID: id, Type: "domain_name", Value: value, Comment: m.Comment(), Enabled: true}, List: list}
}

// iocRowOf is a rule of ours of some type.
func iocRowOf(typ, id, value string, owners ...string) reconcile.Located {
	r := iocRow(id, "ioc", value, "me", owners...)
	r.Type = typ
	return r
}

// Whom an alert's rule belongs to.
func TestWhoseRuleFired(t *testing.T) {
	mine := iocRow("r1", "ioc", "evil.example", "me", "a", "b")
	theirs := iocRow("r2", "ioc", "evil.example", "another", "a")
	elsewhere := iocRow("r3", "another-list", "evil.example", "me", "a")
	byHand := iocRow("r4", "ioc", "evil.example", "me", "a")
	byHand.Comment = "made in the console"
	old := byHand
	old.ID, old.Comment = "r5", `{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "indicator_score": 70, "indicator_platforms": null}`
	for _, tt := range []struct {
		name string
		rows []reconcile.Located
		turn func(a *alert.Alert)
		want string // indicators
	}{
		{"all owners of the row", []reconcile.Located{mine}, func(a *alert.Alert) { a.RuleID = "r1" }, "a b"},
		{"an id that is none leads on to the value", []reconcile.Located{mine}, func(a *alert.Alert) { a.RuleID, a.Message = "no rule", "domain_name=evil.example" }, "a b"},
		{"the row of another instance is not ours", []reconcile.Located{theirs}, func(a *alert.Alert) { a.RuleID = "r2" }, ""},
		{"and ends the search", []reconcile.Located{theirs, mine}, func(a *alert.Alert) { a.RuleID, a.Message = "r2", "domain_name=evil.example" }, ""},
		{"a row of another list ends it too", []reconcile.Located{elsewhere, mine}, func(a *alert.Alert) { a.RuleID, a.Message = "r3", "domain_name=evil.example" }, ""},
		{"a row made in the console has no owners", []reconcile.Located{byHand}, func(a *alert.Alert) { a.Message = "domain_name=evil.example" }, ""},
		{"every row that means what matched", []reconcile.Located{iocRowOf("domain_name", "r6", "evil.example", "a"), iocRowOf("url", "r7", "EVIL.example", "b")}, func(a *alert.Alert) { a.Message = "domain_name=Evil.Example" }, "a b"},
		{"of an address either way, those of one way too", []reconcile.Located{
			iocRowOf("ip_src", "r7", "198.51.100.7", "a"), iocRowOf("ip_dst", "r8", "198.51.100.7", "b"),
		}, func(a *alert.Alert) { a.Message = "ip_both=198.51.100.7" }, "a b"},
		{"an address of one way means either way, and not the other", []reconcile.Located{
			iocRowOf("ip_src", "r7", "198.51.100.7", "a"), iocRowOf("ip_both", "r8", "198.51.100.7", "b"),
		}, func(a *alert.Alert) { a.Message = "ip_dst=198.51.100.7" }, "b"},
		{"an address in a network of ours", []reconcile.Located{
			iocRowOf("ip_both", "r7", "198.51.100.0/24", "a"), iocRowOf("ip_src", "r8", "198.51.0.0/16", "b"), iocRowOf("ip_dst", "r9", "203.0.113.0/24", "b"),
		}, func(a *alert.Alert) { a.Message = "ip_dst=198.51.100.7" }, "a"},
		{"a value without a type", []reconcile.Located{iocRowOf("filename", "r7", "X y (1).exe", "a")}, func(a *alert.Alert) { a.Message = "=x y (1).exe" }, "a"},
		{"an old connector's row names its indicator", []reconcile.Located{old}, func(a *alert.Alert) { a.Message = "domain_name=evil.example" }, "old"},
		{"what matched in our list", []reconcile.Located{mine}, func(a *alert.Alert) {
			a.Matches = []alert.Match{{SourceID: "another-list", Type: "domain_name", Value: "evil.example"}, {SourceID: "ioc", Type: "domain_name", Value: "evil.example"}}
		}, "a b"},
		{"what matched in other lists alone is not ours", []reconcile.Located{mine}, func(a *alert.Alert) {
			a.Matches, a.Message = []alert.Match{{SourceID: "another-list", Type: "domain_name", Value: "evil.example"}}, "domain_name=evil.example"
		}, ""},
		{"the rule is gone, and its text came with the alert", nil, func(a *alert.Alert) { a.Message, a.RuleContent = "domain_name=evil.example", "b" }, "b"},
		{"namesakes prove nothing", []reconcile.Located{
			{Row: reconcile.Row{Kind: reconcile.Sigma, Name: "Twice", Content: "x"}, List: "sigma"}, {Row: reconcile.Row{Kind: reconcile.Sigma, Name: "Twice", Content: "y"}, List: "sigma"},
		}, func(a *alert.Alert) { a.RuleName = "sigma: Twice" }, ""},
		{"a YARA rule of another list", nil, func(a *alert.Alert) { a.YARA = []alert.YARAMatch{{Rule: "loader", Source: "theirs"}} }, ""},
		{"nothing said", []reconcile.Located{mine}, func(*alert.Alert) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newPlatforms()
			r.rows = tt.rows
			r.indicators["indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11"] = "indicator--old"
			tt.turn(r.saw(1, "h", ""))
			report := r.pull(t, &memStore{})
			if report.Count("alert", pull.Imported) != 1 {
				t.Fatalf("the alert is not imported: %+v", report.Items)
			}
			var got []string
			for _, s := range report.Items[0].Indicators {
				got = append(got, strings.TrimPrefix(s, "indicator--"))
			}
			slices.Sort(got)
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Errorf("indicators (-want +got):\n%s", d)
			}
		})
	}
}

// A rule is looked up once a pull, and rule ids that never lead anywhere are not asked for for ever.
func TestRulesAreLookedUpSparingly(t *testing.T) {
	r := newPlatforms()
	r.rows = []reconcile.Located{iocRow("r1", "ioc", "evil.example", "me", "a")}
	for i := range 100 {
		a := r.saw(i, "h", "")
		a.RuleID, a.Message = fmt.Sprintf("engine-%d", i), "domain_name=evil.example"
	}
	r.pull(t, &memStore{})
	ids, values := 0, 0
	for _, l := range r.looked {
		if strings.HasPrefix(l, "rule ") {
			ids++
		} else {
			values++
		}
	}
	if ids > 30 || values != 1 || r.sights[0].Count != 100 {
		t.Errorf("%d look-ups by id, %d by value, count %d", ids, values, r.sights[0].Count)
	}
}

// A look-up that only a whole read could answer leaves its alert without a sighting; a side that is down ends
// the pull before anything of the bundle is sent.
func TestALookUpThatFails(t *testing.T) {
	r := newPlatforms()
	r.saw(1, "h", "").Message = "domain_name=evil.example"
	r.failing["Lookup"] = &memFault{reconcile.Fault{FilterIgnored: true}, "a narrow look-up came back wide"}
	if report := r.pull(t, &memStore{}); report.Count("alert", pull.Imported) != 1 || len(r.sights) != 0 {
		t.Errorf("%+v", report.Items)
	}
	r = newPlatforms()
	r.saw(1, "h", "").Message = "domain_name=evil.example"
	r.failing["Lookup"] = errA
	store := &memStore{}
	if _, err := r.puller(t, store).Pull(t.Context()); err == nil || len(r.pushes) != 0 || !store.doc(t).Pull.Alerts.IsZero() {
		t.Errorf("%v, %d pushes, %s", err, len(r.pushes), store.text)
	}
}
