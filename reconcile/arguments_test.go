package reconcile

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// twoSides wants three rules, one with owners that tie, and holds one of each kind besides.
func twoSides(t *testing.T) (*Wanted, *Rows) {
	w, rows := NewWanted(), NewRows(Identity{Instance: "us"}, func(_, v string) string { return v })
	for n := range 20 { // of so many, ids and their digests do not sort alike
		i := Indicator{ID: fmt.Sprint(n), PatternType: "stix", CreatedAt: time.Unix(1, 0)}
		w.Add(&i, Given{Values: []Value{{Type: "domain_name", Value: "tied.example"}}})
	}
	w.Add(&Indicator{ID: "s", Name: "s", PatternType: "sigma", Pattern: "title: t\nid: 0e95725d-7320-415d-80f7-004da920fc11\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: a}\n"}, Given{})
	w.Add(&Indicator{ID: "y", Name: "y", PatternType: "yara", Pattern: "rule y { condition: true }"}, Given{})
	for _, r := range []Row{
		{Kind: IOC, ID: "1", Type: "domain_name", Value: "tied.example"},
		{Kind: IOC, ID: "2", Type: "domain_name", Value: "other.example", Comment: `{"managed_by":"harfangsync","instance":"us","indicators":["gone"]}`, Enabled: true},
		{Kind: Sigma, ID: "3", Name: "s", RuleID: "0e95725d-7320-415d-80f7-004da920fc11"},
		{Kind: YARA, ID: "4", Name: "y", Content: "rule y { condition: true }"},
	} {
		rows.Add(&r)
	}
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := rows.Seal(w); err != nil {
		t.Fatal(err)
	}
	return w, rows
}

func TestComputeLeavesItsArgumentsAsTheyWere(t *testing.T) {
	w, rows := twoSides(t)
	wants, entries, digest := slices.Clone(w.wants), slices.Clone(rows.entries), w.digest
	if _, err := Compute(rows, w, Policy{Unmanaged: AdoptUnmanaged}, Memory{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(wants, w.wants) || digest != w.digest {
		t.Error("the wanted set is another one now")
	}
	if !slices.Equal(entries, rows.entries) {
		t.Error("the rows are others now")
	}
}

// A text that cannot be read back is never planned with.
func TestAFailureOfTheSpoolIsAnErrorOfThePlan(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*Wanted, *Rows) error
	}{
		{"of the wanted set", func(w *Wanted, _ *Rows) error { return w.Close() }},
		{"of the rows", func(_ *Wanted, r *Rows) error { return r.Close() }},
	} {
		w, rows := twoSides(t)
		if err := tt.end(w, rows); err != nil {
			t.Fatal(err)
		}
		if plan, err := Compute(rows, w, Policy{Unmanaged: RemoveUnmanaged}, Memory{}); err == nil {
			t.Errorf("%s: a plan of %d changes", tt.name, plan.Changes.Len())
		}
		if rows.Seal(w) == nil {
			t.Errorf("%s: sealed", tt.name)
		}
	}
	_, rows := twoSides(t)
	rows.Close()
	if plan, err := Restore(rows, nil, Policy{}, true); err == nil {
		t.Errorf("restore: a plan of %d changes", plan.Changes.Len())
	}
}

// TestAWildCountIsNoPanic: a platform may count what it likes.
func TestAWildCountIsNoPanic(t *testing.T) {
	for _, n := range []int{-1, 0, 1, math.MaxInt} {
		w, rows := NewWanted(), NewRows(Identity{}, func(_, v string) string { return v })
		for range 2 {
			w.Expect(n)
			rows.Expect(n)
			w.Pass(&Indicator{ID: "a"}, OutOfFilter, "")
			rows.Add(&Row{Kind: IOC})
		}
		if w.Read() != 2 || rows.Len() != 2 {
			t.Errorf("expecting %d: %d indicators and %d rows, want 2 and 2", n, w.Read(), rows.Len())
		}
	}
}
