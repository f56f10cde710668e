package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// A threat whose bundle OpenCTI took and never imported is no success: the code says so, and its changes
// are read again however long the next import is away.
func TestAThreatThatOpenCTISwallowsIsPending(t *testing.T) {
	w := newPullReference(t).world(t)
	for range 2 {
		w.must(t, exit.OK, "pull")
	}
	document := func() state.Document {
		text, _ := w.octi.Connector(simConnectorID)
		doc, err := state.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	threat := w.hl.Threats()[1]
	if !w.hl.TriageThreat(fmt.Sprint(threat.ID), "closed", false) || !w.hl.WriteNote(fmt.Sprint(threat.ID), "Closed", "Nothing was found.") {
		t.Fatal("no such threat")
	}
	doc := document()
	doc.Pull.Changes = doc.Pull.Changes.Add(-time.Hour) // as if nothing had changed since
	w.octi.SetConnector(simConnectorID, doc.Text())
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.DropBundles = -1 })
	code, out, errs := w.command(t.Context(), "pull")
	if code != exit.Partly {
		t.Errorf("code %d, want 5\n%s%s", code, out, errs)
	}
	if now := document().Pull.Changes; !now.Equal(doc.Pull.Changes) {
		t.Errorf("changes are read from %s on, were from %s: what was swallowed is not read again", now, doc.Pull.Changes)
	}
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.DropBundles = 0 })
	for range 2 {
		code, out, errs = w.command(t.Context(), "pull")
	}
	noted := func(n octisim.Note) bool { return n.Abstract == "Closed" }
	if code != exit.OK || !slices.ContainsFunc(w.octi.Notes(), noted) {
		t.Errorf("afterwards: code %d, notes %v\n%s%s", code, w.octi.Notes(), out, errs)
	}
}

// A sighting that was counted twice, and whose correction never reached OpenCTI, is corrected by the
// next import.
func TestACorrectionThatIsInDoubtIsMadeLater(t *testing.T) {
	ref := newPullReference(t)
	w := ref.world(t)
	exact := w.exact()
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.ImportTwice = 2 })
	fails(t, w.octi.HTTP, simhttp.Fault{Body: "mutation Push", Skip: 2, Times: 3, Do: simhttp.Reset})
	w.must(t, exit.Partly, "pull")
	var v verdict
	ref.converge(t, w, exact, &v)
	for _, why := range v.bad() {
		t.Error(why)
	}
}
