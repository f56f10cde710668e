package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// cmdSaw: saw [N] key=value... lets an agent see something; N is how many alerts must come of it, 1
// when it is not given. at=-90s is that long ago.
func cmdSaw(ts *testscript.TestScript, _ bool, args []string) {
	want := 1
	if n, err := strconv.Atoi(args[0]); err == nil {
		want, args = n, args[1:]
	}
	var s hlsim.Sighting
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "type":
			s.Type = v
		case "value":
			s.Value = v
		case "rule":
			s.Rule = v
		case "host":
			s.Host = v
		case "user":
			s.User = v
		case "process":
			s.Process = v
		case "written":
			s.Written = v == "true"
		case "noprocess":
			s.NoProcess = v == "true"
		case "at":
			d, err := time.ParseDuration(v)
			ts.Check(err)
			s.At = time.Now().Add(d)
		default:
			ts.Fatalf("saw: %q", a)
		}
	}
	ids, err := of(ts).hl.Saw(s)
	ts.Check(err)
	if len(ids) != want {
		ts.Fatalf("%d alerts came of it, want %d", len(ids), want)
	}
	if len(ids) > 0 {
		ts.Setenv("ALERT", ids[0])
	}
}

// cmdAlerts: alerts load FILE; alerts triage ID STATUS; alerts make JSON (a hlsim.Spec); alerts note
// THREAT-NUMBER TITLE TEXT; alerts close THREAT-NUMBER.
func cmdAlerts(ts *testscript.TestScript, _ bool, args []string) {
	hl := of(ts).hl
	threat := func(n string) string {
		i, err := strconv.Atoi(n)
		ts.Check(err)
		return fmt.Sprint(hl.Threats()[i].ID)
	}
	switch args[0] {
	case "load":
		f, err := os.Open(ts.MkAbs(args[1]))
		ts.Check(err)
		defer f.Close()
		_, err = hl.LoadAlertsJSONL(f)
		ts.Check(err)
	case "triage":
		if !hl.Triage(args[1], args[2]) {
			ts.Fatalf("no alert %s", args[1])
		}
	case "make":
		var spec hlsim.Spec
		ts.Check(strictJSON(args[1], &spec))
		_, err := hl.Generate(spec)
		ts.Check(err)
	case "note":
		if !hl.WriteNote(threat(args[1]), args[2], args[3]) {
			ts.Fatalf("no threat %s", args[1])
		}
	case "close":
		if !hl.TriageThreat(threat(args[1]), "closed", false) {
			ts.Fatalf("no threat %s", args[1])
		}
	default:
		ts.Fatalf("alerts %s: unknown", args[0])
	}
}

// cmdGraph: graph FILE writes what OpenCTI has imported, in an order of its own, one object a line.
func cmdGraph(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(graphOf(of(ts).octi), "\n")+"\n"), 0o600))
}
