// Package stix makes STIX 2.1 objects of what HarfangLab saw, and finds in an alert which rule fired.
//
// Every id is computed from what does not change, so that whatever is made twice is one thing on the
// platform, and equal input gives equal bytes. What the platform would refuse is left out of a bundle
// rather than letting the alert fail. No indicator is ever made of an alert, and nothing is attached to
// one: an indicator is what we were asked to look for, not what was found (contract opencti-api 9 to 11).
package stix

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// product is where everything comes from.
const product = "HarfangLab"

// Options say how objects are made.
type Options struct {
	Author  string // name of the organization; HarfangLab when empty
	Marking string // TLP:CLEAR to TLP:RED; TLP:AMBER when empty, since alerts are internal
	// MarkingID is the marking's standard id on the platform: a reference to another one is dropped there
	// without a word. "" is the id that it has on most.
	MarkingID string
	Score     int    // x_opencti_score of observables, 1 to 100; 50 when 0
	Console   string // HarfangLab's base URL; without it nothing links there
}

// Maker makes objects. It is a pull.Importer, safe for concurrent use.
type Maker struct {
	author, authorID, console string
	markings                  []string
	score                     int
}

// New checks the options.
func New(o Options) (*Maker, error) {
	rank, ok := reconcile.TLP(cmp.Or(o.Marking, "TLP:AMBER"))
	if !ok {
		return nil, fmt.Errorf("marking %q is no TLP marking", o.Marking)
	}
	m := &Maker{
		author:   oneLine(cmp.Or(o.Author, product), maxName),
		console:  strings.TrimRight(o.Console, "/"),
		markings: []string{cmp.Or(o.MarkingID, tlpMarkings[rank])},
		score:    cmp.Or(o.Score, 50),
	}
	if !named(m.author) {
		return nil, fmt.Errorf("author %q: the platform takes no name under two characters", o.Author)
	}
	if m.score < 1 || m.score > 100 {
		return nil, fmt.Errorf("score %d is not from 1 to 100", m.score)
	}
	m.authorID = identityID("organization", m.author)
	return m, nil
}

// named says whether the platform takes a name.
func named(s string) bool { return utf8.RuneCountInString(s) >= 2 }

// Author is the organization that all other objects name as their author.
func (m *Maker) Author() alert.Object {
	words := "The security events and threats of this HarfangLab EDR, imported by harfangsync."
	return object(identity{head: headOf("identity", m.authorID), Name: m.author, Class: "organization", Description: words, whose: whose{Markings: m.markings}})
}

// IncidentID is the id of the incident made of an alert: of its rule, its host in lower case, its own id and
// the time it was created, none of which ever change. That was its name once; the platform finds an incident by
// this id whatever it is called (contract opencti-api 10.4). It is "" for an alert without an id or without any
// time.
func (m *Maker) IncidentID(a *alert.Alert) string {
	if err := checkAlert(a); err != nil {
		return ""
	}
	name := cmp.Or(oneLine(a.RuleName, maxName), "Alert")
	if host := endpointName(&alert.Agent{Hostname: lower(a.Agent.Hostname), ID: lower(a.Agent.ID)}); host != "" {
		name += " on " + host
	}
	return namedID("incident", name+" ("+alertID(a)+")", createdAt(a))
}

func checkAlert(a *alert.Alert) error {
	switch {
	case alertID(a) == "":
		return fmt.Errorf("an alert of the rule %q has no id", oneLine(a.RuleName, maxName))
	case !dated(createdAt(a)):
		return fmt.Errorf("alert %s has no time, so that its incident could not be found again", alertID(a))
	}
	return nil
}

func alertID(a *alert.Alert) string { return oneLine(cmp.Or(a.ID, a.UniqueID), maxName) }

// createdAt is alert_time, which is the only time that is always there. The event's, which never changes
// either, serves where it cannot be read.
func createdAt(a *alert.Alert) time.Time {
	if dated(a.Time) {
		return a.Time
	}
	return a.EventTime
}

// incidentName says what matched, where, and by which rule, in at most 100 characters. It ends in a word of the
// alert's id: two incidents with one name and one time would be one incident (contract opencti-api 11.1).
func incidentName(a *alert.Alert) string {
	const most, part, digits = 100, 32, 3
	rule := cmp.Or(oneLine(a.RuleName, maxName), "Alert")
	name, rest := matchedName(a), ""
	if host := oneLine(endpointName(&a.Agent), part); host != "" {
		rest = " on " + host
	}
	if name == "" {
		name = rule
	} else {
		rest += " (" + oneLine(rule, part) + ")"
	}
	sum := sha256.Sum256([]byte(alertID(a)))
	rest += fmt.Sprintf(" #%x", sum[:digits])
	return oneLine(name, most-utf8.RuneCountInString(rest)) + rest
}

// matchedName is what an incident is named after: the value that matched, or the name of the file that did.
func matchedName(a *alert.Alert) string {
	for _, v := range firedValues(a) {
		if s := oneLine(v.Value, maxName); s != "" {
			return s
		}
	}
	return oneLine(splitPath(a.Detected.Path).base, maxName)
}

// EndpointID is the id of the system that an alert was raised on, by its host name or else by the id of
// its agent. It is "" when there is neither.
func (m *Maker) EndpointID(a *alert.Alert) string { return endpointID(endpointName(&a.Agent)) }

func endpointID(name string) string {
	if name == "" {
		return ""
	}
	return identityID("system", name)
}

// endpointName is the host name and nothing else: threats know no domain of their agents.
func endpointName(a *alert.Agent) string {
	for _, s := range []string{a.Hostname, a.ID} {
		if s = oneLine(s, maxName); named(s) {
			return s
		}
	}
	return ""
}

// by is what domain objects and relationships of one alert or threat share.
func (m *Maker) by(created, modified time.Time) whose {
	w := whose{Created: stamp(created), CreatedBy: m.authorID, Markings: m.markings}
	w.Modified = w.Created
	if dated(modified) && modified.After(created) {
		w.Modified = stamp(modified)
	}
	return w
}

// system is the identity of an endpoint.
func (m *Maker) system(name string) alert.Object {
	return object(identity{head: headOf("identity", endpointID(name)), Name: name, Class: "system", whose: whose{CreatedBy: m.authorID, Markings: m.markings}})
}

func (m *Maker) relate(kind, source, target string, w whose) alert.Object {
	return object(relationship{head: headOf("relationship", relationshipID(kind, source, target)), Kind: kind, Source: source, Target: target, whose: w})
}

// related ties what an alert shows to its incident, and says of what matched that it did.
func (m *Maker) related(observable, incident string, matched bool, w whose) alert.Object {
	words := ""
	if matched {
		words = "matched"
	}
	id := relationshipID("related-to", observable, incident)
	return object(relationship{head: headOf("relationship", id), Kind: "related-to", Source: observable, Target: incident, Description: words, whose: w})
}

// link is the reference to one thing of HarfangLab by its id, with a page of the console when both are
// known.
func (m *Maker) link(id string, path ...string) []reference {
	r := reference{Source: product, ExternalID: id}
	if m.console != "" && len(path) > 0 {
		r.URL = m.console
		for _, p := range path {
			r.URL += "/" + url.PathEscape(p)
		}
	}
	return []reference{r}
}
