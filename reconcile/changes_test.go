package reconcile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/spool/spooltest"
)

// genChange draws a change with anything in every member.
func genChange() *rapid.Generator[reconcile.Change] {
	return rapid.Custom(func(t *rapid.T) reconcile.Change {
		ch := rapid.Make[reconcile.Change]().Draw(t, "change")
		if ch.Impact != nil && ch.Impact.LastSeen != nil {
			at := time.Unix(rapid.Int64Range(0, 1<<34).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
			ch.Impact.LastSeen = &at
		}
		return ch
	})
}

func TestAChangeComesBackAsItWentIn(t *testing.T) {
	same := func(t *rapid.T, want, got *reconcile.Change) {
		t.Helper()
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("(-in +out):\n%s", d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(genChange(), 1, 4).Draw(t, "in")
		changes := plantest.Changes(in...)
		for i, out := range changes.All() {
			same(t, &in[i], out)
			if changes.Action(i) != in[i].Action || changes.Kind(i) != in[i].Kind || changes.Type(i) != in[i].Type || changes.Reason(i) != in[i].Reason {
				t.Errorf("%d: %s %s %s %s", i, changes.Action(i), changes.Kind(i), changes.Type(i), changes.Reason(i))
			}
		}
		other := genChange().Draw(t, "another")
		changes.Set(0, &other)
		same(t, &other, changes.At(0))
		last := in[len(in)-1]
		if changes.Drop(func(i int) bool { return i < len(in)-1 }); changes.Len() != 1 {
			t.Fatalf("%d are left, want the last", changes.Len())
		}
		if len(in) > 1 {
			same(t, &last, changes.At(0))
		}
		if err := changes.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsHeldComesBackAsItWentIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.Custom(func(t *rapid.T) reconcile.Held {
			h := rapid.Make[reconcile.Held]().Draw(t, "held")
			if h.Change = nil; rapid.Bool().Draw(t, "waits") {
				ch := genChange().Draw(t, "what waits")
				h.Change = &ch
			}
			return h
		}).Draw(t, "in")
		held := plantest.Held(in)
		if d := cmp.Diff(&in, held.At(0), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("(-in +out):\n%s", d)
		}
		waits := reconcile.Change{}
		if in.Change != nil {
			waits = *in.Change
		}
		if a, k := held.Waits(0); held.Reason(0) != in.Reason || held.Gate(0) != in.Gate || a != waits.Action || k != waits.Kind {
			t.Errorf("%s %s %s %s", held.Reason(0), held.Gate(0), a, k)
		}
	})
}

// TestChangesAreTheJSONOfASlice holds what plans look like for those who read them with other tools.
func TestChangesAreTheJSONOfASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(genChange(), 0, 3).Draw(t, "in")
		for i := range in { // what a change without any says
			in[i].Fields, in[i].Owners = append([]string{}, in[i].Fields...), append([]reconcile.Owner{}, in[i].Owners...)
			in[i].Kind = reconcile.IOC
		}
		got, err := json.Marshal(plantest.Changes(in...))
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s, want %s", got, want)
		}
		var back reconcile.Changes
		if err := json.Unmarshal(got, &back); err != nil || back.Len() != len(in) {
			t.Fatalf("%d came back of %d: %v", back.Len(), len(in), err)
		}
	})
}

func TestWhatIsNoArrayIsNoListOfChanges(t *testing.T) {
	for _, text := range []string{`{}`, `5`, `"x"`, `[5]`, `[{}`, `true`} {
		var c reconcile.Changes
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s is taken for %d changes", text, c.Len())
		}
		if err := jsonv2.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s in a plan is taken for %d changes", text, c.Len())
		}
	}
	c := plantest.Changes(reconcile.Change{})
	if err := json.Unmarshal([]byte(`null`), &c); err != nil || c.Len() != 0 {
		t.Errorf("null: %d changes, %v", c.Len(), err)
	}
}

// A plan whose changes cannot be read any more is an error, and no other plan.
func TestChangesThatCannotBeReadAreAnError(t *testing.T) {
	var changes reconcile.Changes
	long := strings.Repeat("x", 100_000)
	for i := range 100 {
		changes.Add(&reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: fmt.Sprint(i), Action: reconcile.Create, After: &reconcile.Body{Enabled: true, Description: &long}})
	}
	if changes.At(0).Value != "0" || changes.Err() != nil {
		t.Fatal(changes.Err())
	}
	spooltest.Spoil(t)
	if ch := changes.At(0); ch.Action != "" || ch.After != nil || changes.Err() == nil {
		t.Errorf("%+v, %v", ch, changes.Err())
	}
	if _, err := json.Marshal(changes); err == nil {
		t.Error("it is written as if it were whole")
	}
}

// What is held and cannot be read any more may be hidden, and is not put back as nothing.
func TestWhatIsHeldAndCannotBeReadIsNotForgotten(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	var plan reconcile.Plan
	for i := range 100 {
		plan.Held.Add(&reconcile.Held{Kind: reconcile.IOC, Value: fmt.Sprint(i), Action: reconcile.Create, Reason: reconcile.GateHeld, Gate: "impact",
			Change: &reconcile.Change{Kind: reconcile.IOC, Action: reconcile.Create, After: &reconcile.Body{Description: &long}}})
	}
	if plan.Hidden() {
		t.Fatal("what a gate holds is not hidden")
	}
	spooltest.Spoil(t)
	if err := plan.Release(); err == nil || plan.Changes.Len() == 100 {
		t.Errorf("%d changes are put back: %v", plan.Changes.Len(), err)
	}
	if !plan.Hidden() {
		t.Error("nothing that is held could be read, and nothing of it is hidden")
	}
}

// Many changes are sorted with the names of few in memory.
func TestManyChangesAreSortedInParts(t *testing.T) {
	const many, long = 100_000, 400
	name := strings.Repeat("x", long)
	var plan reconcile.Plan
	for i := range many {
		plan.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: fmt.Sprintf("%06d%s", i*7919%many, name), Action: reconcile.Create})
	}
	if n := spooltest.Live(func() { _ = plan.Release() }); n > many*long*3/4 { // which sorts
		t.Errorf("%d KiB more are in use, and all names are %d KiB", n>>10, many*long>>10)
	}
	for i, ch := range plan.Changes.All() {
		if want := fmt.Sprintf("%06d", i); !strings.HasPrefix(ch.Value, want) {
			t.Fatalf("%.6s stands at %s", ch.Value, want)
		}
	}
}
