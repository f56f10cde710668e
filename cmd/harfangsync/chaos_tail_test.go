package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// The fault matrix of a tail: while everything changes that can, requests of a batch go wrong as those
// of a run do, and the stream breaks in ways of its own. A cell survives if the lists end as they are
// wanted, a plan finds nothing to do, and no rule that was wanted all the time was ever out of force.

// tailAsks are the kinds of requests that a batch sends. A small one asks OpenCTI all its questions in one, Look.
var tailAsks = []ask{
	{name: "a stream's filters", side: "octi", body: `query (Stream|Look)\(`},
	{name: "look-up by id", side: "octi", body: `query (Find|Look)\(`},
	{name: "based-on page", side: "octi", body: `query (BasedOn|Look)\(`},
	{name: "find a list", side: "hl", method: "GET", path: `Source/`},
	{name: "read back", side: "hl", method: "GET", path: `(IOC|Sigma)Rule/.*(value__exact|search|last_update__gte)=|YaraFile/.*name__exact=`},
	{name: "create IOC", side: "hl", method: "POST", path: `IOCRule/`, write: true},
	{name: "create Sigma", side: "hl", method: "POST", path: `SigmaRule/`, write: true},
	{name: "create YARA", side: "hl", method: "POST", path: `YaraFile/`, write: true},
	{name: "patch", side: "hl", method: "PATCH", write: true},
	{name: "delete", side: "hl", method: "DELETE", write: true},
}

// upset is one way in which a stream goes wrong. It is told the world before and after the changes.
type upset struct {
	name          string
	before, after func(*testing.T, *tailWorld)
	ends          bool // the tail ends by itself, and another one is started
}

// upsets are all of them, by the names of the table.
func upsets() []upset {
	var list []upset
	broken := func(name string, faults ...octisim.StreamFault) {
		for _, f := range faults {
			list = append(list, upset{name: name, before: func(t *testing.T, w *tailWorld) {
				if !w.octi.FailStream(f) {
					t.Errorf("no such fault of a stream: %+v", f)
				}
			}})
		}
	}
	// every is a fault at each kind of message, at the first ones of it and at all.
	every := func(do octisim.StreamAction, size int) (faults []octisim.StreamFault) {
		for _, event := range []string{"dependency", "main", "create", "update", "delete", "merge", "heartbeat"} {
			for skip := range 3 {
				faults = append(faults, octisim.StreamFault{Event: event, Skip: skip, Times: 1, Do: do, Size: size})
			}
			faults = append(faults, octisim.StreamFault{Event: event, Times: 3, Do: do, Size: size})
		}
		return faults
	}
	broken("stream ended instead of a message", every(octisim.StreamEnd, 0)...)
	broken("stream ended after a message", every(octisim.StreamEndAfter, 0)...)
	broken("stream ended within a message", every(octisim.StreamHalf, 0)...)
	broken("stream cut within a message", every(octisim.StreamCut, 0)...)
	broken("message of a megabyte", every(octisim.StreamLong, 1<<20)...)
	broken("event nobody has heard of", every(octisim.StreamUnknown, 0)...)
	broken("message sent twice", every(octisim.StreamTwice, 0)...)
	broken("error event", every(octisim.StreamError, 0)...)
	broken("silence", every(octisim.StreamSilence, 0)...)

	for _, keep := range []int{0, 1, 5} {
		list = append(list, upset{name: "stream trimmed",
			before: func(_ *testing.T, w *tailWorld) { w.octi.Down() },
			after:  func(_ *testing.T, w *tailWorld) { w.octi.TrimLog(keep); w.octi.Up() },
		})
	}
	list = append(list,
		upset{name: "OpenCTI restarted",
			before: func(_ *testing.T, w *tailWorld) { w.octi.Down(); w.octi.HTTP.Forget() },
			after: func(t *testing.T, w *tailWorld) {
				w.until(t, "it is asked while it is down", func() bool { return w.octi.HTTP.Count() > 3 })
				w.octi.Up()
			},
		},
		upset{name: "OpenCTI restarted", // after the events were told, and before they are asked about
			after: func(t *testing.T, w *tailWorld) {
				w.octi.Down()
				w.octi.HTTP.Forget()
				w.until(t, "it is asked while it is down", func() bool { return w.octi.HTTP.Count() > 3 })
				w.octi.Up()
			},
		},
		upset{name: "HarfangLab restarted",
			before: func(_ *testing.T, w *tailWorld) { w.front.down.Store(true) },
			after: func(t *testing.T, w *tailWorld) {
				w.until(t, "it is asked while it is down", func() bool { return w.front.cut.Load() > 3 })
				w.front.down.Store(false)
			},
		},
	)
	for name, do := range map[string]func(simhttp.Fault) simhttp.Fault{
		"401": answer(401, ""), "410": answer(410, ""),
		"403": answer(403, ""), "404": answer(404, ""), "429": answer(429, "", "Retry-After", "0"), "500": answer(500, "<h1>Server Error (500)</h1>"), "302": answer(302, "", "Location", "https://elsewhere.example/"),
		"200 with HTML": answer(200, "<html>Sign in</html>", "Content-Type", "text/html"), "200 without a body": answer(200, ""), "a reset": act(simhttp.Reset), "a cut": act(simhttp.Cut),
	} {
		list = append(list, upset{name: "stream answers " + name, ends: name == "401" || name == "410",
			before: func(t *testing.T, w *tailWorld) {
				if err := w.octi.HTTP.Fail(do(simhttp.Fault{Path: "^/stream/", Times: 2})); err != nil {
					t.Error(err)
				}
				w.octi.CutStreams()
			},
		})
	}
	slices.SortStableFunc(list, func(a, b upset) int { return strings.Compare(a.name, b.name) })
	return list
}

// tailCells are the cells of a tail: those of requests, then those of the stream.
func tailCells() []chaosCell {
	var cells []chaosCell
	for _, tr := range troubles {
		for _, a := range tailAsks {
			if tr.side != "" && tr.side != a.side || tr.name == "500 after the work" && !a.write {
				continue
			}
			cells = append(cells, chaosCell{tr, a, true, "tail"}, chaosCell{tr, a, false, "tail"})
		}
	}
	for n, u := range upsets() {
		cells = append(cells, chaosCell{trouble{name: u.name}, ask{name: fmt.Sprintf("the stream (%d)", n), side: "octi"}, true, "tail"})
	}
	return cells
}

// try runs one cell.
func (tpl *tailTemplate) try(t *testing.T, c chaosCell) verdict {
	var v verdict
	w := tpl.world(t)
	defer w.close()
	if c.trouble.name == slowAnswer {
		w.timeout = ""
	}
	w.follow(t)
	var n int
	if _, err := fmt.Sscanf(c.ask.name, "the stream (%d)", &n); err == nil {
		w.upset(t, upsets()[n], &v)
	} else {
		w.trouble(t, c, &v)
	}
	w.verdict(t, &v)
	return v
}

// trouble makes requests go wrong: one, or all until several of them have.
func (w *tailWorld) trouble(t *testing.T, c chaosCell, v *verdict) {
	w.octi.HTTP.Forget()
	w.hl.HTTP.Forget()
	c.arm(t, w.chaosWorld)
	w.live()
	if c.trouble.name == slowAnswer { // a client that waits no longer leaves no line in the log
		time.Sleep(300 * time.Millisecond)
	} else if !w.until(t, "the fault hits", func() bool {
		return c.hits(w.chaosWorld) > 0 && (c.once || c.hits(w.chaosWorld) > 6) || w.settled() && c.hits(w.chaosWorld) > 0
	}) {
		v.other = append(v.other, "the request was never sent")
	}
	w.octi.HTTP.Heal()
	w.hl.HTTP.Heal()
}

func (w *tailWorld) upset(t *testing.T, u upset, v *verdict) {
	if u.before != nil {
		u.before(t, w)
	}
	w.live()
	if u.after != nil {
		u.after(t, w)
	}
	if !u.ends {
		return
	}
	if !w.until(t, "the tail ends", w.over) {
		v.other = append(v.other, "the tail goes on although the stream is refused")
		return
	}
	if code := <-w.ended; code != exit.Side || !strings.Contains(w.err.String(), "OpenCTI") {
		v.other = append(v.other, fmt.Sprintf("the tail ended with %d: %s", code, lastLine(w.err.String())))
	}
	w.octi.HTTP.Heal()
	w.follow(t)
}

// hits is how many requests the fault of a cell took.
func (c chaosCell) hits(w *chaosWorld) (n int) {
	for _, r := range c.handler(w).Requests() {
		if r.Fault != "" {
			n++
		}
	}
	return n
}
