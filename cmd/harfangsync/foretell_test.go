package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// TestExplainForetellsTheRun: what explain says of the next run, of every rule that an indicator gives, comes true.
func TestExplainForetellsTheRun(t *testing.T) {
	t.Parallel()
	tpl := newTemplate(t)
	for name, flags := range map[string][]string{
		"as it is": nil, "creates alone": {"--policy", "create-only"}, "no removals": {"--policy", "upsert-only"},
		"a revert": {"--analyst-disable", "revert"}, "few additions": {"--limits-additions", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tpl.copyOf(t)
			for _, value := range []string{"new-0.example", "edited.example", chaosID(141), chaosID(900), "198.51.100.9"} {
				w.must(t, exit.OK, "unblock", value, "--reason", "x", "--auto-approve")
			}
			w.stix(300, "[ipv4-addr:value ISSUBSET '198.51.100.0/24']")
			for _, r := range w.hl.Rules("yara") {
				w.hl.Edit("yara", r.ID, func(r *hlsim.Rule) { r.Enabled = true })
			}
			said := map[string]string{} // verdicts, by rule
			for _, ind := range w.octi.Indicators() {
				if n := strings.TrimPrefix(ind.Name, "steady "); n == ind.Name || n < "3" && len(n) == 1 {
					w.verdicts(t, ind, said, flags)
				}
			}
			w.command(t.Context(), append([]string{"run"}, flags...)...)
			enabled := map[string]bool{}
			for _, k := range chaosKinds {
				for _, r := range w.hl.Rules(k) {
					enabled[ruleKey(k, r)] = enabled[ruleKey(k, r)] || r.Enabled
				}
			}
			comes := 0
			for rule, verdict := range said {
				want, known := foretold(verdict)
				if known && enabled[rule] != want {
					t.Errorf("%s: %q, and after the run it is in force: %t", rule, verdict, enabled[rule])
				}
				if known && want {
					comes++
				}
			}
			if comes < 10 {
				t.Errorf("%d of %d rules are said to be in force, or to come: %q", comes, len(said), said)
			}
		})
	}
}

// verdicts asks explain for those on all rules of an indicator.
func (w *chaosWorld) verdicts(t *testing.T, ind octisim.Indicator, said map[string]string, flags []string) {
	code, out, errs := w.command(t.Context(), append([]string{"explain", "--json", "--indicator", ind.ID}, flags...)...)
	var s struct {
		Indicators []struct {
			Wanted bool
			Rules  []struct{ Kind, Type, Value, Name, ID, Verdict string }
		}
	}
	if err := json.Unmarshal([]byte(out), &s); code != exit.OK || err != nil || len(s.Indicators) != 1 {
		t.Fatalf("%s: code %d, %v\n%s%s", ind.Name, code, err, out, errs)
	}
	for _, r := range s.Indicators[0].Rules {
		row := hlsim.Rule{Type: r.Type, Value: r.Value, RuleID: r.ID, Name: r.Name}
		if r.Verdict == "" {
			t.Fatalf("%s: no verdict on %s %s", ind.Name, r.Kind, r.Name)
		}
		if s.Indicators[0].Wanted {
			said[ruleKey(r.Kind, row)] = r.Verdict
		}
	}
}

// foretold is what a verdict on a wanted rule says of it after the next run, if it says so.
func foretold(verdict string) (inForce, known bool) {
	for words, after := range map[string]bool{
		"the next run makes that so": true, "the next run brings it back": true,
		"the next run takes": false, "leaves it so": false, ": unblocked": false, ": pinned": false, ": refused": false,
	} {
		if strings.Contains(verdict, words) {
			return after, true
		}
	}
	return true, strings.HasPrefix(verdict, "BLOCKED since") || strings.HasPrefix(verdict, "IN FORCE")
}
