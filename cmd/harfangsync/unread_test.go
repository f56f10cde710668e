package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// TestEveryCommandGoesOnWithoutWhatCannotBeRead: one indicator that OpenCTI cannot give keeps its rule, is named with a way out
// wherever it is met, and leaves the run a good one with nothing to do after it.
func TestEveryCommandGoesOnWithoutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	for i := range 30 {
		w.put(i, fmt.Sprintf("steady %d", i), "stix", domainPattern(fmt.Sprintf("steady-%d.example", i)), "steady")
	}
	command := func(want int, parts string, args ...string) {
		t.Helper()
		code, out, errs := w.command(t.Context(), args...)
		if code != want {
			t.Errorf("%v ended with %d, want %d\n%s%s", args, code, want, out, errs)
		}
		for part := range strings.Lines(parts) {
			if part = strings.TrimSpace(part); !strings.Contains(out+errs, part) {
				t.Errorf("%v does not say %q:\n%s%s", args, part, out, errs)
			}
		}
	}
	command(exit.OK, "30 added", "run")
	id := chaosID(7)
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.Unresolvable = []string{id} })
	w.edit(7, func(i *octisim.Indicator) { i.Description = "changed" })
	w.edit(8, func(i *octisim.Indicator) { i.Description = "changed" })
	w.octi.Delete(chaosID(9))
	left := "unreadable: " + id + ": OpenCTI has it and cannot give it: open it there, or look for its id in the platform's log; its rules stay as they are"
	held := "ambiguous: domain_name steady-7.example: an indicator that owns it, or may own it, cannot be read: " + id
	command(exit.Changes, left+"\n"+held+"\n0 to add, 1 to change, 0 to enable, 0 to disable, 1 to delete", "plan", "--detailed-exitcode", "--full")
	file := filepath.Join(t.TempDir(), "s.gz")
	command(exit.OK, "Wrote a snapshot of 29 indicators", "snapshot", "--out", file)
	command(exit.Changes, left+"\n"+held+"\n0 to add, 1 to change, 0 to enable, 0 to disable, 1 to delete", "plan", "--detailed-exitcode", "--full", "--from", file)
	command(exit.OK, "not wanted (unreadable: OpenCTI has it\nINTERNAL_SERVER_ERROR: Cannot return null for non-nullable field Indicator.name.\nheld: ioc domain_name steady-7.example, enabled\nthe next plan would leave it alone (ambiguous:",
		"explain", "--indicator", id)
	command(exit.OK, "BLOCKED since\nnot wanted (unreadable: OpenCTI has it\nIts indicator cannot be read, and its rule stays", "explain", "--value", "steady-7.example")
	command(exit.OK, "NOT BLOCKED\n1 indicator in OpenCTI cannot be read, and may give it: "+id, "explain", "--value", "other.example")
	command(exit.OK, "stix: 28 of 28 indicators deployed\nOpenCTI cannot give some indicators, which are counted nowhere\nindicators=1", "explain", "--coverage")
	command(exit.OK, held+"\n0 added, 1 changed, 0 enabled, 0 disabled, 1 deleted\nOpenCTI cannot give an indicator: it gives no rule, and the rules that it owns stay\nindicator="+id, "run")
	command(exit.OK, "No changes.", "run")
	command(exit.OK, "domain_name steady-7.example\nOpenCTI cannot give the indicator: a rule that does not name it stays in force until its value is unblocked\nindicator="+id, "unblock", id, "--reason", "it breaks", "--auto-approve")
	command(exit.OK, id, "block", id, "--auto-approve")
	command(exit.OK, "No changes.", "plan", "--detailed-exitcode")
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.Unresolvable = nil })
	command(exit.OK, "0 added, 0 changed, 1 enabled", "run")
	for i := range 30 {
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.Unresolvable = append(k.Unresolvable, chaosID(i)) })
	}
	command(exit.Side, "not one indicator can be read: OpenCTI: Find: INTERNAL_SERVER_ERROR", "run")
	if n := len(w.hl.Rules("ioc")); n != 29 {
		t.Errorf("%d rules, want 29", n)
	}
}

// TestAnAlertOfWhatCannotBeReadIsImported: the sighting of an owner that OpenCTI cannot give is made too. Such an alert was
// given up after five runs, and with it the sightings of all other owners; where the read met that owner first or last, so
// was every alert of every rule.
func TestAnAlertOfWhatCannotBeReadIsImported(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	for i, host := range []string{"first.example", "shared.example", "SHARED.example", "last.example"} {
		w.stix(i+1, domainPattern(host))
	}
	w.pulls(t)
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.Unresolvable = []string{chaosID(1), chaosID(2)} })
	w.sees(t, hlsim.Sighting{Value: "shared.example"})
	w.sees(t, hlsim.Sighting{Value: "last.example"})
	w.must(t, 0, "run")
	for n := 2; n <= 4; n++ {
		w.wantGraph(t, fmt.Sprintf("sighting indicator indicator %d on system WKS-001: 1, positive", n))
	}
}
