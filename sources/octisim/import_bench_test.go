package octisim

import (
	"fmt"
	"testing"
)

// manyAlerts are bundles of ten alerts each: of every alert an incident, a file, a technique, relations
// between them and a sighting. All of them happen on one host, whose relations are many.
func manyAlerts(alerts int) []string {
	v := parseVersion(newest)
	var bundles []string
	var objects []string
	for i := range alerts {
		if i%10 == 0 {
			objects = []string{corp, hostUnit, domain, technique, name}
		}
		incident := fmt.Sprintf("incident--00000000-0000-4000-8000-%012d", i)
		hash := fmt.Sprintf("%064x", i)
		file := observableID(v, &Observable{EntityType: "StixFile", Hashes: Hashes{{"SHA-256", hash}}})
		join := func(n int, kind, from, to string) string {
			return relationship(fmt.Sprintf("relationship--0000000%d-0000-4000-8000-%012d", n, i), kind, from, to, "")
		}
		objects = append(objects,
			fmt.Sprintf(`{"type": "incident", "id": %q, "name": "Alert %d", "created": "2026-03-01T10:00:00.000Z", "description": "text", "severity": "high", "labels": ["edr"], "created_by_ref": %q}`, incident, i, corpID),
			fmt.Sprintf(`{"type": "file", "id": %q, "hashes": {"SHA-256": %q}, "name": "a.exe"}`, file, hash),
			join(1, "related-to", file, incident), join(2, "targets", incident, hostID), join(3, "uses", incident, techniqueID), join(4, "related-to", nameID, incident))
		if i%10 == 9 || i == alerts-1 {
			objects = append(objects, sighting(sightedID, "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", i, ""))
			bundles = append(bundles, bundleOf(objects...))
		}
	}
	return bundles
}

// BenchmarkImport brings 10,000 alerts, 60,000 objects, through GraphQL, reads each bundle's incidents
// back by id, and pushes everything once more.
func BenchmarkImport(b *testing.B) {
	bundles := manyAlerts(10_000)
	for b.Loop() {
		s := registered(b, Options{Version: newest})
		s.HTTP.SetLog(false)
		for range 2 {
			for i, text := range bundles {
				if r := ask(b, s, pushQuery, map[string]any{"connectorId": conID, "bundle": text}); r.code() != "" {
					b.Fatal(r.Text)
				}
				r := ask(b, s, `query($f: FilterGroup) { incidents(filters: $f) { pageInfo { globalCount } edges { node { id } } } }`,
					map[string]any{"f": and(is("ids", "eq", fmt.Sprintf("incident--00000000-0000-4000-8000-%012d", 10*i)))})
				if r.get("incidents", "pageInfo", "globalCount") != 1.0 {
					b.Fatal(r.Text)
				}
			}
		}
		if held := s.Held(); held.Incidents != 10_000 || held.Relations != 40_000 || held.Observables != 10_001 {
			b.Fatalf("held %+v", held)
		}
	}
}
