package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Origins counts the rules that would begin to detect by who made their indicators and by the labels of these.
type Origins struct {
	Authors []Counted `json:"authors"` // the most frequent first
	Labels  []Counted `json:"labels"`  // likewise; a rule counts for each
}

// Counted is a word and how often it stands.
type Counted struct {
	Word  string `json:"word"` // "" is none
	Count int    `json:"count"`
}

// mostOrigins is how many authors, and how many labels, are named.
const mostOrigins = 20

// origin is where an indicator comes from.
type origin struct {
	author string
	labels []string
}

// originOf numbers where an indicator comes from: there are far fewer of them than indicators. Beyond so
// many they are not told apart.
func (w *Wanted) originOf(ind *Indicator) int {
	const most = 10_000
	labels := slices.Sorted(slices.Values(ind.Labels))
	key := ind.Author + "\x00" + strings.Join(labels, "\x00")
	at, known := w.originAt[key]
	if !known && len(w.origins) < most {
		at = len(w.origins)
		w.originAt[key] = at
		w.origins = append(w.origins, origin{strings.Clone(ind.Author), labels})
	}
	return at
}

// begun counts a rule that begins to detect.
func (c *computation) begun(ch *Change, rec *wantRecord) {
	if !ch.begins() {
		return
	}
	from := c.w.origins[rec.Origin]
	c.authors[from.author]++
	for _, l := range from.labels {
		c.labels[l]++
	}
}

// originsOf is what begun has counted.
func (c *computation) originsOf() *Origins {
	if len(c.authors)-min(c.authors[""], 1)+len(c.labels) == 0 {
		return nil // nobody says where they come from
	}
	return &Origins{Authors: mostOf(c.authors), Labels: mostOf(c.labels)}
}

func mostOf(n map[string]int) []Counted {
	words := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(n[b]-n[a], cmp.Compare(a, b)) })
	out := []Counted{}
	for _, w := range words[:min(len(words), mostOrigins)] {
		out = append(out, Counted{w, n[w]})
	}
	return out
}
