package octisim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"harfangsync/sources/simhttp/simtest"
)

// many indicators, each based on one observable, made one second apart.
func filled(n int) *Sim {
	s := New(Options{Token: "t", Now: func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }})
	s.HTTP.SetLog(false)
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	yes, score := true, 70
	for i := range n {
		name := fmt.Sprintf("host-%d.example", i)
		s.Put(Indicator{
			Name: name, Pattern: "[domain-name:value = '" + name + "']", Detection: &yes, Score: &score,
			CreatedAt: from.Add(time.Duration(i) * time.Second), ValidUntil: from.AddDate(10, 0, 0),
			Labels: []Label{{"bench"}}, Markings: []Marking{{Definition: "TLP:AMBER"}}, Platforms: []string{"windows"},
			Observables: []Observable{{EntityType: "Domain-Name", Value: name}},
		})
	}
	return s
}

func BenchmarkPage(b *testing.B) {
	for _, n := range []int{100_000} {
		s := filled(n)
		for _, bench := range []struct {
			name, text string
			vars       map[string]any
		}{
			{"indicators", indicatorPage, map[string]any{"first": 500, "orderBy": "created_at", "orderMode": "asc", "filters": and(
				is("revoked", "eq", "false"), is("pattern_type", "eq", "stix", "sigma", "yara"), is("valid_until", "gt", "2026-03-01T00:00:00.000Z"),
			)}},
			{"changed since", indicatorPage, map[string]any{"first": 500, "filters": and(is("updated_at", "gte", "2026-03-01T00:00:00.000Z"))}},
		} {
			body, err := json.Marshal(map[string]any{"query": bench.text, "variables": bench.vars})
			simtest.Fine(b, err)
			b.Run(fmt.Sprintf("%s of %d", bench.name, n), func(b *testing.B) {
				for b.Loop() {
					r := httptest.NewRequest("POST", "/graphql", bytes.NewReader(body))
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("Authorization", "Bearer t")
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					if bytes.HasPrefix(w.Body.Bytes(), []byte(`{"errors"`)) {
						b.Fatal(w.Body.String())
					}
				}
			})
		}
	}
}
