package hlsim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// control serves what tests and people use instead of the console: GET and POST /_sim/rules/{kind},
// PATCH and DELETE /_sim/rules/{kind}/{id}, GET /_sim/sources/{kind}, PATCH /_sim/knobs and POST
// /_sim/promote. A POST names its list by name in the member list. Faults and requests are simhttp's.
func (s *Sim) control(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/_sim/"), "/"), "/")
	bad := func(text string) { http.Error(w, text, http.StatusBadRequest) }
	kind := ""
	if len(parts) > 1 {
		kind = parts[1]
		if s.stores[kind] == nil {
			bad("kind: want ioc, sigma or yara")
			return
		}
	}
	switch {
	case r.Method == http.MethodPatch && parts[0] == "knobs":
		var err error
		s.SetKnobs(func(k *Knobs) { err = json.NewDecoder(r.Body).Decode(k) })
		if err != nil {
			bad(err.Error())
		}
	case r.Method == http.MethodPost && parts[0] == "promote":
		s.Promote()
	case r.Method == http.MethodGet && parts[0] == "sources" && kind != "":
		send(w, answer{http.StatusOK, s.Sources(kind)})
	case r.Method == http.MethodGet && parts[0] == "rules" && kind != "":
		send(w, answer{http.StatusOK, append([]Rule{}, s.Rules(kind)...)})
	case r.Method == http.MethodPost && parts[0] == "rules" && kind != "":
		var body struct {
			List string
			Rule
		}
		body.Enabled = true
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			bad(err.Error())
			return
		}
		src, err := s.AddSource(kind, orWord(body.List, "from_OpenCTI"))
		if err != nil {
			bad(err.Error())
			return
		}
		body.SourceID = src
		id := s.Add(kind, body.Rule)
		if id == "" {
			bad("its identity is taken")
			return
		}
		send(w, answer{http.StatusCreated, map[string]string{"id": id}})
	case r.Method == http.MethodPatch && parts[0] == "rules" && len(parts) == 3:
		var err error
		found := s.Edit(kind, parts[2], func(rule *Rule) {
			next := *rule
			if err = json.NewDecoder(r.Body).Decode(&next); err == nil {
				next.ID, next.SourceID = rule.ID, rule.SourceID
				*rule = next
			}
		})
		switch {
		case err != nil:
			bad(err.Error())
		case !found:
			http.NotFound(w, r)
		}
	case r.Method == http.MethodDelete && parts[0] == "rules" && len(parts) == 3:
		if !s.Delete(kind, parts[2]) {
			http.NotFound(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}
