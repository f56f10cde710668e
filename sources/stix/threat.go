package stix

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// CaseID is the id of the case made of a threat: of the threat's id and the time it was created. Its name
// does not count, since it is not known whether it stays: the platform finds the case by this id whatever
// it computes itself (contract opencti-api 10.4). It is "" for a threat without an id or such a time.
func (m *Maker) CaseID(t *alert.Threat) string {
	if err := checkThreat(t); err != nil {
		return ""
	}
	return namedID("case-incident", "threat "+threatID(t), t.Created)
}

func threatID(t *alert.Threat) string { return oneLine(t.ID, maxName) }

func checkThreat(t *alert.Threat) error {
	switch {
	case threatID(t) == "":
		return fmt.Errorf("the threat %q has no id", oneLine(t.Slug, maxName))
	case !dated(t.Created):
		return fmt.Errorf("threat %s has no creation date, so that its case could not be found again", threatID(t))
	}
	return nil
}

// Threat makes of a threat its case, which is the first object, the endpoints and users it names, and its
// note. The case holds these and refs, which are ids of objects that the bundle or the platform has, such
// as those of the threat's alerts: they may be none. Severity and priority, P1 for critical to P4 for low,
// are the level's as in Alert. A threat without an id or a creation date is an error, and so is a ref that
// is no id.
func (m *Maker) Threat(t *alert.Threat, refs []string) ([]alert.Object, error) {
	if err := checkThreat(t); err != nil {
		return nil, err
	}
	for _, id := range refs {
		if !validID(id) {
			return nil, fmt.Errorf("threat %s: %q is not the id of an object", threatID(t), id)
		}
	}
	var parts []alert.Object
	for i := range t.Agents {
		if name := endpointName(&t.Agents[i]); name != "" {
			parts = append(parts, m.system(name))
		}
	}
	for _, u := range t.Users {
		if o, ok := m.account(u.Name, u.SID); ok {
			parts = append(parts, o)
		}
	}
	parts = unique(parts)
	refs = slices.Clone(refs)
	for _, o := range parts {
		refs = append(refs, o.ID)
	}
	out := append([]alert.Object{m.caseOf(t, firsts(refs, func(id string) string { return id }))}, parts...)
	if n, ok := m.note(t); ok {
		out = append(out, n)
	}
	return out, nil
}

func (m *Maker) caseOf(t *alert.Threat, refs []string) alert.Object {
	severity, priority, known := gravity(t.Level)
	id := m.CaseID(t)
	v := caseIncident{
		head: headOf("case-incident", id), Name: threatName(t) + " (" + threatID(t) + ")", Description: describeThreat(t, !known),
		Severity: severity, Priority: priority,
		Objects:    slices.DeleteFunc(refs, func(ref string) bool { return ref == id }),
		References: m.link(threatID(t), "threat", t.ID, "summary"),
		whose:      m.by(t.Created, t.LastUpdate),
	}
	return object(v)
}

func threatName(t *alert.Threat) string { return oneLine("Threat "+t.Slug, maxName) }

// note is the threat's note as it stands. Its id is of the threat, with words of ours in place of the
// text, so that an edited note is the same one (contract opencti-api 10.4). A text under two characters
// is none.
func (m *Maker) note(t *alert.Threat) (alert.Object, bool) {
	if t.Note == nil {
		return alert.Object{}, false
	}
	text := value(t.Note.Content)
	if utf8.RuneCountInString(text) < 2 {
		return alert.Object{}, false
	}
	created := t.Created
	if dated(t.Note.Created) {
		created = t.Note.Created
	}
	v := note{
		head:     headOf("note", noteID("note of threat "+threatID(t), "", t.Created)),
		Abstract: cmp.Or(oneLine(t.Note.Title, maxName), threatName(t)), Content: text,
		Types: []string{"analysis"}, Objects: []string{m.CaseID(t)},
		References: m.link(threatID(t), "threat", t.ID, "summary"), whose: m.by(created, created),
	}
	return object(v), true
}
