package octisim

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const (
	before811 = "7.260803.0"
	since811  = "7.260811.0"
)

// Each change of an indicator against the messages of a client of the filter wanted (contract opencti-api 5.5).
func TestWhatAChangeOfAnIndicatorSends(t *testing.T) {
	start := func(s *Sim, in Indicator) { s.Put(in) }
	revoke := func(s *Sim) { s.Edit("a", func(i *Indicator) { i.Revoked = true }) }
	tests := []struct {
		name    string
		options []string
		first   []Indicator
		change  func(s *Sim)
		want    []string
	}{
		{"created visible", nil, nil, func(s *Sim) { start(s, deployed("a")) }, []string{"create create a"}},
		{"created not visible", nil, nil, func(s *Sim) { in := deployed("a"); in.Revoked = true; start(s, in) }, []string{}},
		{"updated, visible before and after", nil, []Indicator{deployed("a")}, func(s *Sim) { s.Edit("a", func(i *Indicator) { i.Score = new(9) }) }, []string{"update update a"}},
		{"replaced as it was", nil, []Indicator{deployed("a")}, func(s *Sim) { s.Put(deployed("a")) }, []string{"update update a"}},
		{"updated, becomes visible", nil, []Indicator{{ID: "a", Name: "a", Pattern: "x", PatternType: "sigma"}}, func(s *Sim) { s.Edit("a", func(i *Indicator) { i.Detection = new(true) }) }, []string{"create update a"}},
		{"updated, no longer visible", nil, []Indicator{deployed("a")}, revoke, []string{"delete update a"}},
		{"updated, no longer visible, deletions off", []string{"listen-delete=false"}, []Indicator{deployed("a")}, revoke, []string{}},
		{"expired", nil, []Indicator{deployed("a")}, func(s *Sim) { s.Expire("a") }, []string{"delete update a"}},
		{"updated while not visible", nil, []Indicator{{ID: "a", Name: "a", Pattern: "x", PatternType: "sigma"}}, revoke, []string{}},
		{"deleted while visible", nil, []Indicator{deployed("a")}, func(s *Sim) { s.Delete("a") }, []string{"delete delete a"}},
		{"deleted while visible, deletions off", []string{"listen-delete=false"}, []Indicator{deployed("a")}, func(s *Sim) { s.Delete("a") }, []string{}},
		{"deleted while not visible", nil, []Indicator{{ID: "a", Name: "a", Pattern: "x", PatternType: "sigma"}}, func(s *Sim) { s.Delete("a") }, []string{}},
		{"merged into a visible one", nil, []Indicator{deployed("a"), deployed("b"), deployed("c")}, func(s *Sim) { s.Merge("a", "b", "c") }, []string{"merge merge a"}},
		{"merged into one that is not visible", nil, []Indicator{{ID: "a", Name: "a", Pattern: "x", PatternType: "sigma"}, deployed("b")}, func(s *Sim) { s.Merge("a", "b") }, []string{}},
		{"attached an observable", []string{"no-dependencies=true"}, []Indicator{deployed("a")}, func(s *Sim) { s.Detach("a", s.Attach("a", Observable{EntityType: "Url", Value: "x"})) }, []string{}},
		{"another filter", nil, []Indicator{deployed("a")}, func(s *Sim) {
			s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("revoked", "eq", "true"))})
		}, []string{}},
		{"other rights of the user", nil, []Indicator{deployed("a")}, func(s *Sim) {
			s.PutUser(User{Token: "t", Capabilities: ConnectorRole(), Markings: []string{}})
		}, []string{}},
	}
	for _, v := range []string{"6.9.22", before811, since811} {
		for _, tt := range tests {
			t.Run(v+" "+tt.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := streamed(Options{Version: v}, wanted()...)
					for _, in := range tt.first {
						s.Put(in)
					}
					p := follow(t, s, "s", tt.options...)
					simtest.Is(t, "before the change", 0, len(p.briefs(t)))
					tt.change(s)
					simtest.Same(t, "messages", tt.want, p.briefs(t))
				})
			})
		}
	}
}

// What a transition carries changed with 7.260811.0.
func TestTransitionsCarryTheStateOfTheirVersion(t *testing.T) {
	tests := []struct {
		version string
		revoked bool // in the state that the delete carries
		context bool // is there anything in it
	}{{before811, true, true}, {since811, false, false}}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{Version: tt.version}, wanted()...)
				s.Put(deployed("a"))
				p := follow(t, s, "s")
				s.Edit("a", func(i *Indicator) { i.Revoked = true })
				s.Edit("a", func(i *Indicator) { i.Revoked = false })
				got := p.take(t)[1:]
				if len(got) != 2 || got[0].Event != "delete" || got[1].Event != "create" {
					t.Fatalf("messages %q", briefs(got))
				}
				if got[0].get("data", "revoked") != tt.revoked || got[1].get("data", "revoked") != false {
					t.Errorf("delete carries revoked %v, create %v", got[0].get("data", "revoked"), got[1].get("data", "revoked"))
				}
				for _, m := range got {
					c, there := m.get("context").(map[string]any)
					if !there || (len(c) > 0) != tt.context {
						t.Errorf("%s has the context %v", m.Event, m.get("context"))
					}
				}
			})
		})
	}
}

func TestAnUpdateTellsTheWayBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{}, wanted()...)
		in := deployed("a")
		in.Labels = []Label{{"one"}}
		s.Put(in)
		p := follow(t, s, "s", "from=0")
		s.Edit("a", func(i *Indicator) {
			i.Labels = []Label{{"one"}, {"two"}}
			i.Description = "new"
			i.Score = new(10)
		})
		got := p.take(t)
		was, now := got[1], got[2]
		if now.brief() != "update update a" || now.get("message") == "" || now.get("scope") != "external" || now.get("version") != "4" {
			t.Fatalf("update is %s", now.Text)
		}
		back := patched(t, now.get("data"), now.get("context", "reverse_patch"))
		simtest.Same(t, "data after reverse_patch", was.get("data"), back)
		simtest.Same(t, "state before after patch", now.get("data"), patched(t, was.get("data"), now.get("context", "patch")))
		simtest.Is(t, "context of a create", nil, was.get("context"))
	})
}

func TestMergedSourcesVanishInTheMergeAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{}, wanted()...)
		for _, id := range []string{"a", "b", "c"} {
			in := deployed(id)
			in.Labels = []Label{{"of " + id}}
			in.Observables = []Observable{{EntityType: "Domain-Name", Value: id + ".example"}}
			s.Put(in)
		}
		b, _ := s.Indicator("b")
		p := follow(t, s, "s", "no-dependencies=true")
		if s.Merge("a", "nobody") || s.Merge("a") || s.Merge("a", "a") || s.Merge("nobody", "a") || !s.Merge("a", "b", b.StandardID, "c") {
			t.Fatal("merges that cannot be were done, or the one that can was not")
		}
		got := p.take(t)
		if len(got) != 2 || got[1].brief() != "merge merge a" {
			t.Fatalf("messages %q", briefs(got))
		}
		var gone []string
		sources, _ := got[1].get("context", "sources").([]any)
		for _, v := range sources {
			m := sse{Data: map[string]any{"data": v}}
			gone = append(gone, fmt.Sprint(m.octi("id")))
		}
		simtest.Same(t, "context.sources", []string{"b", "c"}, gone)
		target, _ := s.Indicator(b.StandardID)
		if target.ID != "a" || len(target.Labels) != 3 || len(target.Observables) != 3 || len(s.Indicators()) != 1 {
			t.Errorf("the standard id of a source leads to %+v", target)
		}
		if _, ok := s.Indicator("b"); ok {
			t.Error("a source is still there")
		}
		if back := patched(t, got[1].get("data"), got[1].get("context", "reverse_patch")); cmp.Equal(back, got[1].get("data")) {
			t.Error("reverse_patch of a merge changes nothing")
		}
	})
}

// An indicator outside of the filter is followed as long as it is in a container inside of it.
func TestContainersLetTheirIndicatorsThrough(t *testing.T) {
	tests := []struct {
		name, members, object string
		options, want         []string
	}{
		{"a container that matches", `"labels": ["hunt"]`, "a", nil, []string{"update update a"}},
		{"also without dependencies", `"labels": ["hunt"]`, "a", []string{"no-dependencies: true"}, []string{"update update a"}},
		{"one that does not match", `"labels": ["other"]`, "a", nil, []string{}},
		{"one without the indicator", `"labels": ["hunt"]`, "b", nil, []string{}},
		{"one that the user may not see", `"labels": ["hunt"], "object_marking_refs": ["` + red + `"]`, "a", nil, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{Version: newest})
				s.PutUser(User{Token: "t", Capabilities: []string{"TAXIIAPI", "APIACCESS_USETOKEN"}, Markings: []string{"TLP:GREEN"}})
				s.Put(deployed("a"))
				s.Put(deployed("b"))
				box := `{"type": "note", "id": "` + fresh("note") + `", "content": "box", "created": "2026-03-01T10:00:00.000Z", "object_refs": ["` + tt.object + `"], ` + tt.members + `}`
				wants(t, errorsOf(s, box), "")
				s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("objectLabel", "eq", "hunt"))})
				p := follow(t, s, "s", tt.options...)
				s.Edit("a", func(i *Indicator) { i.Score = new(7) })
				simtest.Same(t, "messages", tt.want, p.briefs(t))
				wants(t, errorsOf(s, plus(box, `"opencti_operation": "delete"`)), "")
				s.Edit("a", func(i *Indicator) { i.Score = new(8) })
				simtest.Is(t, "without the container", 0, len(p.briefs(t)))
			})
		})
	}
}

// patched applies a JSON patch to a copy of a document.
func patched(t failer, doc, patch any) any {
	t.Helper()
	text, err := json.Marshal(doc)
	simtest.Fine(t, err)
	var out any
	simtest.Fine(t, json.Unmarshal(text, &out))
	ops, ok := patch.([]any)
	if !ok {
		t.Fatalf("no patch: %v", patch)
	}
	for _, v := range ops {
		applyOp(t, out, v.(map[string]any))
	}
	return out
}
