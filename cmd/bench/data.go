package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile"
)

const (
	instance = "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01" // the simulators' connector.id
	listName = "from_OpenCTI"
)

func policy() reconcile.Policy {
	return reconcile.Policy{Own: reconcile.Identity{Instance: instance}, List: listName, Base: "http://127.0.0.1", Maturity: "stable"}
}

var born = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// indicator is the i-th of the sample: addresses, domains, hashes and URLs, each with one value.
func indicator(i int) reconcile.Indicator {
	score := 50 + i%50
	id := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "bench-%d", i)).String()
	ind := reconcile.Indicator{
		ID: id, StandardID: "indicator--" + id, Name: fmt.Sprintf("bench indicator %d", i), PatternType: "stix", Score: &score,
		Description: "Seen in the sample campaign, reported by the sample team", Platforms: []string{"windows"},
		ValidFrom: born, ValidUntil: born.AddDate(20, 0, 0), CreatedAt: born.Add(time.Duration(i) * time.Second), UpdatedAt: born.Add(time.Duration(i) * time.Second),
	}
	v := value(i)
	switch v.Type {
	case "ip_both":
		ind.Pattern = "[ipv4-addr:value = '" + v.Value + "']"
	case "domain_name":
		ind.Pattern = "[domain-name:value = '" + v.Value + "']"
	case "hash":
		ind.Pattern = "[file:hashes.'SHA-256' = '" + v.Value + "']"
	case "url":
		ind.Pattern = "[url:value = '" + v.Value + "']"
	}
	return ind
}

func value(i int) reconcile.Value {
	switch i % 10 {
	case 0, 1, 2, 3:
		n := 11<<24 + i // a range that no exclusion touches, below 12.0.0.0 for a million
		return reconcile.Value{Type: "ip_both", Value: fmt.Sprintf("%d.%d.%d.%d", n>>24&255, n>>16&255, n>>8&255, n&255)}
	case 4, 5, 6:
		return reconcile.Value{Type: "domain_name", Value: fmt.Sprintf("host-%d.campaign.example", i)}
	case 7, 8:
		return reconcile.Value{Type: "hash", Value: fmt.Sprintf("%064x", i+1)}
	}
	return reconcile.Value{Type: "url", Value: fmt.Sprintf("https://host-%d.campaign.example/a?id=%d", i, i)}
}

// chunk bounds the memory in which rows are made.
const chunk = 50_000

// eachRow visits n indicators with the rows that a complete apply would leave.
func eachRow(n int, visit func(reconcile.Indicator, reconcile.Row) error) error {
	for from := 0; from < n; from += chunk {
		to := min(n, from+chunk)
		w := reconcile.NewWanted()
		byID := map[string]reconcile.Indicator{}
		for i := from; i < to; i++ {
			ind := indicator(i)
			byID[ind.ID] = ind
			w.Add(&ind, reconcile.Given{Values: []reconcile.Value{value(i)}})
		}
		empty := newRows()
		if err := errors.Join(w.Seal(), empty.Seal(w)); err != nil {
			return err
		}
		plan, err := reconcile.Compute(empty, w, policy(), reconcile.Memory{})
		if err != nil {
			return err
		}
		for _, ch := range plan.Changes.All() {
			row := ch.Row()
			row.ID = ch.Owners[0].ID
			if err := visit(byID[ch.Owners[0].ID], row); err != nil {
				return err
			}
		}
		if err := errors.Join(plan.Changes.Err(), w.Close(), empty.Close()); err != nil {
			return err
		}
	}
	return nil
}

func newRows() *reconcile.Rows {
	return reconcile.NewRows(reconcile.Identity{Instance: instance}, func(_, v string) string { return v })
}

// sets are both sides in memory, in sync.
func sets(n int) (*reconcile.Wanted, *reconcile.Rows, error) {
	w, rows := reconcile.NewWanted(), newRows()
	err := eachRow(n, func(ind reconcile.Indicator, row reconcile.Row) error {
		w.Add(&ind, reconcile.Given{Values: []reconcile.Value{{Type: row.Type, Value: row.Value}}})
		rows.Add(&row)
		return nil
	})
	return w, rows, errors.Join(err, w.Seal(), rows.Seal(w))
}

// generate writes the files that the simulators load: rules are read where they are held.
func generate(indicators, rules string, n int, held bool) (err error) {
	fi, err := os.Create(indicators)
	if err != nil {
		return err
	}
	defer fi.Close()
	wi := bufio.NewWriter(fi)
	ei := json.NewEncoder(wi)
	if !held {
		for i := 0; i < n && err == nil; i++ {
			ind := indicator(i)
			err = ei.Encode(openctiNode(&ind))
		}
		return errors.Join(err, wi.Flush())
	}
	fr, err := os.Create(rules)
	if err != nil {
		return err
	}
	defer fr.Close()
	wr := bufio.NewWriter(fr)
	er := json.NewEncoder(wr)
	err = eachRow(n, func(ind reconcile.Indicator, row reconcile.Row) error {
		return errors.Join(ei.Encode(openctiNode(&ind)), er.Encode(map[string]any{
			"kind": "ioc", "list": listName, "type": row.Type, "value": row.Value, "description": row.Description,
			"comment": row.Comment, "enabled": row.Enabled, "hl_status": row.HLStatus}))
	})
	return errors.Join(err, wi.Flush(), wr.Flush())
}

// openctiNode is an indicator in the shape of OpenCTI's GraphQL node.
func openctiNode(ind *reconcile.Indicator) map[string]any {
	const form = "2006-01-02T15:04:05.000Z"
	return map[string]any{
		"id": ind.ID, "standard_id": ind.StandardID, "entity_type": "Indicator", "name": ind.Name, "description": ind.Description,
		"pattern": ind.Pattern, "pattern_type": ind.PatternType, "revoked": false, "x_opencti_detection": true, "x_opencti_score": *ind.Score,
		"confidence": 80, "x_mitre_platforms": ind.Platforms, "valid_from": ind.ValidFrom.Format(form), "valid_until": ind.ValidUntil.Format(form),
		"created_at": ind.CreatedAt.Format(form), "updated_at": ind.UpdatedAt.Format(form), "objectLabel": []any{}, "observables": []any{},
	}
}
