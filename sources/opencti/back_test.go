package opencti_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// pushed is a bundle of everything that an alert may bring.
const pushed = `{"type": "bundle", "id": "bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c11", "objects": [
	{"type": "identity", "spec_version": "2.1", "id": "identity--5291661f-02f8-509d-9f7b-34bf85259b21", "name": "Example EDR Bridge", "identity_class": "organization"},
	{"type": "identity", "spec_version": "2.1", "id": "identity--81f298e7-4bb5-5459-8451-8bca41e52c14", "name": "srv-db-01.corp.example", "identity_class": "system"},
	{"type": "incident", "spec_version": "2.1", "id": "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8", "name": "Alert 4711", "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z", "description": "First"},
	{"type": "attack-pattern", "spec_version": "2.1", "id": "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a", "name": "PowerShell", "x_mitre_id": "T1059.001"},
	{"type": "note", "spec_version": "2.1", "id": "note--36a9d9af-b9da-5e63-8fee-686f8ae5397f", "abstract": "Alert 4711", "content": "Triage: true positive", "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z", "object_refs": ["incident--9eb63999-f423-53f5-b72d-d7088abf4cb8"]},
	{"type": "case-incident", "spec_version": "2.1", "id": "case-incident--e994cb4f-62a4-56ef-b122-6e37c37f933e", "name": "Case 99", "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z", "description": "Opened", "object_refs": ["incident--9eb63999-f423-53f5-b72d-d7088abf4cb8"]},
	{"type": "relationship", "spec_version": "2.1", "id": "relationship--b0e12c50-7a4f-5c0e-9a6d-0a4f5c7e8d10", "relationship_type": "indicates", "source_ref": "INDICATOR", "target_ref": "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8", "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z"},
	{"type": "sighting", "spec_version": "2.1", "id": "sighting--d95c25fe-4908-518f-b549-603dc6b97c46", "sighting_of_ref": "INDICATOR", "where_sighted_refs": ["identity--81f298e7-4bb5-5459-8451-8bca41e52c14"], "first_seen": "2026-03-01T10:00:00.000Z", "last_seen": "2026-03-01T10:05:00.000Z", "count": 3, "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z"}
]}`

// What is pushed is read back by the ids under which it was pushed.
func TestWhatIsPushedIsReadBack(t *testing.T) {
	ctx := context.Background()
	for _, version := range []string{"6.2.6", "6.5.7", "6.9.22", "7.260817.0"} {
		s, p := simulated(t, octisim.Options{Version: version}, opencti.Options{})
		fill(s, 1)
		indicator, _ := s.Indicator("i00")
		if _, err := p.Ident(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab"}); err != nil {
			t.Fatal(err)
		}
		work, err := p.AddWork(ctx, connectorID, "alerts")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Push(ctx, connectorID, strings.ReplaceAll(pushed, "INDICATOR", indicator.StandardID), work); err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		state, err := p.Work(ctx, work)
		want := &pull.Work{Complete: true, Expected: 8, Processed: 8}
		if version == "6.2.6" {
			want = &pull.Work{} // the work is another one, which the platform made
		}
		if d := cmp.Diff(want, state); d != "" || err != nil {
			t.Errorf("%s: %v, work (-want +got):\n%s", version, err, d)
		}
		if err := p.CloseWork(ctx, work, "done"); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		for _, tt := range []struct {
			id, want string
			ask      func(context.Context, []string) ([]pull.Stored, error)
		}{
			{"incident--9eb63999-f423-53f5-b72d-d7088abf4cb8", "Alert 4711: First", p.Incidents},
			{"case-incident--e994cb4f-62a4-56ef-b122-6e37c37f933e", "Case 99: Opened", p.Cases},
			{"note--36a9d9af-b9da-5e63-8fee-686f8ae5397f", "Alert 4711: Triage: true positive", p.Notes},
			{"attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a", "PowerShell: ", p.Techniques},
		} {
			got, err := tt.ask(ctx, []string{tt.id, strings.Replace(tt.id, "--", "--0", 1)[:len(tt.id)]})
			if err != nil || len(got) != 1 || !slices.Contains(got[0].IDs, tt.id) || got[0].Name+": "+got[0].Description != tt.want {
				t.Errorf("%s, %s: %+v, %v", version, tt.id, got, err)
			}
		}
		sightings, err := p.Sightings(ctx, []string{"i00"})
		brief := ""
		for _, x := range sightings {
			brief += fmt.Sprintf("%d %s to %s negative=%t own=%t", x.Count, x.First.Format(time.RFC3339), x.Last.Format(time.RFC3339), x.Negative, slices.Contains(x.IDs, "sighting--d95c25fe-4908-518f-b549-603dc6b97c46"))
			if len(x.Endpoint) < 2 || x.Endpoint[1] != "identity--81f298e7-4bb5-5459-8451-8bca41e52c14" {
				t.Errorf("%s: endpoint %q", version, x.Endpoint)
			}
		}
		if d := cmp.Diff("3 2026-03-01T10:00:00Z to 2026-03-01T10:05:00Z negative=false own=true", brief); d != "" || err != nil {
			t.Errorf("%s: %v, sightings (-want +got):\n%s", version, err, d)
		}
		incidents, err := p.IncidentsOf(ctx, "i00")
		if err != nil || len(incidents) != 1 || !slices.Contains(incidents[0].IDs, "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8") || incidents[0].Name != "Alert 4711" {
			t.Errorf("%s: indicates %+v, %v", version, incidents, err)
		}
	}
}

// A filter by id that a simulated platform ignores or empties is found out.
func TestReadingBackDistrustsTheFilter(t *testing.T) {
	ctx := context.Background()
	for filter, want := range map[string]string{"ignored": "the filter by id is ignored", "empty": "the filter by id does not work"} {
		s, p := simulated(t, octisim.Options{}, opencti.Options{})
		fill(s, 1)
		indicator, _ := s.Indicator("i00")
		if _, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab"}); err != nil {
			t.Fatal(err)
		}
		if err := p.Push(ctx, connectorID, strings.ReplaceAll(pushed, "INDICATOR", indicator.StandardID), ""); err != nil {
			t.Fatal(err)
		}
		s.SetKnobs(func(k *octisim.Knobs) { k.IDsFilter = filter })
		id := "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8"
		if filter == "ignored" {
			id = "incident--00000000-0000-5000-8000-000000000000"
		}
		_, err := p.Incidents(ctx, []string{id})
		says(t, err, want)
	}
}

func TestFilesTellTheirHashesAndWhetherAnIndicatorIsBasedOnThem(t *testing.T) {
	const md5, sha256 = "9e107d9d372bb6826bd81d3542a419d6", "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
	for _, version := range []string{"6.2.6", "7.260817.0"} {
		s, p := simulated(t, octisim.Options{Version: version}, opencti.Options{})
		fill(s, 2)
		file := func(alg, hash string) octisim.Observable {
			return octisim.Observable{EntityType: "StixFile", Hashes: octisim.Hashes{{Algorithm: alg, Hash: hash}}}
		}
		attached, free := s.Attach("i00", file("MD5", md5)), s.Attach("i01", file("SHA-256", sha256))
		s.Detach("i01", free)
		ids := map[string]string{}
		for _, o := range s.Observables() {
			ids[o.ID] = o.StandardID
		}
		got, err := p.Files(context.Background(), []string{ids[attached], ids[free], "file--00000000-0000-4000-8000-000000000000"})
		want := []pull.Stored{
			{IDs: []string{attached, ids[attached]}, Hashes: map[string]string{"MD5": md5}, Based: true},
			{IDs: []string{free, ids[free]}, Hashes: map[string]string{"SHA-256": sha256}},
		}
		byID := func(a, b pull.Stored) int { return strings.Compare(a.IDs[0], b.IDs[0]) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", version, err, d)
		}
	}
}

// What a relationship ties together comes with it, and so does the author.
func TestRelationsTellWhoseTheyAndTheirEndsAre(t *testing.T) {
	const amber = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
	ids := []string{"relationship--d692512e-0ba8-53ba-8a9d-b998603e5410", "relationship--9b9b8c42-8283-510f-99c8-371c2189634d"}
	bundle := strings.NewReplacer("BY", `"created_by_ref": "identity--5291661f-02f8-509d-9f7b-34bf85259b21", "object_marking_refs": ["`+amber+`"]`, "R0", ids[0], "R1", ids[1]).Replace(
		`{"type": "bundle", "id": "bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c12", "objects": [
	{"type": "identity", "spec_version": "2.1", "id": "identity--5291661f-02f8-509d-9f7b-34bf85259b21", "name": "Example EDR Bridge", "identity_class": "organization"},
	{"type": "identity", "spec_version": "2.1", "id": "identity--81f298e7-4bb5-5459-8451-8bca41e52c14", "name": "srv-db-01.corp.example", "identity_class": "system", "confidence": 60, BY},
	{"type": "incident", "spec_version": "2.1", "id": "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8", "name": "Alert 4711", "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z"},
	{"type": "hostname", "spec_version": "2.1", "id": "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1", "value": "srv-db-01", "object_marking_refs": ["` + amber + `"]},
	{"type": "relationship", "spec_version": "2.1", "id": "R0", "relationship_type": "related-to", "source_ref": "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1", "target_ref": "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8", BY},
	{"type": "relationship", "spec_version": "2.1", "id": "R1", "relationship_type": "targets", "source_ref": "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8", "target_ref": "identity--81f298e7-4bb5-5459-8451-8bca41e52c14", "confidence": 40}
]}`)
	for _, version := range []string{"6.2.6", "7.260817.0"} {
		s, p := simulated(t, octisim.Options{Version: version}, opencti.Options{})
		if wrong, err := s.Import([]byte(bundle)); err != nil || len(wrong) > 0 {
			t.Fatal(wrong, err)
		}
		got, err := p.Relations(t.Context(), ids)
		slices.SortFunc(got, func(a, b pull.Stored) int { return b.Confidence - a.Confidence })
		var brief []string
		for _, r := range got {
			for _, o := range append([]pull.Stored{r}, r.Ends...) {
				brief = append(brief, fmt.Sprintf("%.8s %t %d %d", o.IDs[len(o.IDs)-1], o.Authored, len(o.Markings), o.Confidence))
			}
		}
		want := []string{"relation true 1 100", "hostname false 1 0", "identity true 0 0", "relation false 0 40", "identity true 1 60"}
		if d := cmp.Diff(want, brief); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", version, err, d)
		}
	}
}
