package octisim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// joinObjects joins two objects as an import would.
func joinObjects(s *Sim, kind, from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := momentOf(s.now())
	r := &relation{
		base: base{id: s.newID(), standard: "relationship--" + s.newID(), entity: kind, createdAt: at, updatedAt: at},
		from: s.items[from].core().id, to: s.items[to].core().id,
	}
	s.relate(r)
}

// full is an indicator with an author, a marking and an observable of its own.
func full(id string) Indicator {
	in := deployed(id)
	in.CreatedBy = &Identity{Name: "ACME"}
	in.Markings = []Marking{{Definition: "TLP:GREEN"}}
	in.Observables = []Observable{{EntityType: "Domain-Name", Value: id + ".example"}}
	return in
}

func TestDependenciesGoAhead(t *testing.T) {
	tests := []struct {
		name    string
		options []string
		make    func(s *Sim)
		want    []string
	}{
		{"references only", []string{"no-dependencies=true"}, func(s *Sim) { s.Put(full("a")) },
			[]string{"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create create a"}},
		{"relations and what they lead to", nil, func(s *Sim) { s.Put(full("a")) },
			[]string{"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create domain-name init-dependencies", "create relationship init-dependencies", "create create a"}},
		{"once per connection", nil, func(s *Sim) {
			s.Put(full("a"))
			s.Put(full("b"))
			s.Edit("a", func(i *Indicator) { i.Score = new(1) })
		}, []string{
			"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create domain-name init-dependencies", "create relationship init-dependencies", "create create a",
			"create domain-name init-dependencies", "create relationship init-dependencies", "create create b", "update update a",
		}},
		{"an indicator that does not match", nil, func(s *Sim) {
			s.Put(Indicator{ID: "off", Name: "off", Pattern: "x", PatternType: "yara", Markings: []Marking{{Definition: "TLP:CLEAR"}}})
			s.Put(deployed("a"))
			joinObjects(s, "derived-from", "a", "off")
		}, []string{"create TLP:CLEAR init-dependencies", "create off init-dependencies", "create relationship init-dependencies", "create create a"}},
		{"also the other way round, and nothing of its own", nil, func(s *Sim) {
			in := full("off")
			in.Revoked, in.CreatedBy, in.Markings = true, nil, nil
			s.Put(in)
			s.Put(deployed("a"))
			joinObjects(s, "derived-from", "off", "a")
		}, []string{"create off init-dependencies", "create relationship init-dependencies", "create create a"}},
		{"a sighting and where it was", nil, func(s *Sim) {
			s.Put(deployed("a"))
			s.mu.Lock()
			where := s.identity(&Identity{Name: "PC", EntityType: "System"})
			s.mu.Unlock()
			joinObjects(s, sightingType, "a", where)
		}, []string{"create PC init-dependencies", "create sighting init-dependencies", "create create a"}},
		{"none ahead of a deletion", nil, func(s *Sim) {
			s.Put(full("a"))
			s.Delete("a")
		}, []string{"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create create a", "delete delete a"}},
		{"none of what is not sent", nil, func(s *Sim) { s.Put(full("a")); s.Edit("a", func(i *Indicator) { i.Revoked = true }) },
			[]string{"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create domain-name init-dependencies", "create relationship init-dependencies", "create create a", "delete update a"}},
		{"without a right to the knowledge itself", nil, func(s *Sim) {
			s.PutUser(User{Token: "t", Capabilities: []string{"TAXIIAPI"}, Markings: []string{"TLP:GREEN"}})
			s.Put(full("a"))
		}, []string{"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create domain-name init-dependencies", "create relationship init-dependencies", "create create a"}},
		{"nothing that the user may not see", nil, func(s *Sim) {
			s.PutUser(User{Token: "t", Capabilities: ConnectorRole(), Markings: []string{"TLP:GREEN"}})
			in := full("a")
			in.Observables[0].Markings = []Marking{{Definition: "TLP:RED"}}
			s.Put(in)
		}, []string{"create ACME init-dependencies", "create TLP:GREEN init-dependencies", "create create a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{}, wanted()...)
				tt.make(s)
				got := follow(t, s, "s", append(tt.options, "from=0")...).take(t)
				simtest.Same(t, "messages", tt.want, briefs(got))
				for i, m := range got {
					if m.get("origin", "referer") == nil {
						continue
					}
					next := got[i+1]
					if m.Event != "create" || m.ID != next.ID || m.get("type") != nil || m.get("scope") != nil || m.get("version") != "4" {
						t.Errorf("dependency %s has id %s before %s: %s", m.brief(), m.ID, next.ID, m.Text)
					}
				}
			})
		})
	}
}

// What was sent is forgotten after two hours, or 5000 objects later.
func TestDependenciesComeAgainOnceForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		p := follow(t, s, "s", "no-dependencies=true")
		touch := func() string {
			s.Edit("a", func(i *Indicator) { i.Score = new((*i.Score + 1) % 100) })
			return strings.Join(p.briefs(t), ", ")
		}
		in := full("a")
		in.Score = new(0)
		s.Put(in)
		p.take(t)
		const again = "create ACME init-dependencies, create TLP:GREEN init-dependencies, update update a"
		simtest.Is(t, "at once", "update update a", touch())
		seconds(2*3600 - 1)
		simtest.Is(t, "before two hours", "update update a", touch())
		seconds(2)
		simtest.Is(t, "after two hours", again, touch())
		for i := range 5000 {
			s.Put(deployed(fmt.Sprintf("x%d", i)))
		}
		p.take(t)
		simtest.Is(t, "after 5000 others", again, touch())
	})
}
