package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// blockRows is how many rows of a list are laid out together; the page's script counts on it.
const blockRows = 100

// pageSection is one list of the page. Only removals have their rows in it.
type pageSection struct {
	ID, Title, Lead string
	Count           string
	Types, Reasons  []tally
	Authors, Labels []tally // of what begins to detect
	Blocks          [][]rowView
}

// tally is how often a word stands in a list.
type tally struct{ Word, Count, Meaning string }

// rowView is one removal as HTML.
type rowView struct {
	Action, Symbol string
	Type, Value    string
	Long           int // characters of the whole value, where only its beginning is shown
	Reason, Cause  string
	Owners         []ownerView
	More           int // owners left out
}

type ownerView struct{ Text, Link, Score string }

// parts are the lists of changes on a page, in printed order.
var parts = []struct {
	id, title, lead string
	actions         []reconcile.Action
}{
	{"removals", "Removals", "These rules go. Each is listed with its reason and with who wanted it.", []reconcile.Action{reconcile.Delete, reconcile.Disable}},
	{"adopt", "Adopts", "Existing rules that get our marker; nothing else changes unless shown.", []reconcile.Action{reconcile.Adopt}},
	{"update", "Updates", "Rules whose shown fields change.", []reconcile.Action{reconcile.Update}},
	{"enable", "Enables", "Rules that come back into force.", []reconcile.Action{reconcile.Enable}},
	{"create", "Creates", "Rules that are made.", []reconcile.Action{reconcile.Create}},
}

func (v *pageView) sections(d *planfile.Document) {
	for _, part := range parts {
		s := pageSection{ID: part.id, Title: part.title, Lead: part.lead}
		var rows []*pageChange
		for i := range v.Data.Changes {
			if c := &v.Data.Changes[i]; slices.Contains(part.actions, reconcile.Action(c.Action)) {
				rows = append(rows, c)
			}
		}
		if part.actions[0].Removal() {
			v.Removals = len(rows)
			for some := range slices.Chunk(rows, blockRows) {
				block := make([]rowView, len(some))
				for i, c := range some {
					block[i] = v.row(c)
				}
				s.Blocks = append(s.Blocks, block)
			}
		}
		if o := d.Origins; o != nil && part.id == "create" {
			s.Authors, s.Labels = originTallies(o.Authors), originTallies(o.Labels)
		}
		v.add(s, rows)
	}
	v.add(pageSection{ID: "held", Title: "Held", Lead: "Considered, and left as they are."}, pointers(v.Data.Held))
	v.add(pageSection{ID: "skipped", Title: "Skipped", Lead: "What no rule can say, or the settings leave out."}, pointers(v.Data.Skipped))
}

// originTallies are authors or labels with how many rules come of them.
func originTallies(n []reconcile.Counted) []tally {
	var out []tally
	if len(n) == 1 && n[0].Word == "" {
		return nil // nobody is named
	}
	for _, c := range n {
		out = append(out, tally{Word: Escape(cutLong(cmp.Or(c.Word, "none"))), Count: thousands(c.Count)})
	}
	return out
}

func pointers(list []pageChange) []*pageChange {
	out := make([]*pageChange, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// add puts a section on the page if it has rows.
func (v *pageView) add(s pageSection, rows []*pageChange) {
	if len(rows) == 0 {
		return
	}
	types, reasons := map[string]int{}, map[string]int{}
	for _, c := range rows {
		if c.Kind != "" {
			types[strings.TrimSpace(c.Kind+" "+c.Type)]++
		}
		reasons[c.Reason]++
	}
	s.Count, s.Types, s.Reasons = thousands(len(rows)), v.tallies(types), v.tallies(reasons)
	v.Sections = append(v.Sections, s)
}

// tallies are counted words, the most frequent first.
func (v *pageView) tallies(n map[string]int) []tally {
	words := mostFirst(n)
	out := make([]tally, len(words))
	for i, w := range words {
		out[i] = tally{Word: w, Count: thousands(n[w]), Meaning: v.Data.Meanings[w]}
	}
	return out
}

func (v *pageView) row(c *pageChange) rowView {
	const most = 3
	r := rowView{Action: c.Action, Symbol: reconcile.Action(c.Action).Symbol(), Type: cmp.Or(c.Type, c.Kind), Value: cutLong(c.Value), Reason: c.Reason, Cause: c.Cause}
	if r.Value != c.Value {
		r.Long = len([]rune(c.Value))
	}
	for i, at := range c.Owners {
		if i == most {
			r.More = len(c.Owners) - most
			break
		}
		o := v.Data.Owners[at]
		view := ownerView{Text: cutLong(cmp.Or(o.Name, o.ID, o.Standard))}
		if o.Link {
			view.Link = v.Data.Base + o.ID
		}
		if o.Score != nil {
			view.Score = strconv.Itoa(*o.Score)
		}
		r.Owners = append(r.Owners, view)
	}
	return r
}

func (v *pageView) tiles(d *planfile.Document) {
	add := func(action, symbol, section string) {
		n := d.Summary.ByAction[action]
		if !slices.ContainsFunc(v.Sections, func(s pageSection) bool { return s.ID == section }) {
			section = ""
		}
		v.Tiles = append(v.Tiles, tile{Action: action, Symbol: symbol, Count: thousands(n), ID: section, Zero: n == 0})
	}
	for _, a := range reconcile.Actions {
		section := string(a)
		if a.Removal() {
			section = "removals"
		}
		add(string(a), a.Symbol(), section)
	}
	add("unchanged", "=", "unchanged")
	add("held", "?", "held")
	add("skipped", "?", "skipped")
}

// thousands is a number with a comma after every third digit from the right.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
