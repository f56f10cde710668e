package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harfangsync/harfangsync/sources/octisim"
)

// cmdPlatform changes OpenCTI as its administrators and time do: knobs JSON; reset (of our connector's
// state); upgrade VERSION; works FILE (writes them, one a line); deleteworks; account TOKEN MARKING... (an account with the Connector role that
// sees these markings alone).
func cmdPlatform(ts *testscript.TestScript, _ bool, args []string) {
	octi := of(ts).octi
	switch args[0] {
	case "knobs":
		octi.SetKnobs(func(k *octisim.Knobs) { ts.Check(strictJSON(args[1], k)) })
	case "reset":
		if !octi.ResetConnector(simConnectorID) {
			ts.Fatalf("no connector was registered")
		}
	case "upgrade":
		octi.SetVersion(args[1])
	case "works":
		var b strings.Builder
		for _, w := range octi.Works() {
			fmt.Fprintf(&b, "%s, complete %t, %d errors: %s\n", w.Name, w.Complete, len(w.Errors), strings.Join(w.Messages, " / "))
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
	case "deleteworks":
		for _, w := range octi.Works() {
			octi.DeleteWork(w.ID)
		}
	case "account":
		most := 100
		octi.PutUser(octisim.User{Name: "Scripted", Token: args[1], Capabilities: octisim.ConnectorRole(), Markings: args[2:], MaxConfidence: &most})
	default:
		ts.Fatalf("platform %s: unknown", args[0])
	}
}

// cmdJSONLines: jsonlines FILE finds nothing in a file (or stdout) but JSON objects that have a type, one
// a line, and at least one.
func cmdJSONLines(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var o struct{ Type string }
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Type == "" {
			ts.Fatalf("%s: %q is no event: %v", args[0], strings.TrimSpace(line), err)
		}
		n++
	}
	if n == 0 {
		ts.Fatalf("%s holds nothing", args[0])
	}
}

// cmdCount: count N WHAT requires that OpenCTI holds so many incidents, cases, notes, sightings or works.
func cmdCount(ts *testscript.TestScript, _ bool, args []string) {
	held := of(ts).octi.Held()
	n := map[string]int{"incidents": held.Incidents, "cases": held.Cases, "notes": held.Notes, "sightings": held.Sightings, "works": held.Works}[args[1]]
	if fmt.Sprint(n) != args[0] {
		ts.Fatalf("OpenCTI holds %d %s, want %s", n, args[1], args[0])
	}
}
