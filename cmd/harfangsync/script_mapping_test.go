package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// cmdMapped: mapped KIND FILE writes what of the rules a mapping can ask for; mapped KIND KEY FIELD=VALUE... edits a
// rule as a person in the console does.
func cmdMapped(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) > 2 {
		if !w.hl.Edit(args[0], w.rule(ts, args[0], args[1]).ID, func(r *hlsim.Rule) {
			for _, a := range args[2:] {
				k, v, _ := strings.Cut(a, "=")
				switch k {
				case "level":
					r.RuleLevelOverride = v
				case "confidence":
					r.RuleConfidenceOverride = v
				case "state":
					r.GlobalState = v
				default:
					ts.Fatalf("mapped: a rule has no %q here", k)
				}
			}
		}) {
			ts.Fatalf("mapped %s: not done", args[1])
		}
		return
	}
	var b strings.Builder
	for _, r := range w.hl.Rules(args[0]) {
		fmt.Fprintf(&b, "%s: %s level=%s confidence=%s status=%s\n", r.Value+r.Name, r.GlobalState, r.RuleLevelOverride, r.RuleConfidenceOverride, r.HLStatus)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
}
