package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
)

// TestUnasked holds that what nobody was asked about counts as absence, whatever its reason says.
func TestUnasked(t *testing.T) {
	var before []reconcile.Indicator
	for i := range 200 {
		before = append(before, ind(fmt.Sprintf("i%03d", i), fmt.Sprintf("domain_name h%03d.example", i)))
	}
	p := policy()
	rows := applied(t, p, before...)
	for _, tt := range []struct {
		name    string
		why     string // "" when OpenCTI was asked
		reason  reconcile.Reason
		gone    int
		refused string
	}{
		{"evidence has the greater limit", "", reconcile.Revoked, 60, ""},
		{"and that limit", "", reconcile.Revoked, 61, "removals_ioc_evidence"},
		{"without asking absence has the lesser", "no route", reconcile.Revoked, 30, ""},
		{"and that limit as well", "no route", reconcile.Revoked, 31, "removals_ioc_absence"},
		{"what the read itself says of an owner is no evidence either", "no route", reconcile.Expired, 31, "removals_ioc_absence"},
	} {
		plan := decide(t, p, rows, before[tt.gone:]...)
		e := reconcile.Evidence{Started: noon, Unasked: tt.why, Found: map[string]reconcile.Finding{}}
		for i := range tt.gone {
			f := found(before[i], nil)
			f.Judged = tt.reason
			e.Found[before[i].ID] = f
		}
		g3 := plan.Explain(e, p)
		last := reconcile.LastGood{At: noon, Filter: "f", Sources: map[reconcile.Kind]int{reconcile.IOC: 200}}
		plan.Judge(reconcile.Gate{ID: "G1", OK: true}, g3, reconcile.Memory{LastGood: last}, "f", p, limits(50), reconcile.Overrides{})
		var refused []string
		for _, g := range plan.Gates {
			if !g.OK {
				refused = append(refused, g.Name)
			}
		}
		if got := strings.Join(refused, " "); got != tt.refused {
			t.Errorf("%s: refused by %q, want %q", tt.name, got, tt.refused)
		}
		if !g3.OK || strings.Contains(g3.Message, "counts as absence: "+tt.why) != (tt.why != "") {
			t.Errorf("%s: the gate says %q", tt.name, g3.Message)
		}
		if plan.Changes.At(0).Reason != tt.reason {
			t.Errorf("%s: the reason is %s", tt.name, plan.Changes.At(0).Reason)
		}
	}
}

// Of a shrunken source nothing is explained either, and a duplicate goes all the same.
func TestUnaskedExplainsNoLossAndKeepsNoDuplicate(t *testing.T) {
	p := policy()
	var before []reconcile.Indicator
	for i := range 60 {
		before = append(before, ind(fmt.Sprintf("i%02d", i), fmt.Sprintf("domain_name h%02d.example", i)))
	}
	rows := applied(t, p, before...)
	for i := range 6 { // more duplicates than absence has room for
		duplicate := rows[20+i]
		duplicate.ID, duplicate.Created = "duplicate-"+duplicate.ID, "2026-02-01T00:00:00Z"
		rows = append(rows, duplicate)
	}
	plan := decide(t, p, rows, before[15:]...)
	e := reconcile.Evidence{Started: noon, Unasked: "no route", Found: map[string]reconcile.Finding{}}
	for i := range 15 {
		f := found(before[i], nil)
		f.Judged = reconcile.Revoked
		e.Found[before[i].ID] = f
	}
	g3 := plan.Explain(e, p)
	last := reconcile.LastGood{At: noon, Filter: "f", Sources: map[reconcile.Kind]int{reconcile.IOC: 60}}
	plan.Judge(reconcile.Gate{ID: "G1", OK: true}, g3, reconcile.Memory{LastGood: last}, "f", p, limits(20), reconcile.Overrides{})
	values := map[string]int{}
	for _, g := range plan.Gates {
		values[g.Name] = g.Value
	}
	if values["source_shrink"] != 15 || values["removals_ioc_absence"] != 15 || values["removals_ioc_evidence"] != 6 {
		t.Errorf("gates %v, want 15 lost, 15 of absence, 6 duplicates", values)
	}
}
