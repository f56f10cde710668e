package render

import (
	"cmp"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// pageData is what the page's script reads. Member names are short because they are repeated for every
// change. Every text is escaped for display; rules' texts keep their line ends and tabs.
type pageData struct {
	Base     string            `json:"base"`     // start of a link to an indicator; empty: no links
	Owners   []pageOwner       `json:"owners"`   // each once; the others name them by their place here
	Changes  []pageChange      `json:"changes"`  // in printed order
	Held     []pageChange      `json:"held"`     // likewise
	Skipped  []pageChange      `json:"skipped"`  // likewise
	Meanings map[string]string `json:"meanings"` // of the reasons above, in words
	Causes   map[string]string `json:"causes"`   // likewise
}

// pageOwner is one indicator.
type pageOwner struct {
	ID       string `json:"i,omitempty"`
	Standard string `json:"s,omitempty"`
	Name     string `json:"n,omitempty"`
	Score    *int   `json:"p,omitempty"`
	Link     bool   `json:"l,omitempty"` // Base and ID are its address
}

// pageChange is one change, held item or skip.
type pageChange struct {
	Action  string       `json:"a"` // of the change; "held" or "skipped"
	Kind    string       `json:"k,omitempty"`
	Type    string       `json:"t,omitempty"`
	Value   string       `json:"v,omitempty"` // value or name
	List    string       `json:"l,omitempty"`
	Row     string       `json:"i,omitempty"`
	Reason  string       `json:"r"`
	Cause   string       `json:"c,omitempty"`
	Note    string       `json:"n,omitempty"` // why it is held or skipped, or what a rule misses, in words
	Owners  []int        `json:"o,omitempty"`
	Fields  [][3]*string `json:"f,omitempty"` // name, before, after; null where there is none
	Diff    []string     `json:"d,omitempty"` // of a rule's text that changes, as Diff makes it
	Content *string      `json:"x,omitempty"` // a rule's text that comes or goes as a whole
}

func dataOf(d *planfile.Document) *pageData {
	p := &pageData{Base: linkBase(d.Source.URL), Owners: []pageOwner{}, Meanings: map[string]string{}, Causes: map[string]string{},
		Changes: make([]pageChange, d.Changes.Len()), Held: make([]pageChange, d.Held.Len()), Skipped: make([]pageChange, d.Skipped.Len())}
	o := ownerTable{page: p, at: map[ownerKey]int{}, byID: map[string]int{}}
	for i, c := range d.Changes.All() {
		p.explain(c.Reason, c.Cause)
		p.Changes[i] = pageChange{Action: Escape(string(c.Action)), Kind: c.Kind.String(), Type: Escape(c.Type), Value: Escape(valueOf(c.Kind, c.Value, c.Name)), List: Escape(c.List),
			Row: Escape(c.ID), Reason: Escape(string(c.Reason)), Cause: Escape(string(c.Cause)), Note: Escape(noteOf(d, c, c.Notes...)), Owners: o.add(c.Owners)}
		p.Changes[i].body(c)
	}
	for i, h := range d.Held.All() {
		p.explain(h.Reason, "")
		p.Held[i] = pageChange{Action: "held", Kind: h.Kind.String(), Type: Escape(h.Type), Value: Escape(valueOf(h.Kind, h.Value, h.Name)), List: Escape(h.List),
			Row: Escape(h.ID), Reason: Escape(string(h.Reason)), Note: Escape(noteOf(d, h.Change, h.Detail)), Owners: o.add(h.Owners)}
	}
	for i, s := range d.Skipped.All() {
		p.explain(s.Reason, "")
		p.Skipped[i] = pageChange{Action: "skipped", Reason: Escape(string(s.Reason)), Note: Escape(s.Detail)}
		if s.Indicator != "" {
			p.Skipped[i].Owners = []int{o.known(s.Indicator, s.Name)}
		}
	}
	return p
}

// noteOf is what is to be known of a change, and its impact; of what is held and is no change, the words alone.
func noteOf(d *planfile.Document, c *reconcile.Change, words ...string) string {
	if c != nil && c.Impact != nil {
		words = append(slices.Clone(words), impactWords(d, c.Impact))
	}
	return strings.Join(words, "; ")
}

func valueOf(k reconcile.Kind, value, name string) string {
	if k == reconcile.IOC {
		return value
	}
	return name
}

func (p *pageData) explain(r reconcile.Reason, c reconcile.Cause) {
	if m, ok := meanings[r]; ok {
		p.Meanings[string(r)] = m
	}
	if m, ok := causes[c]; ok {
		p.Causes[string(c)] = m
	}
}

// body fills in what the change does to each field.
func (row *pageChange) body(c *reconcile.Change) {
	field := func(name string, from, to *string) {
		shown := [3]*string{&name, from, to}
		for i, s := range shown {
			if s != nil {
				shown[i] = new(EscapeLines(*s))
			}
		}
		row.Fields = append(row.Fields, shown)
	}
	both := c.Before != nil && c.After != nil
	names := c.Fields
	if !both {
		names = []string{"name", "enabled", "hl_status", "rule_level_override", "rule_confidence_override", "global_state", "description", "comment", "content"}
	}
	for _, name := range names {
		from, to := fieldOf(c.Before, name), fieldOf(c.After, name)
		switch {
		case name == "content" && both:
			for _, line := range contentDiff(c) {
				row.Diff = append(row.Diff, EscapeLines(line))
			}
			if row.Diff == nil {
				row.Note = strings.TrimPrefix(row.Note+"; Only the spelling of the text or our marker changes.", "; ")
			}
		case name == "content":
			if whole := cmp.Or(from, to); whole != nil {
				row.Content = new(EscapeLines(*whole))
			}
		case name == "comment" && both:
			for _, m := range members(fieldTexts(c, name)) {
				field("comment."+m.Name, m.From, m.To)
			}
		case name == "comment" && c.Before == nil: // made by the program, of what the owners say
		case from != nil || to != nil:
			field(name, from, to)
		}
	}
}
