package octisim

import (
	"cmp"
	"slices"
	"strings"
)

// readFacts reads what objects of all kinds may have, and the attributes of its own. Every reference has
// to lead to something that the user sees.
func (im *importer) readFacts(o *object, k kind) (*facts, []*marking, *failure) {
	f := &facts{confidence: im.confidence(o), labels: im.readLabels(o), references: im.readReferences(o), phases: im.readPhases(o)}
	var markings []*marking
	var missing []string
	author := cmp.Or(o.text("created_by_ref"), o.text("x_opencti_created_by_ref"))
	if a := im.see(author); a != nil && isA(a.core().entity, "Identity") {
		f.author = a.core().id
	} else if author != "" {
		missing = append(missing, author)
	}
	for _, id := range o.texts("object_marking_refs") {
		if m, ok := im.see(id).(*marking); ok {
			markings = append(markings, m)
		} else {
			missing = append(missing, id)
		}
	}
	for _, id := range o.texts("object_refs") {
		if v := im.see(id); v != nil {
			f.objects = append(f.objects, v.core().id)
		} else {
			missing = append(missing, id)
		}
	}
	for _, id := range o.texts("x_opencti_granted_refs") {
		if im.see(id) == nil {
			missing = append(missing, id)
		}
	}
	f.props = im.readAttributes(o, k)
	o.date("created")
	o.date("modified")
	if o.fail != nil {
		return nil, nil, o.fail
	}
	if len(missing) > 0 {
		return nil, nil, absent(missing...)
	}
	f.objects = unique(f.objects)
	return f, unique(markings), nil
}

// absent is the error on references that lead nowhere.
func absent(ids ...string) *failure {
	return &failure{"MISSING_REFERENCE_ERROR", "Element(s) not found: " + strings.Join(ids, ", "), "BUSINESS", 404}
}

// unique gives each entry once: two ids may name one object.
func unique[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	return slices.DeleteFunc(all, func(v T) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

// readAttributes reads the attributes of a kind, but for the value of an observable. Values of a
// vocabulary that it does not hold are added by a user who may, and else left out.
func (im *importer) readAttributes(o *object, k kind) map[string]any {
	props := map[string]any{}
	for _, a := range attributes[k.graphql] {
		if a.name == k.value {
			continue
		}
		switch a.form {
		case ofText:
			if s := o.text(a.member); s != "" && im.word(a.vocabulary, s) {
				props[a.name] = s
			}
		case ofTexts:
			l := slices.DeleteFunc(o.texts(a.member), func(s string) bool { return !im.word(a.vocabulary, s) })
			if len(l) > 0 {
				props[a.name] = l
			}
		case ofDate:
			if m := o.date(a.member); m != never {
				props[a.name] = m
			}
		case ofNumber:
			if n, ok := o.number(a.member); ok {
				props[a.name] = n
			}
		case ofFlag:
			if b, ok := o.flag(a.member); ok {
				props[a.name] = b
			}
		}
	}
	return props
}

// word tells whether a vocabulary holds a value, which it may come to do.
func (im *importer) word(vocabulary, value string) bool {
	if im.words[vocabulary] == nil || im.words[vocabulary][value] {
		return true
	}
	if !im.by.can("SETTINGS_SETVOCABULARIES") {
		return false
	}
	im.words[vocabulary][value] = true
	return true
}

// readLabels gives the object's, in any case. Unknown ones are made by a user who may, and else left out.
func (im *importer) readLabels(o *object) []*label {
	texts := o.texts("labels")
	if len(texts) == 0 {
		texts = o.texts("x_opencti_labels")
	}
	var in []Label
	for _, t := range texts {
		if text := trim(t); text != "" && (im.labels[strings.ToLower(text)] != nil || im.by.can("SETTINGS_SETLABELS")) {
			in = append(in, Label{text})
		}
	}
	return unique(slices.Clone(im.labelsOf(in))) // equal sets share one list
}

// readReferences gives the object's external references; those without a URL, or a source and an id, are
// skipped.
func (im *importer) readReferences(o *object) []*reference {
	var out []*reference
	for _, m := range o.entries("external_references") {
		part := func(name string) string { s, _ := m[name].(string); return s }
		in := ExternalRef{part("source_name"), part("external_id"), part("url"), part("description")}
		if in.URL == "" && (in.Source == "" || in.ExternalID == "") {
			continue
		}
		if have, ok := im.items[referenceID(in)].(*reference); ok {
			out = append(out, have)
		} else {
			out = append(out, im.reference(in))
		}
	}
	return unique(out)
}

func (im *importer) readPhases(o *object) []*phase {
	var out []*phase
	for _, m := range o.entries("kill_chain_phases") {
		chain, _ := m["kill_chain_name"].(string)
		name, _ := m["phase_name"].(string)
		if chain != "" && name != "" {
			out = append(out, im.phase(KillChain{chain, name}))
		}
	}
	return unique(out)
}
