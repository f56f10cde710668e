package stix

import (
	"regexp"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// Tags look like attack.t1059.001 and cells of the matrix like execution__t1059.001 (contract
// harfanglab-api 7.3). Tactics, groups and software are no techniques.
var (
	tagForm  = regexp.MustCompile(`(?i)^(?:attack\.)?(t\d{4}(?:\.\d{3})?)$`)
	cellForm = regexp.MustCompile(`(?i)^(?:.*__)?(t\d{4}(?:\.\d{3})?)$`)
)

// techniques are the ids of an alert's techniques, as MITRE writes them, sorted.
func techniques(a *alert.Alert) []string {
	var out []string
	find := func(form *regexp.Regexp, texts []string) {
		for _, s := range texts {
			if m := form.FindStringSubmatch(trim(s)); m != nil {
				out = append(out, strings.ToUpper(m[1]))
			}
		}
	}
	find(tagForm, a.Tags)
	find(cellForm, a.MitreCells)
	slices.Sort(out)
	return slices.Compact(out)
}

// TechniqueIDs are the standard ids under which the platform may hold the techniques of an alert, two for
// each, since platforms before 7.260529.0 computed another: those to look up before Alert asks for them.
func (m *Maker) TechniqueIDs(a *alert.Alert) []string {
	var ids []string
	for _, t := range techniques(a) {
		ids = append(ids, attackPatternID(t), oldAttackPatternID(t))
	}
	return ids
}

// technique is the id to refer to a technique by, and the object to send when the platform has none.
func (m *Maker) technique(t string, known func(id string) bool) (id string, missing *alert.Object) {
	id = attackPatternID(t)
	if known == nil || known(id) {
		return id, nil
	}
	if old := oldAttackPatternID(t); known(old) {
		return old, nil
	}
	o := object(attackPattern{head: headOf("attack-pattern", id), Name: t, MitreID: t, whose: whose{CreatedBy: m.authorID, Markings: m.markings}})
	return id, &o
}
