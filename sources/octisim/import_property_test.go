package octisim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// someIncident draws one of few incidents, so that the same one comes again with other members.
func someIncident(rt *rapid.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type": "incident", "id": "incident--00000000-0000-4000-8000-00000000000%d", "name": "Alert %d", "created": "2026-03-01T10:00:00.000Z"`,
		rapid.IntRange(0, 5).Draw(rt, "id"), rapid.IntRange(0, 2).Draw(rt, "name"))
	text := rapid.SampledFrom([]string{"", "a", "b", "c"})
	list := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z", "X"}), 0, 3)
	if rapid.Bool().Draw(rt, "rated") {
		fmt.Fprintf(&b, `, "confidence": %d`, rapid.IntRange(0, 100).Draw(rt, "confidence"))
	}
	fmt.Fprintf(&b, `, "description": %q, "severity": %q`, text.Draw(rt, "description"), rapid.SampledFrom([]string{"", "low", "high"}).Draw(rt, "severity"))
	for _, name := range []string{"labels", "aliases"} {
		fmt.Fprintf(&b, `, %q: ["%s"]`, name, strings.Join(list.Draw(rt, name), `", "`))
	}
	return b.String() + "}"
}

// TestImportsOnlyAdd holds what every import keeps, whatever comes: nothing is lost, lists only grow,
// single values are never cleared and stand against less confidence, and a repeat changes nothing.
func TestImportsOnlyAdd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, now := clocked(t, Options{Version: rapid.SampledFrom([]string{"6.9.22", newest}).Draw(rt, "version")})
		for range rapid.IntRange(1, 8).Draw(rt, "pushes") {
			before := map[string]Incident{}
			for _, i := range s.Incidents() {
				before[i.ID] = i
			}
			object := someIncident(rt)
			sent := parseObject([]byte(object))
			*now = now.Add(time.Minute)
			wants(t, pushed(t, s, corp, object), "")
			after := s.Incidents()
			for _, i := range after {
				was, old := before[i.ID]
				delete(before, i.ID)
				if !old {
					continue
				}
				if wrong := shrank(was, i); wrong != "" {
					rt.Fatalf("%s: %+v, was %+v", wrong, i, was)
				}
				if n, ok := sent.number("confidence"); ok && n < *was.Confidence && (i.Description != was.Description || i.Name != was.Name || i.Severity != was.Severity || *i.Confidence != *was.Confidence) {
					rt.Fatalf("changed by less confidence: %+v, was %+v", i, was)
				}
			}
			if len(before) > 0 {
				rt.Fatalf("lost %+v", before)
			}
			*now = now.Add(time.Minute)
			wants(t, pushed(t, s, corp, object), "")
			simtest.Same(rt, "a repeat changed", after, s.Incidents())
			consistent(rt, s)
		}
	})
}

// shrank says what an incident has lost, if anything.
func shrank(was, now Incident) string {
	switch {
	case !holds(now.Labels, was.Labels) || !holds(now.Aliases, was.Aliases) || !holds(now.StixIDs, kept(was, now)):
		return "lists shrank"
	case was.Description != "" && now.Description == "" || was.Severity != "" && now.Severity == "":
		return "cleared"
	}
	return ""
}

func holds(have, all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !slices.Contains(have, s) })
}

// kept are the further ids of was that now still has to have: one of them may be its standard id.
func kept(was, now Incident) []string {
	return slices.DeleteFunc(slices.Clone(was.StixIDs), func(id string) bool { return id == now.StandardID })
}

// consistent holds what is true of the store at any time: every id leads to the object that has it,
// relations lead from what is there to what is there, and the counts are right.
func consistent(t rapid.TB, s *Sim) {
	t.Helper()
	live := map[item]bool{}
	for id, v := range s.items {
		b := v.core()
		if id != b.id && id != b.standard && !slices.Contains(b.stixIDs(), id) {
			t.Errorf("%s leads to %s", id, b.standard)
		}
		if b.dead {
			t.Errorf("%s leads to what is gone", id)
		}
		live[v] = true
	}
	count := map[string]int{}
	for v := range live {
		b := v.core()
		for _, id := range append([]string{b.id, b.standard}, b.stixIDs()...) {
			if s.items[id] != v {
				t.Errorf("%s does not lead to its %s", id, b.entity)
			}
		}
		r, ok := v.(*relation)
		if !ok {
			count[b.entity]++
			continue
		}
		count[fmt.Sprint(r.sighting())]++
		if s.items[r.from] == nil || s.items[r.to] == nil || !slices.Contains(s.from[r.from], r) || !slices.Contains(s.to[r.to], r) {
			t.Errorf("relation %s has lost an end", b.standard)
		}
	}
	got := []int{s.relations.live, s.sightings.live, s.entities["incident"].live, s.entities["note"].live, s.entities["case-incident"].live, s.indicators.live}
	want := []int{count["false"], count["true"], count["Incident"], count["Note"], count["Case-Incident"], count["Indicator"]}
	simtest.Same(t, "relations, sightings, incidents, notes, cases, indicators", want, got)
}

// TestBundlesInAnyOrderBringTheSame pushes one alert's objects shuffled and cut into parts that are
// complete in themselves.
func TestBundlesInAnyOrderBringTheSame(t *testing.T) {
	whole := registered(t, Options{Version: newest})
	wants(t, pushed(t, whole, alertBundle()...), "")
	standards := func(s *Sim) []string {
		var out []string
		for _, v := range s.items {
			if v.core().createdAt != epoch {
				out = append(out, v.core().standard)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	want := standards(whole)
	rapid.Check(t, func(rt *rapid.T) {
		s := registered(t, Options{Version: newest})
		wants(t, pushed(t, s, rapid.Permutation(alertBundle()).Draw(rt, "order")...), "")
		simtest.Same(rt, "ids", want, standards(s))
		consistent(rt, s)
	})
}

// bare is a platform that imports but answers no GraphQL, whose schema takes long to load.
func bare() *Sim {
	s := &Sim{clock: func() time.Time { return day(10) }, store: newStore(), version: parseVersion(newest)}
	for _, t := range tlp {
		s.marking(Marking{Definition: t.definition})
	}
	return s
}

// FuzzImport: whatever is pushed, the platform stands, what it holds is consistent, and remains so when
// the same comes once more.
func FuzzImport(f *testing.F) {
	f.Add(bundleOf(alertBundle()...))
	f.Add(bundleOf(corp, hostUnit, domain, sighting(sightedID, in2026("05"), in2026("06"), 3, "")))
	f.Add(bundleOf(relationship("relationship--57651e36-70cc-5200-85dd-498e3f90e96c", "related-to", corpID, corpID, ""), corp))
	f.Add(bundleOf(`{"type": "note", "id": "note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34", "content": "text", "object_refs": ["note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34"]}`, corp))
	f.Add(bundleOf(plus(domain, `"opencti_operation": "delete"`), domain))
	f.Add(bundleOf(plus(domain, `"x_opencti_create_observables": true, "x_opencti_stix_ids": ["`+alertID+`", "`+ruleID+`", ""]`), rule))
	f.Add(bundleOf(`null`, `[]`, `{"extensions": []}`, `{"type": "file", "id": "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c", "hashes": {"MD5": 5, "": "x"}, "name": "\u0000"}`))
	f.Fuzz(func(t *testing.T, text string) {
		s := bare()
		if _, err := s.Import([]byte(text)); err != nil {
			return
		}
		consistent(t, s)
		if _, err := s.Import([]byte(text)); err != nil {
			t.Fatal(err)
		}
		consistent(t, s)
	})
}
