package snapshot

import (
	"bytes"
	"encoding/json"
	"time"

	"harfangsync/reconcile"
)

// record is one indicator as a line holds it.
type record struct {
	ID          string       `json:"id"`
	StandardID  string       `json:"standard_id,omitempty"`
	Name        string       `json:"name,omitempty"`
	Description string       `json:"description,omitempty"`
	Pattern     string       `json:"pattern,omitempty"`
	PatternType string       `json:"pattern_type,omitempty"`
	Revoked     bool         `json:"revoked,omitempty"`
	Detection   *bool        `json:"detection,omitempty"`
	Score       *int         `json:"score,omitempty"`
	ValidFrom   time.Time    `json:"valid_from,omitzero"`
	ValidUntil  time.Time    `json:"valid_until,omitzero"`
	CreatedAt   time.Time    `json:"created_at,omitzero"`
	UpdatedAt   time.Time    `json:"updated_at,omitzero"`
	Platforms   []string     `json:"platforms,omitempty"`
	Labels      []string     `json:"labels,omitempty"`
	Markings    []marking    `json:"markings,omitempty"`
	Observables []observable `json:"observables,omitempty"`
}

type marking struct {
	Type       string `json:"type,omitempty"`
	Definition string `json:"definition,omitempty"`
}

type observable struct {
	Type   string            `json:"type,omitempty"`
	ID     string            `json:"id,omitempty"`
	Name   string            `json:"name,omitempty"`
	Value  string            `json:"value,omitempty"`
	Hashes map[string]string `json:"hashes,omitempty"`
}

func recordOf(i *reconcile.Indicator) record {
	r := record{
		ID: i.ID, StandardID: i.StandardID, Name: i.Name, Description: i.Description, Pattern: i.Pattern, PatternType: i.PatternType,
		Revoked: i.Revoked, Detection: i.Detection, Score: i.Score, ValidFrom: i.ValidFrom, ValidUntil: i.ValidUntil,
		CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt, Platforms: i.Platforms, Labels: i.Labels,
	}
	for _, m := range i.Markings {
		r.Markings = append(r.Markings, marking(m))
	}
	for _, o := range i.Observables {
		r.Observables = append(r.Observables, observable(o))
	}
	return r
}

func (r *record) indicator() reconcile.Indicator {
	i := reconcile.Indicator{
		ID: r.ID, StandardID: r.StandardID, Name: r.Name, Description: r.Description, Pattern: r.Pattern, PatternType: r.PatternType,
		Revoked: r.Revoked, Detection: r.Detection, Score: r.Score, ValidFrom: r.ValidFrom, ValidUntil: r.ValidUntil,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, Platforms: r.Platforms, Labels: r.Labels,
	}
	for _, m := range r.Markings {
		i.Markings = append(i.Markings, reconcile.Marking(m))
	}
	for _, o := range r.Observables {
		i.Observables = append(i.Observables, reconcile.Observable(o))
	}
	return i
}

// strictly decodes one line: no unknown members, nothing behind the value.
func strictly(line []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); err == nil || dec.More() {
		return errBehind
	}
	return nil
}
