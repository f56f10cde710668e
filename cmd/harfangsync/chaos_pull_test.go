package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// pullAsks are the kinds of requests that an import sends.
var pullAsks = []ask{
	{name: "identity", side: "octi", body: `query Ident`},
	{name: "register", side: "octi", body: `mutation Register`},
	{name: "state", side: "octi", body: `mutation Ping`, write: true},
	{name: "owners by id", side: "octi", body: `query Find`},
	{name: "an owner or an endpoint by id", side: "octi", body: `query There`},
	{name: "incidents by id", side: "octi", body: `query Incidents`},
	{name: "techniques by id", side: "octi", body: `query AttackPatterns`},
	{name: "sightings", side: "octi", body: `query Sightings`},
	{name: "incidents of an indicator", side: "octi", body: `query Indicates`},
	{name: "indicators of an incident", side: "octi", body: `query IndicatedBy`},
	{name: "relationships by id", side: "octi", body: `query RelationsByID`},
	{name: "cases by id", side: "octi", body: `query Cases`},
	{name: "notes by id", side: "octi", body: `query Notes`},
	{name: "open a work", side: "octi", body: `mutation WorkAdd`, write: true},
	{name: "push", side: "octi", body: `mutation Push`, write: true},
	{name: "work", side: "octi", body: `query Work\(`},
	{name: "find a list", side: "hl", method: "GET", path: `Source/`},
	{name: "alerts by time", side: "hl", method: "GET", path: `/alert/Alert/\?.*status=`},
	{name: "alerts by change", side: "hl", method: "GET", path: `/alert/Alert/\?.*last_update`},
	{name: "alerts of a threat", side: "hl", method: "GET", path: `/alert/Alert/\?.*threat_key`},
	{name: "one alert", side: "hl", method: "GET", path: `/details/`},
	{name: "threats", side: "hl", method: "GET", path: `Threat/\?`},
	{name: "note", side: "hl", method: "GET", path: `/note/`},
	{name: "IOC rule", side: "hl", method: "GET", path: `IOCRule/`},
	{name: "Sigma rule", side: "hl", method: "GET", path: `SigmaRule/`},
	{name: "YARA file", side: "hl", method: "GET", path: `YaraFile/`},
}

// pullReference is how an import ends without any fault, and what its world is made of.
type pullReference struct {
	rules map[string][]hlsim.Rule // by kind
	inds  []octisim.Indicator
	at    time.Time
	graph []string
}

func newPullReference(t testing.TB) *pullReference {
	w := newChaosWorld(t)
	defer w.close()
	for i := range 12 {
		w.put(i, fmt.Sprintf("steady %d", i), "stix", domainPattern(fmt.Sprintf("steady-%d.example", i)), "steady")
	}
	w.put(20, "shared one", "stix", domainPattern("shared.example"), "")
	w.put(21, "shared two", "stix", domainPattern("SHARED.example"), "")
	w.put(30, "sigma", "sigma", fmt.Sprintf(chaosSigma, "Sigma", chaosID(900), "enc"), "")
	w.put(31, "yara", "yara", yaraRule("loader", "loader"), "")
	if code, out, errs := w.command(t.Context(), "apply", "--auto-approve"); code != 0 {
		t.Fatalf("apply: %d\n%s%s", code, out, errs)
	}
	ref := &pullReference{inds: w.octi.Indicators(), rules: map[string][]hlsim.Rule{}, at: time.Now().Truncate(time.Second).Add(-5 * time.Minute)}
	for _, k := range chaosKinds {
		ref.rules[k] = w.hl.Rules(k)
	}
	calm := ref.world(t)
	defer calm.close()
	calm.octi.HTTP.Forget()
	calm.hl.HTTP.Forget()
	before := graphOf(calm.octi)
	if code, out, errs := calm.command(t.Context(), "pull"); code != 0 {
		t.Fatalf("without a fault: code %d\n%s%s", code, out, errs)
	}
	if ref.graph = graphOf(calm.octi); slices.Equal(before, ref.graph) {
		t.Fatal("there was nothing to import")
	}
	return ref
}

// world is a pair of platforms with an import behind them and another one due: new alerts of rules that
// fired before and of others, triage that turns a sighting, an alert that failed before, and a threat
// that grew and got a note.
func (ref *pullReference) world(t testing.TB) *chaosWorld {
	t.Helper()
	w := newChaosWorld(t)
	w.timeout = "20s" // a push whose answer is late is one in doubt, which a busy machine must not make of it
	w.env = []string{
		"HARFANGSYNC_LOCK=none", "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true",
		"HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all", "HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new,investigating,probable_false_positive,false_positive,closed",
	}
	for _, i := range ref.inds {
		w.octi.Put(i)
	}
	for _, k := range chaosKinds {
		id, err := w.hl.AddSource(k, "from_OpenCTI")
		if err == nil {
			err = w.hl.Load(k, id, slices.Clone(ref.rules[k]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	saw := func(s hlsim.Sighting) string {
		t.Helper()
		s.At = ref.at.Add(time.Duration(n) * time.Second)
		n++
		ids, err := w.hl.Saw(s)
		if err != nil || len(ids) != 1 {
			t.Fatalf("%+v: alerts %v, %v", s, ids, err)
		}
		return ids[0]
	}
	saw(hlsim.Sighting{Value: "steady-5.example", Host: "WKS-006"}) // of the first threat, which gets nothing but a note
	saw(hlsim.Sighting{Value: "steady-1.example", Host: "WKS-001"})
	turned := saw(hlsim.Sighting{Value: "steady-2.example", Host: "WKS-002"})
	saw(hlsim.Sighting{Rule: chaosID(900), Host: "WKS-001"})
	odd := saw(hlsim.Sighting{Value: "steady-3.example", Host: "WKS-003"})
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.FailImport = `"type":"incident".*` + odd })
	if code, out, errs := w.command(t.Context(), "pull"); code != exit.Partly {
		t.Fatalf("the import before: code %d, want that one alert failed\n%s%s", code, out, errs)
	}
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.FailImport = "" })

	saw(hlsim.Sighting{Value: "steady-1.example", Host: "WKS-001"})
	saw(hlsim.Sighting{Value: "steady-4.example", Host: "WKS-004"})
	saw(hlsim.Sighting{Value: "shared.example", Host: "WKS-002"})
	saw(hlsim.Sighting{Rule: chaosID(900), Host: "WKS-005"})
	saw(hlsim.Sighting{Rule: "loader", Host: "WKS-005"})
	if _, err := w.hl.Generate(hlsim.Spec{Seed: 8, Count: 6, Plain: true, Hosts: 3, From: ref.at.Add(time.Minute), To: ref.at.Add(2 * time.Minute),
		Shapes: []string{"ioc hash", "sigma process", "yara 2023", "hlai", "unknown type", "ioc without process"}}); err != nil {
		t.Fatal(err)
	}
	if !w.hl.Triage(turned, "false_positive") || !w.hl.WriteNote(fmt.Sprint(w.hl.Threats()[0].ID), "Seen", "Twice.") {
		t.Fatal("no such alert, or no such threat")
	}
	w.octi.HTTP.Forget()
	w.hl.HTTP.Forget()
	return w
}

// pullCells are the cells of an import.
func pullCells() []chaosCell {
	var cells []chaosCell
	for _, tr := range troubles {
		for _, a := range pullAsks {
			if tr.side != "" && tr.side != a.side || tr.name == "500 after the work" && !a.write {
				continue
			}
			cells = append(cells, chaosCell{tr, a, true, "pull"}, chaosCell{tr, a, false, "pull"})
		}
	}
	return cells
}

// try runs one cell. The code is right if it fits what came of it: 0 is an import of everything, 8 one
// of nothing, and an import that goes on without the fault ends with the graph of one undisturbed.
func (ref *pullReference) try(t testing.TB, c chaosCell) verdict {
	var v verdict
	w := ref.world(t)
	defer w.close()
	exact, begun := w.exact(), graphOf(w.octi)
	c.arm(t, w)
	if c.trouble.name == slowAnswer {
		w.timeout = ""
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code, out, errs := w.command(ctx, "pull")
	if c.trouble.name != slowAnswer && c.hits(w) == 0 { // a client that waits no longer leaves no line in the log
		v.other = append(v.other, "the request was never sent")
	}
	w.octi.HTTP.Heal()
	w.hl.HTTP.Heal()
	graph := graphOf(w.octi)
	switch {
	case code == exit.OK && !slices.Equal(graph, ref.graph):
		v.other = append(v.other, fmt.Sprintf("code 0, and not all of it is there: %v; said %q", differing(ref.graph, graph), errs+out))
	case code == exit.Side && !slices.Equal(graph, begun):
		v.other = append(v.other, "code 8, and something was written: "+lastLine(errs))
	case code != exit.OK && code != exit.Partly && code != exit.Side:
		v.other = append(v.other, fmt.Sprintf("code %d; said %q", code, lastLine(errs)))
	case c.once && !c.ask.write && !c.hangs() && (c.trouble.alike == "down" || c.trouble.alike == "stored") && code != exit.OK:
		v.other = append(v.other, fmt.Sprintf("code %d although asking again helps; said %q", code, lastLine(errs)))
	case !c.once && c.trouble.alike == "final" && code == exit.OK:
		v.other = append(v.other, "code 0 although a side refused for good: "+lastLine(errs))
	}
	if code != exit.OK && !strings.Contains(out+errs, "HarfangLab") && !strings.Contains(out+errs, "OpenCTI") {
		v.other = append(v.other, fmt.Sprintf("code %d without a sentence that names the side: %q", code, errs))
	}
	if strings.Contains(out+errs, simOpenCTIToken) || strings.Contains(out+errs, simHarfangLabToken) {
		v.other = append(v.other, "a token was printed")
	}
	ref.converge(t, w, exact, &v)
	return v
}

// converge imports without the fault until all is there, once more, and compares with the reference.
func (ref *pullReference) converge(t testing.TB, w *chaosWorld, exact map[string]string, v *verdict) {
	w.octi.HTTP.Heal()
	w.hl.HTTP.Heal()
	var code int
	var out, errs string
	const most = 4
	for n := 1; n <= most; n++ {
		code, out, errs = w.command(t.Context(), "pull")
		if code == exit.OK && n > 1 { // the one after a whole import too: it must not count anything again
			break
		}
	}
	if code != exit.OK {
		v.lost = append(v.lost, fmt.Sprintf("no import succeeds: code %d\n%s%s", code, out, errs))
	}
	for _, line := range differing(ref.graph, graphOf(w.octi)) {
		if strings.HasPrefix(line, "-") {
			v.lost = append(v.lost, "lost: "+line)
		} else {
			v.doubled = append(v.doubled, "too much: "+line)
		}
	}
	if !maps.Equal(exact, w.exact()) {
		v.removed = append(v.removed, "a rule in HarfangLab was changed")
	}
	if n := len(w.octi.Indicators()); n != len(ref.inds) {
		v.other = append(v.other, fmt.Sprintf("%d indicators, there were %d", n, len(ref.inds)))
	}
	for _, r := range w.octi.Relations() {
		if r.EntityType == "based-on" {
			v.other = append(v.other, "a based-on was made")
		}
	}
}

// arm adds the fault of a cell to its platform.
func (c chaosCell) arm(t testing.TB, w *chaosWorld) {
	t.Helper()
	if c.ask.object > 0 {
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.Unresolvable = []string{chaosID(c.ask.object)} })
		return
	}
	f := simhttp.Fault{Method: c.ask.method, Path: c.ask.path, Body: c.ask.body}
	if c.once {
		f.Times = 1
	}
	if err := c.handler(w).Fail(c.trouble.do(f)); err != nil {
		t.Fatal(err)
	}
}

func (c chaosCell) handler(w *chaosWorld) *simhttp.Handler {
	if c.ask.side == "hl" {
		return w.hl.HTTP
	}
	return w.octi.HTTP
}

// differing are the lines of two sorted graphs that only one has: - is wanted and not there, + is there
// and not wanted.
func differing(want, got []string) []string {
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range got {
		count[l]--
	}
	var lines []string
	for _, l := range slices.Sorted(maps.Keys(count)) {
		switch n := count[l]; {
		case n > 0:
			lines = append(lines, "- "+l)
		case n < 0:
			lines = append(lines, "+ "+l)
		}
	}
	return lines
}
