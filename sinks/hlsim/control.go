package hlsim

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// controlRoutes are what tests and people use in place of the console, beside what simhttp serves
// there:
//
//	GET, POST           /_sim/rules/{kind}        all; a Rule and the name of its "list", gives its id
//	GET, PATCH, DELETE  /_sim/rules/{kind}/{id}   PATCH takes the members that change
//	GET                 /_sim/sources/{kind}
//	GET, PATCH          /_sim/knobs               PATCH takes the members that change
//	POST                /_sim/promote             what Promote does
//
// Those of alerts and threats are alertControls.
func (s *Sim) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/rules/{kind}", func(w http.ResponseWriter, r *http.Request) {
		respond(w, s.kinds[r.PathValue("kind")] != nil, append([]Rule{}, s.Rules(r.PathValue("kind"))...))
	})
	mux.HandleFunc("POST /_sim/rules/{kind}", s.addByControl)
	mux.HandleFunc("GET /_sim/rules/{kind}/{id}", func(w http.ResponseWriter, r *http.Request) {
		rule, ok := s.Rule(r.PathValue("kind"), r.PathValue("id"))
		respond(w, ok, rule)
	})
	mux.HandleFunc("PATCH /_sim/rules/{kind}/{id}", s.editByControl)
	mux.HandleFunc("DELETE /_sim/rules/{kind}/{id}", func(w http.ResponseWriter, r *http.Request) {
		respond(w, s.Delete(r.PathValue("kind"), r.PathValue("id")), nil)
	})
	mux.HandleFunc("GET /_sim/sources/{kind}", func(w http.ResponseWriter, r *http.Request) {
		respond(w, s.kinds[r.PathValue("kind")] != nil, append([]Source{}, s.Sources(r.PathValue("kind"))...))
	})
	mux.HandleFunc("GET /_sim/knobs", func(w http.ResponseWriter, _ *http.Request) { respond(w, true, s.Knobs()) })
	mux.HandleFunc("PATCH /_sim/knobs", func(w http.ResponseWriter, r *http.Request) {
		var err error
		s.SetKnobs(func(k *Knobs) {
			next := *k.clone()
			if err = decode(r, &next); err == nil {
				*k = next
			}
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		respond(w, true, s.Knobs())
	})
	mux.HandleFunc("POST /_sim/promote", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, true, map[string]int{"promoted": s.Promote()})
	})
	s.alertControls(mux)
	return mux
}

// respond answers 404 when what was asked for is not there.
func respond(w http.ResponseWriter, there bool, body any) {
	switch {
	case !there:
		http.Error(w, "not there", http.StatusNotFound)
	case body == nil:
		send(w, &answer{status: http.StatusNoContent})
	default:
		send(w, &answer{status: http.StatusOK, body: body})
	}
}

// decode refuses members that do not exist, so that a slip in a name is seen.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// addByControl makes a rule, enabled unless it says otherwise, in a list that is made when missing.
func (s *Sim) addByControl(w http.ResponseWriter, r *http.Request) {
	in := struct {
		List string `json:"list"`
		Rule
	}{List: "from_OpenCTI", Rule: Rule{Enabled: true}}
	if err := decode(r, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	kind := r.PathValue("kind")
	if in.SourceID == "" {
		id, err := s.AddSource(kind, in.List)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		in.SourceID = id
	}
	id := s.Add(kind, in.Rule)
	if id == "" {
		http.Error(w, "there is no such list, or such a rule already exists", http.StatusConflict)
		return
	}
	send(w, &answer{status: http.StatusCreated, body: map[string]string{"id": id}})
}

func (s *Sim) editByControl(w http.ResponseWriter, r *http.Request) {
	kind, id := r.PathValue("kind"), r.PathValue("id")
	if _, there := s.Rule(kind, id); !there {
		respond(w, false, nil)
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return // the client went away
	}
	var err error
	done := s.Edit(kind, id, func(rule *Rule) {
		d := json.NewDecoder(&body)
		d.DisallowUnknownFields()
		next := *rule
		if err = d.Decode(&next); err == nil {
			*rule = next
		}
	})
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case !done:
		http.Error(w, "there is no such list, or such a rule already exists", http.StatusConflict)
	default:
		rule, there := s.Rule(kind, id)
		respond(w, there, rule)
	}
}
