package stix

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// Alert makes of an alert its incident, which is the first object, and everything it refers to but the
// author: the endpoint, what was observed, techniques that the platform lacks, and the relationships, with
// one to the incident from each of the indicators, which are named by standard id and not sent. An alert is
// taken with what it has; without an id or without any time it is an error, and so is an indicator whose
// id is none.
//
// known.Technique is asked with the ids of TechniqueIDs: a technique that exists would take the name of the
// incoming one, and we know no better name than its id. known.File is asked with those of FileIDs: a file that an
// indicator is based on is sent with the hashes that it has, and once for each such file.
//
// The description tells the status in its first line, for Read. Severity is the level, where informational
// is low, and what nobody knows is medium and said to be.
func (m *Maker) Alert(a *alert.Alert, indicators []string, known alert.Known) ([]alert.Object, error) {
	if err := checkAlert(a); err != nil {
		return nil, err
	}
	for _, id := range indicators {
		if !validID(id) || typeOf(id) != "indicator" {
			return nil, fmt.Errorf("alert %s: %q is not the standard id of an indicator", alertID(a), id)
		}
	}
	incident := m.incident(a, known.Name)
	out := []alert.Object{incident}
	w := m.by(createdAt(a), createdAt(a))
	var relations []alert.Object
	for _, id := range indicators {
		relations = append(relations, m.relate("indicates", id, incident.ID, w))
	}
	system := m.system(endpointName(&a.Agent))
	if system.ID != "" {
		out = append(out, system)
		relations = append(relations, m.relate("targets", incident.ID, system.ID, w))
	}
	for _, t := range techniques(a) {
		id, missing := m.technique(t, known.Technique)
		if missing != nil {
			out = append(out, *missing)
		}
		relations = append(relations, m.relate("uses", incident.ID, id, w))
	}
	seen := m.observe(a, known)
	for _, o := range seen.out {
		out = append(out, o)
		relations = append(relations, m.related(o.ID, incident.ID, seen.hit[o.ID], w))
		if o.Type == "hostname" && system.ID != "" {
			relations = append(relations, m.relate("related-to", o.ID, system.ID, w))
		}
	}
	return unique(append(out, relations...)), nil
}

// incident is the one of an alert, called name unless that is "". It was last seen when the alert last changed.
func (m *Maker) incident(a *alert.Alert, name string) alert.Object {
	severity, _, known := gravity(a.Level)
	first := createdAt(a)
	if dated(a.EventTime) {
		first = a.EventTime
	}
	last := first
	if dated(a.LastUpdate) && a.LastUpdate.After(first) {
		last = a.LastUpdate
	}
	links := m.securityEvent(a.ID)
	if a.ID == "" {
		links = m.link(alertID(a))
	}
	v := incident{
		head: headOf("incident", m.IncidentID(a)), Name: cmp.Or(name, incidentName(a)), Description: describeAlert(a, !known),
		Kind: "alert", Severity: severity, Source: product, FirstSeen: stamp(first), LastSeen: stamp(last),
		References: links, whose: m.by(createdAt(a), a.LastUpdate),
	}
	if t := folded(a.Type); slices.Contains(labelled, t) {
		v.Labels = []string{t}
	}
	return object(v)
}

// securityEvent is the reference to an alert by its id.
func (m *Maker) securityEvent(id string) []reference {
	return m.link(oneLine(id, maxName), "security-event", id, "summary")
}

// labelled are the types of alert that become a label: those of the rules we deploy. Labels are only ever
// added to, so nothing that changes is one.
var labelled = []string{"ioc", "sigma", "yara"}

// gravity is a level as severity of an incident or case and as priority of a case.
func gravity(level string) (severity, priority string, known bool) {
	switch strings.ToLower(trim(level)) {
	case "critical":
		return "critical", "P1", true
	case "high":
		return "high", "P2", true
	case "medium":
		return "medium", "P3", true
	case "low", "informational":
		return "low", "P4", true
	}
	return "medium", "P3", false
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func validID(id string) bool { return idForm.MatchString(id) }

func typeOf(id string) string {
	typ, _, _ := strings.Cut(id, "--")
	return typ
}
