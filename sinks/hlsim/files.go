package hlsim

import "net/http"

// entry is one file in the answer to a creation (contract harfanglab-api 4.4).
type entry struct {
	ID       string `json:"id,omitempty"`
	Filename string `json:"filename"`
	Content  string `json:"content"`
	Status   *bool  `json:"status,omitempty"`
	Code     string `json:"code"`
}

// createFile makes a Sigma rule or YARA file. A content that is refused is no error of the request: an
// entry of the answer says so.
func (s *Sim) createFile(r *http.Request, c *collection, by *user) *answer {
	f, bad := readForm(r)
	if bad != nil {
		return bad
	}
	k := s.knobs.Load()
	w := k.wishOf(c.kind, f, true)
	given := f.text("name").text
	entries := func(all ...entry) *answer {
		return &answer{status: k.createStatus(), body: map[string][]entry{"status": append([]entry{}, all...)}}
	}
	refuse := func(code, why string) *answer {
		return entries(entry{Filename: given, Content: why, Status: new(false), Code: code})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := c.source(w.source.text)
	if src == nil && f.problems["source_id"] == nil {
		f.refuse("source_id", "There is no source with this id.")
	}
	if bad := f.bad(); bad != nil {
		return bad
	}
	switch {
	case w.wrong != nil:
		return refuse(map[string]string{Sigma: "invalid_sigma_content", YARA: "invalid_yara_content"}[c.kind], w.wrong.Error())
	case k.CreateAnswer == AnswerEmpty:
		return entries()
	case k.CreateAnswer == AnswerNoStatus:
		return entries(entry{Filename: given, Content: w.content.text})
	}
	made := s.newRow(c, w, by)
	made.rest = &rest{ruleID: w.facts.id}
	if c.kind == Sigma && made.ruleID == "" {
		made.ruleID = made.id
	}
	if c.kind == Sigma && !k.OtherSigmaID {
		made.id = made.ruleID
	}
	old := c.overwritten(w, made)
	if old == nil && c.kind == Sigma && c.sameRule(made.ruleID) != nil {
		if k.DuplicateAsEntry {
			return refuse("duplicate_rule", sameID)
		}
		return taken(Sigma)
	}
	w.fill(k, c.kind, made)
	if k.TestingToStable && made.hlStatus == "testing" {
		made.hlStatus = "stable"
	}
	if old != nil {
		made.id, made.created, made.moved = old.id, old.created, s.now()
		c.replace(old, made, k.MoveOnWrite)
		made = old
	} else {
		c.insert(made)
	}
	if k.CreateAnswer == AnswerObject {
		return &answer{status: k.createStatus(), body: k.view(c.kind, made, false)}
	}
	return entries(entry{ID: made.id, Filename: given, Content: made.content, Status: new(true)})
}

// overwritten is the row that a creation with overwrite replaces: the Sigma rule with the same id, the
// YARA file with the same name in the same list (contract harfanglab-api 12.21). nil is none.
func (c *collection) overwritten(w *wish, made *row) (old *row) {
	switch {
	case !w.overwrite:
	case c.kind == Sigma:
		return c.sameRule(made.ruleID)
	default:
		made.src.rows.walk(0, func(r *row) bool {
			if r.name == w.name.text {
				old = r
			}
			return old == nil
		})
	}
	return old
}
