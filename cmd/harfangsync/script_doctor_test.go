package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harfangsync/harfangsync/sources/octisim"
)

// cmdAccount: account TOKEN [CAPABILITY...] makes an account in OpenCTI that may see every marking and has
// no maximum confidence level.
func cmdAccount(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).octi.PutUser(octisim.User{Name: "Scripted", Token: args[0], Capabilities: args[1:]})
}

// cmdStopStream: stopstream ID FILTERS-FILE puts a stream that is stopped.
func cmdStopStream(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).octi.PutStream(octisim.Stream{ID: args[0], Name: "scripted", Filters: text(ts.ReadFile(args[1]))})
}

// cmdSwitchOff: switchoff KIND disables the list of a kind, which is made when missing.
func cmdSwitchOff(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	id, err := w.hl.AddSource(args[0], "from_OpenCTI")
	ts.Check(err)
	if !w.hl.DisableSource(args[0], id) {
		ts.Fatalf("switchoff %s: not done", args[0])
	}
}
