package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// checks sets how many draws a property gets: few, or with -chaos many.
func checks(t *testing.T, few, many int) {
	t.Helper()
	n := few
	if *chaos {
		n = many
	}
	old := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", old) })
}

// anyFault draws a fault of a kind of request, and arms it.
func anyFault(rt *rapid.T, w *chaosWorld, from []ask) {
	a := rapid.SampledFrom(from).Draw(rt, "request")
	fitting := slices.DeleteFunc(slices.Clone(troubles), func(tr trouble) bool { return tr.side != "" && tr.side != a.side || tr.name == slowAnswer })
	c := chaosCell{ask: a, trouble: rapid.SampledFrom(fitting).Draw(rt, "fault")}
	f := simhttp.Fault{Method: a.method, Path: a.path, Body: a.body,
		Skip: rapid.IntRange(0, 6).Draw(rt, "skip"), Times: rapid.IntRange(1, 6).Draw(rt, "times")}
	if err := c.handler(w).Fail(c.trouble.do(f)); err != nil {
		rt.Fatal(err)
	}
}

// Whatever goes wrong, on whichever requests of both sides at once, and however often a bundle is
// delivered: imports without faults end with the graph of one undisturbed import.
func TestAnyFaultsImportOnce(t *testing.T) {
	checks(t, 5, 120)
	ref := newPullReference(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := ref.world(t)
		defer w.close()
		exact := w.exact()
		twice := rapid.IntRange(0, 3).Draw(rt, "bundles delivered twice")
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.ImportTwice = twice })
		for range rapid.IntRange(1, 4).Draw(rt, "faults") {
			anyFault(rt, w, pullAsks)
		}
		for range rapid.IntRange(1, 3).Draw(rt, "imports") {
			code, out, errs := w.command(t.Context(), "pull")
			if code != exit.OK && code != exit.Partly && code != exit.Side {
				rt.Errorf("an import ended with %d: %s", code, lastLine(out+errs))
			}
			// 0 is said of the whole import only, with the counts that were corrected.
			if code == exit.OK && !slices.Equal(graphOf(w.octi), ref.graph) {
				rt.Errorf("code 0, and the graph is another: %v", differing(ref.graph, graphOf(w.octi)))
			}
		}
		var v verdict
		ref.converge(t, w, exact, &v)
		for _, why := range v.bad() {
			rt.Error(why)
		}
	})
}

// walk makes one change of the moving indicators.
type walk struct {
	w    *tailWorld
	next int // number of the next new indicator
}

// removals is how many rules may go in one draw, so that no gate refuses what is asked for.
const removals = 8

func (k *walk) step(rt *rapid.T, gone *int) {
	moving := func() int { return rapid.IntRange(100, 111).Draw(rt, "which") }
	do := rapid.SampledFrom([]string{"create", "update", "pattern", "revoke", "back", "delete", "merge", "attach", "detach"}).Draw(rt, "change")
	if slices.Contains([]string{"pattern", "revoke", "delete", "merge", "detach"}, do) {
		if *gone++; *gone > removals {
			return
		}
	}
	n := moving()
	switch do {
	case "create":
		k.w.put(k.next, fmt.Sprintf("new %d", k.next), "stix", domainPattern(fmt.Sprintf("new-%d.example", k.next)), "new")
		k.next++
	case "update":
		text := rapid.SampledFrom([]string{"one", "two", "three"}).Draw(rt, "description")
		k.w.octi.Edit(chaosID(n), func(i *octisim.Indicator) { i.Description = text })
	case "pattern":
		k.next++
		k.w.octi.Edit(chaosID(n), func(i *octisim.Indicator) { i.Pattern = domainPattern(fmt.Sprintf("moved-%d.example", k.next)) })
	case "revoke":
		k.w.octi.Edit(chaosID(n), func(i *octisim.Indicator) { i.Revoked = true })
	case "back":
		k.w.octi.Edit(chaosID(n), func(i *octisim.Indicator) { i.Revoked = false })
	case "delete":
		k.w.octi.Delete(chaosID(n))
	case "merge":
		k.w.octi.Merge(chaosID(n), chaosID(moving()))
	case "attach":
		k.next++
		k.w.octi.Attach(chaosID(n), octisim.Observable{EntityType: "Domain-Name", Value: fmt.Sprintf("attached-%d.example", k.next)})
		k.touch(n)
	case "detach":
		for _, o := range k.w.observablesOf(n) {
			k.w.octi.Detach(chaosID(n), o.ID)
		}
		k.touch(n)
	}
}

// touch makes the event that a relation alone does not make.
func (k *walk) touch(n int) {
	k.next++
	k.w.octi.Edit(chaosID(n), func(i *octisim.Indicator) { i.Description = fmt.Sprintf("touched %d", k.next) })
}

// Whatever changes, and however the stream breaks meanwhile: a tail ends with what a fresh plan wants,
// and nothing that nobody touched is ever out of force.
func TestAnyChangesThroughABrokenStream(t *testing.T) {
	checks(t, 6, 150)
	tpl := newTailTemplate(t)
	actions := []octisim.StreamAction{octisim.StreamEnd, octisim.StreamEndAfter, octisim.StreamHalf, octisim.StreamCut, octisim.StreamLong,
		octisim.StreamUnknown, octisim.StreamTwice, octisim.StreamError, octisim.StreamSilence}
	rapid.Check(t, func(rt *rapid.T) {
		w := tpl.world(t)
		defer w.close()
		w.follow(t)
		k, gone := &walk{w, 300}, 0
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			for range rapid.IntRange(0, 2).Draw(rt, "faults") {
				w.octi.FailStream(octisim.StreamFault{
					Event: rapid.SampledFrom([]string{"", "main", "dependency", "create", "update", "delete", "merge", "heartbeat"}).Draw(rt, "event"),
					Skip:  rapid.IntRange(0, 5).Draw(rt, "skip"), Times: rapid.IntRange(1, 3).Draw(rt, "times"),
					Do: rapid.SampledFrom(actions).Draw(rt, "fault"), Size: 100_000,
				})
			}
			if rapid.Bool().Draw(rt, "requests fail too") {
				anyFault(rt, w.chaosWorld, tailAsks)
			}
			down := rapid.Bool().Draw(rt, "down meanwhile")
			if down {
				w.octi.Down()
			}
			for range rapid.IntRange(1, 6).Draw(rt, "changes") {
				k.step(rt, &gone)
			}
			if down {
				if rapid.Bool().Draw(rt, "trimmed") {
					w.octi.TrimLog(rapid.IntRange(0, 3).Draw(rt, "kept"))
				}
				w.octi.Up()
			}
			if rapid.Bool().Draw(rt, "in peace") && !w.until(t, "the lists hold what is wanted", w.settled) {
				rt.Errorf("%v", w.unsettled())
			}
		}
		var v verdict
		w.verdict(t, &v)
		for _, why := range v.bad() {
			rt.Error(why)
		}
		if strings.Contains(w.err.String(), "gate G") {
			rt.Errorf("a gate refused: %s", w.err.String())
		}
	})
}
