package hlsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// alertControls are the controls of alerts and threats:
//
//	POST                /_sim/saw           a Sighting, or a list of them
//	GET                 /_sim/alerts        all documents, the oldest first
//	POST                /_sim/alerts        a document, {"saw": Sighting}, {"generate": Spec}, or a list of these
//	GET, PATCH          /_sim/alerts/{id}   PATCH takes the members that change; a status is triage
//	GET                 /_sim/threats
//	GET, PATCH, DELETE  /_sim/threats/{id}  PATCH takes status, cascade and note; DELETE leaves the alerts
//
// What makes alerts answers {"alerts": 2, "ids": [...]}, and with 400 {"errors": [...]} too: the rest
// was done all the same.
func (s *Sim) alertControls(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sim/saw", func(w http.ResponseWriter, r *http.Request) { s.makeByControl(w, r, s.sawOne) })
	mux.HandleFunc("GET /_sim/alerts", func(w http.ResponseWriter, _ *http.Request) { respond(w, true, s.Alerts()) })
	mux.HandleFunc("POST /_sim/alerts", func(w http.ResponseWriter, r *http.Request) { s.makeByControl(w, r, s.makeOne) })
	mux.HandleFunc("GET /_sim/alerts/{id}", func(w http.ResponseWriter, r *http.Request) {
		doc, there := s.Alert(r.PathValue("id"))
		respond(w, there, doc)
	})
	mux.HandleFunc("PATCH /_sim/alerts/{id}", s.patchByControl)
	mux.HandleFunc("GET /_sim/threats", func(w http.ResponseWriter, _ *http.Request) { respond(w, true, s.Threats()) })
	mux.HandleFunc("GET /_sim/threats/{id}", func(w http.ResponseWriter, r *http.Request) {
		t, there := s.Threat(r.PathValue("id"))
		respond(w, there, t)
	})
	mux.HandleFunc("PATCH /_sim/threats/{id}", s.patchThreatByControl)
	mux.HandleFunc("DELETE /_sim/threats/{id}", func(w http.ResponseWriter, r *http.Request) {
		respond(w, s.DropThreat(r.PathValue("id")), nil)
	})
}

// made is the answer to what makes alerts.
type made struct {
	Alerts int      `json:"alerts"`
	IDs    []string `json:"ids"`
	Errors []string `json:"errors,omitempty"`
}

// makeByControl makes alerts from an object, or from each of a list.
func (s *Sim) makeByControl(w http.ResponseWriter, r *http.Request, one func(at int, raw json.RawMessage) ([]string, error)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	var list []json.RawMessage
	if body = bytes.TrimSpace(body); len(body) == 0 || body[0] != '[' {
		list = []json.RawMessage{body}
	} else if err := json.Unmarshal(body, &list); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := made{IDs: []string{}}
	for i, raw := range list {
		ids, err := one(i+1, raw)
		if m.IDs = append(m.IDs, ids...); err != nil {
			m.Errors = append(m.Errors, err.Error())
		}
	}
	m.Alerts = len(m.IDs)
	status := http.StatusCreated
	if m.Errors != nil {
		status = http.StatusBadRequest
	}
	send(w, &answer{status: status, body: m})
}

func (s *Sim) sawOne(at int, raw json.RawMessage) ([]string, error) {
	var seen Sighting
	err := strictly(raw, &seen)
	var ids []string
	if err == nil {
		ids, err = s.Saw(seen)
	}
	if err != nil {
		err = fmt.Errorf("sighting %d: %w", at, err)
	}
	return ids, err
}

// makeOne tells a trigger from a document: it has one member, which is an object.
func (s *Sim) makeOne(at int, raw json.RawMessage) ([]string, error) {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(raw, &all) // what is no object is refused below
	if saw := all["saw"]; len(all) == 1 && objectOf(saw) != nil {
		return s.sawOne(at, saw)
	}
	if generate := all["generate"]; len(all) == 1 && objectOf(generate) != nil {
		var spec Spec
		err := strictly(generate, &spec)
		var ids []string
		if err == nil {
			ids, err = s.Generate(spec)
		}
		if err != nil {
			err = fmt.Errorf("generate %d: %w", at, err)
		}
		return ids, err
	}
	l := loader{sim: s, noun: "alert"}
	l.add(at, raw)
	return l.end()
}

// strictly refuses members that do not exist.
func strictly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (s *Sim) patchByControl(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	if _, err := readHead(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := r.PathValue("id")
	there, err := s.PatchAlert(id, objectOf(bytes.TrimSpace(body)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	doc, _ := s.Alert(id)
	respond(w, there, doc)
}

func (s *Sim) patchThreatByControl(w http.ResponseWriter, r *http.Request) {
	var change struct {
		Status  string      `json:"status"`
		Cascade bool        `json:"cascade"`
		Note    *ThreatNote `json:"note"`
	}
	if err := decode(r, &change); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := r.PathValue("id")
	if change.Status != "" {
		s.TriageThreat(id, change.Status, change.Cascade)
	}
	if change.Note != nil {
		s.WriteNote(id, change.Note.Title, change.Note.Content)
	}
	t, there := s.Threat(id)
	respond(w, there, t)
}
