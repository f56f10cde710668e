package hlsim

import "fmt"

// lie is what goes wrong with the rows of one page.
type lie struct{ lose, repeat bool }

// disturb does what the knobs want before a page of a listing is read. The caller holds no lock, since
// BeforePage may change the Sim. Of clients that read a page at once, one meets what happens once.
func (s *Sim) disturb(k *Knobs, c *collection, list string, page int) lie {
	if k.BeforePage != nil {
		k.BeforePage(c.kind, page)
	}
	if !k.lies(c.kind) {
		return lie{}
	}
	var now Knobs
	s.SetKnobs(func(k *Knobs) {
		now = *k
		heal := func(at *int) {
			if k.DriftOnce && *at == page {
				*at = 0
			}
		}
		heal(&k.DriftPage)
		heal(&k.LoseRow)
		heal(&k.RepeatRow)
	})
	if now.DriftPage == page {
		s.drift(c, list, now.DriftAdd, now.DriftRemove)
	}
	return lie{lose: now.LoseRow == page, repeat: now.RepeatRow == page}
}

// drift adds rules of somebody else to the list that is read, or to the first one, and deletes from
// the beginning of what is read.
func (s *Sim) drift(c *collection, list string, add, remove int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists := c.sources
	if src := c.source(list); src != nil {
		lists = []*source{src}
	}
	for _, r := range pageOf(lists, 0, remove) {
		c.remove(r)
	}
	for range add {
		if len(lists) == 0 {
			return
		}
		in := Rule{SourceID: lists[0].ID, Enabled: true}
		switch id := newID(); c.kind {
		case IOC:
			in.Type, in.Value = "domain_name", id+".drift.example"
		case Sigma:
			in.Name = "drift " + id
			in.Content = fmt.Sprintf("title: %s\nid: %s\nlogsource:\n  product: windows\ndetection:\n  sel:\n    Image: %s\n  condition: sel\n", in.Name, id, id)
		case YARA:
			in.Name, in.Content = "drift "+id, "rule drift { condition: true }\n"
		}
		_, _ = s.add(c, in, s.now(), true) // the ids are new
	}
}
