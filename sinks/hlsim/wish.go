package hlsim

import (
	"net/http"
	"strings"
)

// wish is what a request wants a rule to be.
type wish struct {
	source, typ, value, name, description, comment, content said

	hlStatus, override, confidence said
	references                     *[]string
	state                          stateChange
	overwrite                      bool

	facts facts // those of the content, if it was given
	wrong error // why the content is refused
}

// wishOf reads a form. whole forms, those of POST and PUT, have members that are required.
func (k *Knobs) wishOf(kind string, f *form, whole bool) *wish {
	w := &wish{source: f.filled("source_id", whole), hlStatus: f.choice("hl_status", maturities, false)}
	w.override = f.choice("rule_level_override", levels, true)
	w.references = f.texts("references")
	w.state = stateChange{enabled: f.flag("enabled"), block: f.flag("block_on_agent"), quarantine: f.flag("quarantine_on_agent")}
	if !k.OldGeneration {
		w.confidence = f.choice("rule_confidence_override", confidences, true)
		if global := f.choice("global_state", states, false); global.given {
			w.state.global = &global.text
		}
	}
	if kind == IOC {
		k.wishIOC(f, w, whole)
		return w
	}
	w.name, w.content = f.filled("name", whole), f.filled("content", whole)
	w.name.text = strings.TrimSpace(w.name.text)
	f.limit("name", w.name.text, k.maxName())
	if on := f.flag("overwrite"); on != nil {
		w.overwrite = *on
	}
	if w.content.given && f.problems["content"] == nil {
		w.facts, w.wrong = factsOf(kind, w.content.text)
	}
	return w
}

func (k *Knobs) wishIOC(f *form, w *wish, whole bool) {
	w.state.endpoint = f.flag("endpoint_detection")
	w.typ, w.value = f.filled("type", whole), f.filled("value", whole)
	w.description, w.comment = f.text("description"), f.text("comment")
	f.limit("description", w.description.text, k.MaxDescription)
	f.limit("comment", w.comment.text, k.MaxComment)
	if !k.OldGeneration {
		w.name = f.text("name")
		w.name.text = strings.TrimSpace(w.name.text)
		f.limit("name", w.name.text, k.maxName())
	}
}

// fill makes a row what is wished for; what the wish does not speak of stays.
func (w *wish) fill(k *Knobs, kind string, r *row) {
	w.typ.into(&r.typ)
	if w.value.given {
		r.value = k.value(r.typ, w.value.text)
	}
	if w.name.given {
		r.name = k.name(w.name.text)
		r.setNull(nullName, w.name.null)
	}
	if w.description.given {
		r.description = k.description(w.description.text)
		r.setNull(nullDescription, w.description.null)
	}
	if w.comment.given {
		r.comment = k.comment(w.comment.text)
		r.setNull(nullComment, w.comment.null)
	}
	w.hlStatus.into(&r.hlStatus)
	r.state = w.state.apply(kind, r.state, k.FlagsWin)
	m := *r.rest
	w.override.into(&m.override)
	w.confidence.into(&m.confidence)
	if w.references != nil {
		m.references = *w.references
	}
	if w.content.given {
		w.read(k, kind, &m)
	}
	r.rest = m.orNone(kind)
}

// read fills what follows from the content.
func (w *wish) read(k *Knobs, kind string, m *rest) {
	m.content, m.errors = k.content(w.content.text), w.facts.errors
	if w.wrong != nil {
		m.errors = []string{w.wrong.Error()}
		return
	}
	if kind == Sigma && !k.KeepContent {
		m.content = k.content(w.facts.text)
	}
	m.ruleName, m.level, m.ruleNames, m.tags, m.warnings = w.facts.title, w.facts.level, w.facts.names, w.facts.techniques, w.facts.warnings
}

// check refuses a row that is filled, but for its name being taken.
func (k *Knobs) check(c *collection, f *form, w *wish, next, old *row) {
	if next.src == nil && f.problems["source_id"] == nil {
		f.refuse("source_id", "There is no source with this id.")
	}
	if c.kind == IOC {
		checkValue(f, next)
	}
	if w.wrong != nil && !k.KeepBroken {
		f.refuse("content", w.wrong.Error())
	}
	if c.kind == Sigma && w.content.given && w.wrong == nil && w.facts.id != "" && !strings.EqualFold(w.facts.id, old.ruleID) {
		f.refuse("id", "The id of a Sigma rule cannot be changed.")
	}
	if k.NoDisableEdit && old.state != disabled && next.state == disabled {
		const why = "A rule cannot be edited while it is being disabled."
		for name, changed := range map[string]bool{
			"name": next.name != old.name, "description": next.description != old.description,
			"comment": next.comment != old.comment, "content": next.content != old.content,
		} {
			if changed {
				f.refuse(name, why)
			}
		}
	}
}

// taken is the answer to what must be unique and is not (contract harfanglab-api 1.7).
func taken(kind string) *answer {
	if kind == IOC {
		return &answer{status: http.StatusBadRequest, body: map[string][]string{"__all__": {"['Ioc rule with this Type, Value and Source already exists.']"}}}
	}
	return &answer{status: http.StatusBadRequest, body: map[string][]string{"id": {sameID}}}
}

const sameID = "Sigma rule with this Id already exists."
