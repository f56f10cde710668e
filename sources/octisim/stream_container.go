package octisim

import (
	"cmp"
	"slices"
)

// Container is an object that holds others, such as a report. Only the stream knows of containers: an
// indicator inside one that matches a stream's filter is followed (contract opencti-api 5.5).
type Container struct {
	ID         string        `json:"id,omitempty"` // internal id; made when empty
	EntityType string        `json:"entity_type"`  // Report when empty
	Name       string        `json:"name"`
	Labels     List[Label]   `json:"objectLabel,omitempty"`
	Markings   List[Marking] `json:"objectMarking,omitempty"`
	Objects    []string      `json:"objects"` // any ids of what is inside
}

type container struct {
	base
	name    string
	labels  []*label
	objects []string // as they were given
}

func (*container) typename() string { return "Container" }

var containerColumns = allColumns(columns[*container]{
	"name":           {text: func(c *container) string { return c.name }},
	"representative": {text: func(c *container) string { return c.name }},
	"objectLabel":    {id: true, texts: func(c *container) []string { return labelWords(c.labels) }},
	"objects":        {id: true, texts: func(c *container) []string { return c.objects }},
	"creator_id":     {id: true, text: func(*container) string { return systemUser }},
	"entity_type":    {texts: func(c *container) []string { return append([]string{c.entity}, ancestry["Note"][1:]...) }},
})

// PutContainer stores a container, or replaces the one with its id, and gives the id. The stream says
// nothing of it.
func (s *Sim) PutContainer(in Container) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ID == "" {
		in.ID = s.newID()
	}
	at := momentOf(s.now())
	kind := cmp.Or(in.EntityType, "Report")
	c := &container{
		base: base{
			id: in.ID, standard: standardID("report", contributing{"name": in.Name}), entity: kind,
			createdAt: at, updatedAt: at, markings: s.markingsOf(in.Markings),
		},
		name: in.Name, labels: s.labelsOf(in.Labels),
	}
	for _, id := range in.Objects {
		if v := s.items[id]; v != nil {
			id = v.core().id
		}
		c.objects = append(c.objects, id)
	}
	s.live.containers[in.ID] = c
	return in.ID
}

// DeleteContainer forgets a container. It is false for an unknown id.
func (s *Sim) DeleteContainer(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live.containers[id]
	delete(s.live.containers, id)
	return ok
}

// holders are the containers that hold the object with an internal id: also cases and notes, which
// imports bring.
func (s *Sim) holders(id string) []*container {
	var out []*container
	for _, kind := range []string{"case-incident", "note"} {
		for _, e := range s.entities[kind].byStandard.list() {
			if !e.dead && slices.Contains(e.told().objects, id) {
				out = append(out, &container{base: e.base, name: e.shown(), labels: e.told().labels, objects: e.told().objects})
			}
		}
	}
	for _, c := range s.live.containers {
		if slices.Contains(c.objects, id) {
			out = append(out, c)
		}
	}
	return out
}

// contained tells whether an object is inside a container that the user may see and that passes.
func (s *Sim) contained(i *indicator, allowed map[*marking]bool, pass livePredicate[*container]) bool {
	for _, c := range s.holders(i.id) {
		if c.visible(allowed) && pass(c, edit[*container]{before: c, after: c, both: true}) {
			return true
		}
	}
	return false
}
