package main

import (
	"encoding/json"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile/alert"
	"harfangsync/sources/stix"
)

// importer lets a pull write STIX.
type importer struct{ *stix.Maker }

func newImporter(cfg *config.Config) (*importer, error) {
	hl := &cfg.HarfangLab
	m, err := stix.New(stix.Options{Author: cfg.Connector.Name, Marking: hl.Marking, Score: hl.Score, Console: hl.URL})
	if err != nil {
		return nil, exit.Usagef("%v", err)
	}
	return &importer{m}, nil
}

func (s *importer) TechniqueIDs(a *alert.Alert) []string { return s.Techniques(a) }

func (s *importer) Alert(a *alert.Alert, indicators []string, known func(string) bool) ([]alert.Object, error) {
	s.Known = known
	return s.Maker.Alert(a, indicators)
}

func (s *importer) Read(description string) (alert.Status, string, bool) {
	f, ours := stix.Read(description)
	return f.Status, f.Endpoint, ours
}

func (s *importer) Description(o alert.Object) string {
	var text struct{ Description, Content string }
	if json.Unmarshal(o.JSON, &text) != nil {
		return ""
	}
	return firstOf(text.Description, text.Content)
}

func (s *importer) Fired(a *alert.Alert) []alert.Hint { return stix.Fired(a) }
