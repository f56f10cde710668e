package hlsim

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

func (s *Sim) oneRule(r *http.Request, _ *user, c *collection) *answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := c.byID[r.PathValue("id")]
	if row == nil {
		return notFound
	}
	return ok(s.knobs.Load().view(c.kind, row, true))
}

// deleteRule refuses a Sigma rule that a correlation uses (contract harfanglab-api 5.3).
func (s *Sim) deleteRule(r *http.Request, _ *user, c *collection) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := c.byID[r.PathValue("id")]
	if row == nil {
		return notFound
	}
	linked := s.knobs.Load().Linked
	if c.kind == Sigma && (slices.Contains(linked, row.id) || slices.Contains(linked, row.ruleID)) {
		return &answer{http.StatusBadRequest, map[string]any{
			"code": "linked_sigma_rule", "linked_correlation": []map[string]string{{"correlation_rule_name": "Recon burst"}},
		}}
	}
	c.remove(row)
	return &answer{status: http.StatusNoContent}
}

// ruleInput is what a request says of a rule.
type ruleInput struct {
	*body
	source, typ, value, name, description, comment, content field

	hlStatus, override, confidence field
	references                     *[]string
	state                          stateChange
	overwrite                      *bool

	facts   facts // those of the content, if it was given
	invalid error // why the content is refused
}

// readRule reads a body. Those of POST and PUT have members that are required.
func (k *Knobs) readRule(kind string, r *http.Request) *ruleInput {
	b, whole := readBody(r), r.Method != http.MethodPatch
	in := &ruleInput{
		body: b, source: b.filled("source_id", whole), hlStatus: b.choice("hl_status", maturities, false),
		override: b.choice("rule_level_override", levels, true), references: b.texts("references"),
		state: stateChange{enabled: b.flag("enabled"), block: b.flag("block_on_agent"), quarantine: b.flag("quarantine_on_agent")},
	}
	if !k.OldGeneration {
		in.confidence = b.choice("rule_confidence_override", confidences, true)
		if global := b.choice("global_state", states, false); global.given {
			in.state.global = &global.text
		}
	}
	if kind == IOC {
		in.state.endpoint = b.flag("endpoint_detection")
		in.typ, in.value = b.filled("type", whole), b.filled("value", whole)
		in.description, in.comment = b.text("description"), b.text("comment")
		b.limit("description", in.description.text, k.MaxDescription)
		b.limit("comment", in.comment.text, k.MaxComment)
		if !k.OldGeneration {
			in.name = b.text("name")
		}
	} else {
		in.name, in.content, in.overwrite = b.filled("name", whole), b.filled("content", whole), b.flag("overwrite")
		if in.content.given && b.problems["content"] == nil {
			in.facts, in.invalid = factsOf(kind, in.content.text)
		}
	}
	in.name.text = strings.TrimSpace(in.name.text)
	b.limit("name", in.name.text, 100)
	return in
}

// fill makes a row what is said; what is not spoken of stays.
func (in *ruleInput) fill(k *Knobs, kind string, r *row) {
	in.typ.into(&r.typ)
	if in.value.given {
		r.value = k.value(r.typ, in.value.text)
	}
	in.name.intoText(&r.name, k.name)
	in.description.intoText(&r.description, k.description)
	in.comment.intoText(&r.comment, k.comment)
	in.hlStatus.into(&r.hlStatus)
	r.state = in.state.apply(kind, r.state, k.FlagsWin)
	m := *r.extra
	in.override.into(&m.override)
	in.confidence.into(&m.confidence)
	if in.references != nil {
		m.references = *in.references
	}
	if in.content.given {
		f := in.facts
		switch {
		case in.invalid != nil: // kept with a knob
			f = m.facts
			f.text, f.errors = in.content.text, []string{in.invalid.Error()}
		case k.KeepContent:
			f.text = in.content.text
		}
		f.ruleID, f.text = m.ruleID, k.content(f.text)
		m.facts = f
	}
	r.extra = m.orNone(kind)
}

// intoText sets a text that may be null to what was said, if anything was.
func (v field) intoText(to **string, stored func(string) string) {
	if v.given {
		if *to = nil; !v.null {
			*to = new(stored(v.text))
		}
	}
}

// check refuses a row that is filled, but for its name being taken.
func (in *ruleInput) check(k *Knobs, c *collection, next, old *row) *answer {
	if next.src == nil && in.problems["source_id"] == nil {
		in.refuse("source_id", "There is no source with this id.")
	}
	if c.kind == IOC && in.problems["type"] == nil && in.problems["value"] == nil {
		if why, known := checkValue(next); !known {
			in.refuse("type", why)
		} else if why != "" {
			in.refuse("value", why)
		}
	}
	if in.invalid != nil && !k.KeepBroken {
		in.refuse("content", in.invalid.Error())
	}
	if c.kind == Sigma && in.content.given && in.invalid == nil && in.facts.ruleID != "" && !strings.EqualFold(in.facts.ruleID, old.ruleID) {
		in.refuse("id", "The id of a Sigma rule cannot be changed.")
	}
	if k.NoDisableEdit && old.state != stateDisabled && next.state == stateDisabled {
		in.refuseEdits(next, old)
	}
	return in.bad()
}

// refuseEdits names the texts that are no longer what they were.
func (in *ruleInput) refuseEdits(next, old *row) {
	for name, edited := range map[string]bool{
		"name": orEmpty(next.name) != orEmpty(old.name), "description": orEmpty(next.description) != orEmpty(old.description),
		"comment": orEmpty(next.comment) != orEmpty(old.comment), "content": next.text != old.text,
	} {
		if edited {
			in.refuse(name, "A rule cannot be edited while it is being disabled.")
		}
	}
}

var (
	hexDigits = regexp.MustCompile(`^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`)
	dotted    = regexp.MustCompile(`^[^\s/]*[^\s/.]\.[^\s/]*[^\s/]$`)
)

// checkValue says why a type does not take a value (contract harfanglab-api 12.13), and whether it is a
// type.
func checkValue(r *row) (why string, known bool) {
	fits := true
	switch r.typ {
	case "hash":
		fits = hexDigits.MatchString(r.value)
	case "domain_name":
		fits = dotted.MatchString(r.value)
	case "ip_src", "ip_dst", "ip_both":
		addr, err := netip.ParseAddr(r.value)
		_, err2 := netip.ParsePrefix(r.value)
		fits = err == nil && addr.Zone() == "" || err2 == nil
	case "filename", "filepath", "url":
		fits = !strings.ContainsAny(r.value, "\n\r")
	default:
		return fmt.Sprintf("%q is not a valid choice.", r.typ), false
	}
	if !fits {
		why = fmt.Sprintf("%q is not a valid value for the type %s.", r.value, r.typ)
	}
	return why, true
}

// updateRule serves PATCH, which changes what it names, and PUT, which must name all that a creation
// must. A rule may move to another list.
func (s *Sim) updateRule(r *http.Request, by *user, c *collection) *answer {
	k := s.knobs.Load()
	in := k.readRule(c.kind, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := c.byID[r.PathValue("id")]
	if old == nil {
		return notFound
	}
	next := *old
	if in.source.given {
		next.src = c.source(strings.TrimSpace(in.source.text))
	}
	in.fill(k, c.kind, &next)
	if bad := in.check(k, c, &next, old); bad != nil {
		return bad
	}
	if c.twin(&next) != nil {
		return taken(c.kind)
	}
	next.updated, next.by = s.now(), by
	c.replace(old, &next, k.MoveOnWrite)
	return ok(k.view(c.kind, old, true))
}

// newRow is a row for a creation. Its last_update comes before its creation_date.
func (s *Sim) newRow(c *collection, in *ruleInput, by *user) *row {
	now := s.now()
	return &row{id: newID(), src: c.source(in.source.text), by: by, created: now, updated: now - early, state: stateAlert, hlStatus: "stable", extra: noExtra}
}

func (s *Sim) createIOC(r *http.Request, by *user, c *collection) *answer {
	k := s.knobs.Load()
	in := k.readRule(IOC, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.newRow(c, in, by)
	in.fill(k, IOC, made)
	if bad := in.check(k, c, made, made); bad != nil {
		return bad
	}
	if c.twin(made) != nil {
		return taken(IOC)
	}
	c.insert(made)
	return &answer{http.StatusCreated, k.view(IOC, made, true)}
}

// fileEntry is one file in the answer to a creation (contract harfanglab-api 4.4).
type fileEntry struct {
	ID       string `json:"id,omitempty"`
	Filename string `json:"filename"`
	Content  string `json:"content"`
	Status   *bool  `json:"status,omitempty"`
	Code     string `json:"code"`
}

// createFile makes a Sigma rule or YARA file. A content that is refused is no error of the request: an
// entry of the answer says so.
func (s *Sim) createFile(r *http.Request, by *user, c *collection) *answer {
	k := s.knobs.Load()
	in := k.readRule(c.kind, r)
	given := in.text("name").text
	entries := func(all ...fileEntry) *answer {
		return &answer{k.createStatus(), map[string][]fileEntry{"status": append([]fileEntry{}, all...)}}
	}
	refuse := func(code, why string) *answer {
		return entries(fileEntry{Filename: given, Content: why, Status: new(false), Code: code})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.newRow(c, in, by)
	if made.src == nil && in.problems["source_id"] == nil {
		in.refuse("source_id", "There is no source with this id.")
	}
	if bad := in.bad(); bad != nil {
		return bad
	}
	switch {
	case in.invalid != nil:
		return refuse("invalid_"+c.kind+"_content", in.invalid.Error())
	case k.CreateAnswer == AnswerEmpty:
		return entries()
	case k.CreateAnswer == AnswerNoStatus:
		return entries(fileEntry{Filename: given, Content: in.content.text})
	}
	if c.kind == Sigma {
		ruleID := in.facts.ruleID
		if ruleID == "" {
			ruleID = made.id
		}
		if made.extra = (&extra{facts: facts{ruleID: ruleID}}); !k.OtherSigmaID {
			made.id = ruleID
		}
	}
	old := c.overwritten(in, made)
	if old == nil && c.kind == Sigma && c.sameRule(made.ruleID) != nil {
		if k.DuplicateAsEntry {
			return refuse("duplicate_rule", sameID)
		}
		return taken(Sigma)
	}
	in.fill(k, c.kind, made)
	if k.TestingToStable && made.hlStatus == "testing" {
		made.hlStatus = "stable"
	}
	if old != nil {
		made.id, made.created, made.updated = old.id, old.created, s.now()
		c.replace(old, made, k.MoveOnWrite)
		made = old
	} else {
		c.insert(made)
	}
	if k.CreateAnswer == AnswerObject {
		return &answer{k.createStatus(), k.view(c.kind, made, false)}
	}
	return entries(fileEntry{ID: made.id, Filename: given, Content: made.text, Status: new(true)})
}

// overwritten is the row that a creation with overwrite replaces: the Sigma rule with the same id, the
// YARA file with the same name in the same list (contract harfanglab-api 12.21). nil is none.
func (c *collection) overwritten(in *ruleInput, made *row) (old *row) {
	switch {
	case in.overwrite == nil || !*in.overwrite:
	case c.kind == Sigma:
		return c.sameRule(made.ruleID)
	default:
		made.src.rows.walk(0, func(r *row) bool {
			if orEmpty(r.name) == in.name.text {
				old = r
			}
			return old == nil
		})
	}
	return old
}

// taken is the answer to what must be unique and is not (contract harfanglab-api 1.7).
func taken(kind string) *answer {
	if kind == IOC {
		return refused("__all__", "['Ioc rule with this Type, Value and Source already exists.']")
	}
	return refused("id", sameID)
}

const sameID = "Sigma rule with this Id already exists."

// What a manager makes of the texts that it is sent, before it stores them.

func (k *Knobs) trimmed(s string) string {
	if k.TrimTexts {
		return strings.TrimSpace(s)
	}
	return s
}

func (k *Knobs) description(s string) string {
	s = cut(k.trimmed(s), k.CutDescription)
	if k.FoldDescriptions {
		s = strings.ToLower(s)
	}
	return s
}

func (k *Knobs) comment(s string) string { return cut(k.trimmed(s), k.CutComment) }

func (k *Knobs) name(s string) string {
	if k.FoldNames {
		return strings.ToLower(s)
	}
	return s
}

func (k *Knobs) content(s string) string {
	if first, rest, more := strings.Cut(s, "\n"); k.DropComments && more && strings.HasPrefix(first, "//") {
		s = rest
	}
	s = cut(k.trimmed(s), k.CutContent)
	if k.CRLF {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
	}
	return s
}

func (k *Knobs) value(typ, s string) string {
	if k.TrimValues {
		s = strings.TrimSpace(s)
	}
	switch {
	case k.UpperHashes && typ == "hash":
		return strings.ToUpper(s)
	case k.FoldValues:
		return strings.ToLower(s)
	}
	return s
}

// cut keeps the first most characters; 0 keeps all.
func cut(s string, most int) string {
	n := 0
	for i := range s {
		if n++; most > 0 && n > most {
			return s[:i]
		}
	}
	return s
}
