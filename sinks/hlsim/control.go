package hlsim

import (
	"encoding/json"
	"errors"
	"net/http"
)

// controlRoutes are what tests and people use in place of the console, beside what simhttp serves
// there:
//
//	GET, POST      /_sim/rules/{kind}        all; a Rule and the name of its "list", gives its id
//	PATCH, DELETE  /_sim/rules/{kind}/{id}   PATCH takes the members that change
//	GET            /_sim/sources/{kind}
//	GET, PATCH     /_sim/knobs               PATCH takes the members that change
//	POST           /_sim/saw                 a Sighting, gives the ids of its alerts
//	GET, POST      /_sim/alerts              all documents; {"documents": [...]} or {"generate": Spec}, gives their ids
//	GET            /_sim/threats
func (s *Sim) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	for path, do := range map[string]control{
		"GET /_sim/rules/{kind}":         func(r *http.Request, _ func(any) error) (any, error) { return s.Rules(r.PathValue("kind")), nil },
		"POST /_sim/rules/{kind}":        s.addByControl,
		"PATCH /_sim/rules/{kind}/{id}":  s.editByControl,
		"DELETE /_sim/rules/{kind}/{id}": s.deleteByControl,
		"GET /_sim/sources/{kind}":       func(r *http.Request, _ func(any) error) (any, error) { return s.Sources(r.PathValue("kind")), nil },
		"GET /_sim/knobs":                func(*http.Request, func(any) error) (any, error) { return s.Knobs(), nil },
		"PATCH /_sim/knobs":              s.turnByControl,
		"POST /_sim/saw":                 s.sawByControl,
		"GET /_sim/alerts":               func(*http.Request, func(any) error) (any, error) { return s.Alerts(), nil },
		"POST /_sim/alerts":              s.alertsByControl,
		"GET /_sim/threats":              func(*http.Request, func(any) error) (any, error) { return s.Threats(), nil },
	} {
		mux.Handle(path, do)
	}
	return mux
}

// control does one thing with a request whose body decode reads, and gives the answer's body.
type control func(r *http.Request, decode func(any) error) (any, error)

// errNot says that what a control names is not there, or what it makes is there already.
var errNot = errors.New("there is no such list or rule, or an equal one already exists")

func (do control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields() // so that a slip in a name is seen
	switch out, err := do(r, d.Decode); {
	case errors.Is(err, errNot):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		send(w, ok(out))
	}
}

// addByControl makes a rule, enabled unless it says otherwise, in a list that is made when missing.
func (s *Sim) addByControl(r *http.Request, decode func(any) error) (any, error) {
	in := struct {
		List string `json:"list"`
		Rule
	}{List: "from_OpenCTI", Rule: Rule{Enabled: true}}
	if err := decode(&in); err != nil {
		return nil, err
	}
	kind := r.PathValue("kind")
	if in.SourceID == "" {
		var err error
		if in.SourceID, err = s.AddSource(kind, in.List); err != nil {
			return nil, err
		}
	}
	id := s.Add(kind, in.Rule)
	if id == "" {
		return nil, errNot
	}
	return map[string]string{"id": id}, nil
}

func (s *Sim) editByControl(r *http.Request, decode func(any) error) (any, error) {
	kind, id := r.PathValue("kind"), r.PathValue("id")
	var err error
	done := s.Edit(kind, id, func(rule *Rule) {
		next := *rule
		if err = decode(&next); err == nil {
			*rule = next
		}
	})
	if err == nil && !done {
		err = errNot
	}
	rule, _ := s.Rule(kind, id)
	return rule, err
}

func (s *Sim) deleteByControl(r *http.Request, _ func(any) error) (any, error) {
	if !s.Delete(r.PathValue("kind"), r.PathValue("id")) {
		return nil, errNot
	}
	return struct{}{}, nil
}

func (s *Sim) turnByControl(_ *http.Request, decode func(any) error) (_ any, err error) {
	s.SetKnobs(func(k *Knobs) {
		next := *k.clone()
		if err = decode(&next); err == nil {
			*k = next
		}
	})
	return s.Knobs(), err
}

func (s *Sim) sawByControl(_ *http.Request, decode func(any) error) (any, error) {
	var seen Sighting
	if err := decode(&seen); err != nil {
		return nil, err
	}
	ids, err := s.Saw(seen)
	return map[string][]string{"ids": ids}, err
}

func (s *Sim) alertsByControl(_ *http.Request, decode func(any) error) (any, error) {
	var in struct {
		Documents []json.RawMessage `json:"documents"`
		Generate  *Spec             `json:"generate"`
	}
	if err := decode(&in); err != nil {
		return nil, err
	}
	docs := in.Documents
	if in.Generate != nil {
		made, err := s.Documents(*in.Generate)
		if err != nil {
			return nil, err
		}
		docs = append(docs, made...)
	}
	ids, err := s.LoadAlerts(docs)
	return map[string][]string{"ids": ids}, err
}
