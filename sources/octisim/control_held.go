package octisim

import (
	"encoding/json"
	"net/http"
)

// heldControls serves what imports brought, and what happens to it:
//
//	GET     /_sim/held                   counts, a Held
//	GET     /_sim/incidents, /_sim/cases, /_sim/notes, /_sim/attack-patterns, /_sim/identities,
//	        /_sim/observables, /_sim/relations, /_sim/sightings, /_sim/works
//	                                     all; with ?count the number alone, as {"count": 3}
//	POST    /_sim/import                 a bundle, as Import; gives {"errors": [...]}
//	POST    /_sim/expire                 Expire of what is due, or of {"ids": [...]}; gives {"expired": 2}
//	DELETE  /_sim/works/{id}
func (s *Sim) heldControls(mux *http.ServeMux) {
	lists(mux, "incidents", s.Incidents, s.Held, func(h Held) int { return h.Incidents })
	lists(mux, "cases", s.Cases, s.Held, func(h Held) int { return h.Cases })
	lists(mux, "notes", s.Notes, s.Held, func(h Held) int { return h.Notes })
	lists(mux, "attack-patterns", s.AttackPatterns, s.Held, func(h Held) int { return h.AttackPatterns })
	lists(mux, "identities", s.Identities, s.Held, func(h Held) int { return h.Identities })
	lists(mux, "observables", s.Observables, s.Held, func(h Held) int { return h.Observables })
	lists(mux, "relations", s.Relations, s.Held, func(h Held) int { return h.Relations })
	lists(mux, "sightings", s.Sightings, s.Held, func(h Held) int { return h.Sightings })
	lists(mux, "works", s.Works, s.Held, func(h Held) int { return h.Works })
	mux.HandleFunc("GET /_sim/held", func(w http.ResponseWriter, _ *http.Request) { show(w, s.Held()) })
	mux.HandleFunc("POST /_sim/import", func(w http.ResponseWriter, r *http.Request) {
		var bundle json.RawMessage
		if !take(w, r, &bundle) {
			return
		}
		wrong, err := s.Import(bundle)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		show(w, map[string]any{"errors": append([]WorkError{}, wrong...)})
	})
	mux.HandleFunc("POST /_sim/expire", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ IDs []string }
		if r.ContentLength == 0 || take(w, r, &in) {
			show(w, map[string]int{"expired": s.Expire(in.IDs...)})
		}
	})
	mux.HandleFunc("DELETE /_sim/works/{id}", func(w http.ResponseWriter, r *http.Request) {
		found404(w, s.DeleteWork(r.PathValue("id")), nil)
	})
}

// lists serves one kind of what is held.
func lists[V any](mux *http.ServeMux, name string, all func() []V, held func() Held, count func(Held) int) {
	mux.HandleFunc("GET /_sim/"+name, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("count") {
			show(w, map[string]int{"count": count(held())})
			return
		}
		show(w, all())
	})
}
