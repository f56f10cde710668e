package main

import (
	"context"
	"encoding/json"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile"
	"harfangsync/reconcile/alert"
	"harfangsync/reconcile/pull"
	"harfangsync/sources/opencti"
	"harfangsync/sources/stix"
)

// knowledgeSide lets a pull write to OpenCTI, and read back what it has.
type knowledgeSide struct {
	client *opencti.Client
	state  *connectorState // names the connector that pushes

	registered bool
}

func (k *knowledgeSide) Indicators(ctx context.Context, ids []string) ([]reconcile.Found, error) {
	found, err := k.client.ByIDs(ctx, ids, nil, false)
	out := make([]reconcile.Found, len(found))
	for i, f := range found {
		out[i] = reconcile.Found{Asked: f.Asked, Indicator: f.Indicator}
	}
	return out, err
}

// idsOf are all ids of an object, the internal one first.
func idsOf(internal, standard string, further []string) []string {
	ids := []string{internal}
	if standard != "" {
		ids = append(ids, standard)
	}
	return append(ids, further...)
}

func storedOf(found []opencti.StoredObject, err error) ([]pull.Stored, error) {
	out := make([]pull.Stored, len(found))
	for i, f := range found {
		out[i] = pull.Stored{IDs: idsOf(f.ID, f.StandardID, f.StixIDs), Name: f.Name, Description: f.Description}
	}
	return out, err
}

func (k *knowledgeSide) Incidents(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return storedOf(k.client.Incidents(ctx, ids))
}

func (k *knowledgeSide) Cases(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return storedOf(k.client.Cases(ctx, ids))
}

func (k *knowledgeSide) Notes(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return storedOf(k.client.Notes(ctx, ids))
}

func (k *knowledgeSide) Techniques(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return storedOf(k.client.AttackPatterns(ctx, ids))
}

func (k *knowledgeSide) IncidentsOf(ctx context.Context, indicator string) ([]pull.Stored, error) {
	return storedOf(k.client.IncidentsOf(ctx, indicator))
}

func (k *knowledgeSide) IndicatorsOf(ctx context.Context, incidents []string) (map[string][]string, error) {
	return k.client.IndicatorsOf(ctx, incidents)
}

func (k *knowledgeSide) Sightings(ctx context.Context, indicator string) ([]pull.Sighted, error) {
	found, err := k.client.SightingsOf(ctx, indicator)
	out := make([]pull.Sighted, len(found))
	for i, s := range found {
		out[i] = pull.Sighted{IDs: idsOf(s.ID, s.StandardID, s.StixIDs), Endpoint: s.EndpointIDs, Count: s.Count, First: s.First, Last: s.Last, Negative: s.Negative}
	}
	return out, err
}

// AddWork opens a work, for the platforms that tie bundles to works. Only a registered connector can
// push, and with a state kept elsewhere it is not registered yet.
func (k *knowledgeSide) AddWork(ctx context.Context, name string) (string, error) {
	if !k.registered {
		if _, err := k.client.Register(ctx, k.state.id, k.state.name, k.state.scope); err != nil {
			return "", err
		}
		k.registered = true
	}
	if !k.client.TiesWorks() {
		return "", nil
	}
	return k.client.AddWork(ctx, k.state.id, name)
}

func (k *knowledgeSide) Push(ctx context.Context, bundle, work string) error {
	return k.client.Push(ctx, k.state.id, bundle, work)
}

func (k *knowledgeSide) Work(ctx context.Context, id string) (*pull.Work, error) {
	w, err := k.client.Work(ctx, id)
	if err != nil || w == nil {
		return nil, err
	}
	out := &pull.Work{Complete: w.Complete, Expected: w.Expected, Processed: w.Processed}
	for _, e := range w.Errors {
		out.Errors = append(out.Errors, pull.WorkError(e))
	}
	return out, nil
}

func (k *knowledgeSide) CloseWork(ctx context.Context, id, message string) error {
	return k.client.CloseWork(ctx, id, message)
}

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
