package octisim

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
)

// controls serves what tests and demonstrations turn from outside, below what simhttp serves there
// and beside streamControls:
//
//	GET, PUT            /_sim/indicators                        all; one Indicator or a list, gives their ids
//	GET, PATCH, DELETE  /_sim/indicators/{id}                   PATCH takes the members that change
//	POST                /_sim/indicators/{id}/observables       an Observable, gives its id
//	DELETE              /_sim/indicators/{id}/observables/{oid}
//	PUT                 /_sim/streams                           a Stream, live unless said otherwise
//	DELETE              /_sim/streams/{id}
//	PUT                 /_sim/users                             a User
//	GET, PUT            /_sim/connectors/{id}                   {"state": ...}
//	POST                /_sim/connectors/{id}/reset
//	GET, PATCH          /_sim/knobs                             Knobs, and "version"
func (s *Sim) controls(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/indicators", func(w http.ResponseWriter, _ *http.Request) { show(w, s.Indicators()) })
	mux.HandleFunc("PUT /_sim/indicators", s.putIndicators)
	mux.HandleFunc("GET /_sim/indicators/{id}", func(w http.ResponseWriter, r *http.Request) {
		i, ok := s.Indicator(r.PathValue("id"))
		found404(w, ok, i)
	})
	mux.HandleFunc("PATCH /_sim/indicators/{id}", s.patchIndicator)
	mux.HandleFunc("DELETE /_sim/indicators/{id}", func(w http.ResponseWriter, r *http.Request) {
		found404(w, s.Delete(r.PathValue("id")), nil)
	})
	mux.HandleFunc("POST /_sim/indicators/{id}/observables", func(w http.ResponseWriter, r *http.Request) {
		var o Observable
		if take(w, r, &o) {
			id := s.Attach(r.PathValue("id"), o)
			found404(w, id != "", map[string]string{"id": id})
		}
	})
	mux.HandleFunc("DELETE /_sim/indicators/{id}/observables/{oid}", func(w http.ResponseWriter, r *http.Request) {
		found404(w, s.Detach(r.PathValue("id"), r.PathValue("oid")), nil)
	})
	mux.HandleFunc("PUT /_sim/streams", func(w http.ResponseWriter, r *http.Request) {
		in := Stream{Live: true}
		if take(w, r, &in) {
			show(w, map[string]string{"id": s.PutStream(in)})
		}
	})
	mux.HandleFunc("DELETE /_sim/streams/{id}", func(w http.ResponseWriter, r *http.Request) {
		found404(w, s.DeleteStream(r.PathValue("id")), nil)
	})
	mux.HandleFunc("PUT /_sim/users", func(w http.ResponseWriter, r *http.Request) {
		var u User
		if take(w, r, &u) {
			s.PutUser(u)
		}
	})
	mux.HandleFunc("GET /_sim/connectors/{id}", func(w http.ResponseWriter, r *http.Request) {
		state, ok := s.Connector(r.PathValue("id"))
		found404(w, ok, map[string]string{"state": state})
	})
	mux.HandleFunc("PUT /_sim/connectors/{id}", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ State string }
		if take(w, r, &in) {
			found404(w, s.SetConnector(r.PathValue("id"), in.State), nil)
		}
	})
	mux.HandleFunc("POST /_sim/connectors/{id}/reset", func(w http.ResponseWriter, r *http.Request) {
		found404(w, s.ResetConnector(r.PathValue("id")), nil)
	})
	s.heldControls(mux)
	mux.HandleFunc("GET /_sim/knobs", func(w http.ResponseWriter, _ *http.Request) { show(w, knobs{s.Knobs(), s.Version()}) })
	mux.HandleFunc("PATCH /_sim/knobs", s.patchKnobs)
	s.streamControls(mux)
}

// knobs is what /_sim/knobs shows and takes.
type knobs struct {
	Knobs
	Version string `json:"version"`
}

func (s *Sim) patchKnobs(w http.ResponseWriter, r *http.Request) {
	in := knobs{s.Knobs(), s.Version()}
	was := in.Version
	if !take(w, r, &in) {
		return
	}
	if _, err := regexp.Compile(in.FailImport); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.SetKnobs(func(k *Knobs) { *k = in.Knobs })
	if in.Version != was {
		s.SetVersion(in.Version)
	}
	show(w, in)
}

func (s *Sim) putIndicators(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if !take(w, r, &raw) {
		return
	}
	var in []Indicator
	if raw[0] != '[' {
		raw = append(append([]byte("["), raw...), ']')
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ids := []string{}
	for _, i := range in {
		id := s.Put(i)
		if id == "" {
			http.Error(w, errTaken.Error()+": "+i.Pattern, http.StatusConflict)
			return
		}
		ids = append(ids, id)
	}
	show(w, map[string]any{"ids": ids})
}

// patchIndicator replaces the members that the body names.
func (s *Sim) patchIndicator(w http.ResponseWriter, r *http.Request) {
	var patch map[string]json.RawMessage
	if !take(w, r, &patch) {
		return
	}
	id := r.PathValue("id")
	if now, ok := s.Indicator(id); ok {
		if _, err := merge(now, patch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	ok := s.Edit(id, func(i *Indicator) {
		if next, err := merge(*i, patch); err == nil {
			*i = next
		}
	})
	found404(w, ok, nil)
}

func merge(i Indicator, patch map[string]json.RawMessage) (Indicator, error) {
	text, err := json.Marshal(i)
	if err != nil {
		return i, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return i, err
	}
	for k, v := range patch {
		all[k] = v
	}
	if text, err = json.Marshal(all); err != nil {
		return i, err
	}
	var next Indicator
	err = json.Unmarshal(text, &next)
	return next, err
}

// take reads a JSON body, or answers 400.
func take(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func show(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// found404 answers v, or nothing for nil, or 404 when there was nothing to do it to.
func found404(w http.ResponseWriter, ok bool, v any) {
	switch {
	case !ok:
		http.Error(w, "not found", http.StatusNotFound)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		show(w, v)
	}
}
