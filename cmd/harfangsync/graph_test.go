package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/sources/octisim"
)

// graphOf is what OpenCTI has imported, as lines that two platforms can be compared by: no ids of the
// platform's own, no times of its own, sorted.
func graphOf(octi *octisim.Sim) []string {
	label := map[string]string{}
	for _, i := range octi.Indicators() {
		label[i.StandardID] = "indicator " + i.Name
	}
	for _, i := range octi.Identities() {
		label[i.StandardID] = strings.ToLower(i.EntityType) + " " + i.Name
	}
	for _, o := range octi.Observables() {
		label[o.StandardID] = strings.ToLower(o.EntityType) + " " + cmp.Or(o.Value, o.Name, hashesOf(o), o.StandardID)
	}
	for _, a := range octi.AttackPatterns() {
		label[a.StandardID] = "technique " + cmp.Or(a.MitreID, a.Name)
	}
	var lines []string
	for _, i := range octi.Incidents() {
		label[i.StandardID] = "incident " + i.Name
		first, _, _ := strings.Cut(i.Description, "\n")
		lines = append(lines, fmt.Sprintf("incident %s [%s] %s %s %v", i.Name, first, i.Severity, i.IncidentType, i.Markings))
	}
	for _, c := range octi.Cases() {
		label[c.StandardID] = "case " + c.Name
		lines = append(lines, fmt.Sprintf("case %s %s %s objects %d", c.Name, c.Severity, c.Priority, len(c.Objects)))
	}
	for _, n := range octi.Notes() {
		lines = append(lines, fmt.Sprintf("note %s: %s", n.Abstract, n.Content))
	}
	for _, r := range octi.Relations() {
		lines = append(lines, fmt.Sprintf("relation %s %s -> %s", r.EntityType, label[r.From], label[r.To]))
	}
	for _, s := range octi.Sightings() {
		sign := "positive"
		if s.Negative {
			sign = "negative"
		}
		lines = append(lines, fmt.Sprintf("sighting %s on %s: %d, %s, %s to %s", label[s.From], label[s.To], s.Count, sign,
			s.FirstSeen.Format("2006-01-02T15:04:05.000"), s.LastSeen.Format("2006-01-02T15:04:05.000")))
	}
	for _, l := range label {
		if !strings.HasPrefix(l, "incident") && !strings.HasPrefix(l, "case") {
			lines = append(lines, l)
		}
	}
	slices.Sort(lines)
	return lines
}

func hashesOf(o octisim.Observable) string {
	var all []string
	for _, h := range o.Hashes {
		all = append(all, h.Hash)
	}
	return strings.Join(all, ",")
}
