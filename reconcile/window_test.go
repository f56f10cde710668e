package reconcile_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// A window stays small however many runs there were, and forgets what is older than it.
func TestAWindowStaysSmall(t *testing.T) {
	const day = 24 * time.Hour
	all := reconcile.Tally{"additions_values": 1000}
	base := map[reconcile.Kind]int{}
	for _, k := range reconcile.Kinds {
		base[k] = 1_000_000
		for _, c := range reconcile.Classes {
			all[fmt.Sprintf("removals_%s_%s", k, c)] = 10_000
		}
		all["additions_"+k.String()], all["changes_"+k.String()] = 10_000, 10_000
	}
	var w reconcile.Window
	now := noon
	for range 3 * 24 * 60 {
		now = now.Add(time.Minute)
		w = w.With(now, day, base, all)
	}
	b, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 12_000 {
		t.Errorf("%d bytes, want at most 12,000", len(b))
	}
	got := w.Counted(now, day)["additions_ioc"]
	if least, most := 24*60*10_000, 26*60*10_000; got < least || got > most {
		t.Errorf("%d are counted of a day, want %d to %d", got, least, most)
	}
	if n := len(w.Counted(now.Add(day), day)); n != 0 {
		t.Errorf("%d sorts are counted a day later", n)
	}
}

// A clock that was ahead does not make a window last: what it noted counts as if it were now.
func TestAWindowFromTheFutureEnds(t *testing.T) {
	w := reconcile.Window{}.With(noon.AddDate(4, 0, 0), time.Hour, nil, reconcile.Tally{"changes_ioc": 3})
	w = w.With(noon, time.Hour, nil, reconcile.Tally{"changes_ioc": 1})
	if n := w.Counted(noon, time.Hour)["changes_ioc"]; n != 4 {
		t.Errorf("%d are counted, want 4", n)
	}
	if n := w.Counted(noon.Add(2*time.Hour), time.Hour)["changes_ioc"]; n != 0 {
		t.Errorf("%d are counted two hours later", n)
	}
}

// A run that works on one kind says nothing of how many rules of the others there are.
func TestAWindowKnowsTheRulesOfEachKindApart(t *testing.T) {
	var before []reconcile.Indicator
	for i := range 30 {
		before = append(before, ind(fmt.Sprintf("i%02d", i), fmt.Sprintf("domain_name h%02d.example", i)))
	}
	p := policy()
	rows := applied(t, p, before...)
	plan := decide(t, p, rows, append(before, ind("new", "domain_name new.example"))...)
	w := reconcile.Window{}.With(noon, time.Hour, map[reconcile.Kind]int{reconcile.YARA: 3}, reconcile.Tally{"changes_yara": 1})
	lim := limits(20)
	lim.Additions = 1
	plan.Judge(reconcile.Gate{OK: true}, reconcile.Gate{OK: true}, reconcile.Memory{Now: noon, Window: w, LastGood: reconcile.LastGood{At: noon}}, "", p, lim, reconcile.Overrides{})
	for _, g := range plan.Gates {
		if g.Name == "additions_ioc" && (g.Base != 30 || g.Limit != 6) {
			t.Errorf("%+v, want a limit of a fifth of 30", g)
		}
	}
}
