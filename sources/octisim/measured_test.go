package octisim

import (
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestListsTakeTheTimeThatWasMeasured(t *testing.T) {
	const (
		page  = `query($first: Int!) { indicators(first: $first) { edges { node { id objectLabel { value } } } } }`
		lean  = `query($first: Int!) { indicators(first: $first) { edges { node { id } } } }`
		based = `query($first: Int!) { stixCoreRelationships(first: $first, relationship_type: ["based-on"]) { edges { node { id } } } }`
	)
	bubble(t, func(t *testing.T) {
		s := registered(t, Options{Now: time.Now})
		s.SetKnobs(func(k *Knobs) { k.Measured = true })
		for _, tt := range []struct {
			query string
			first int
			ms    time.Duration
		}{{page, 500, 137}, {page, 1000, 222}, {page, 2000, 700}, {lean, 500, 82}, {based, 500, 75}} {
			asked := time.Now()
			if r := ask(t, s, tt.query, map[string]any{"first": tt.first}); r.code() != "" {
				t.Fatal(r.Text)
			}
			simtest.Is(t, tt.query, tt.ms, time.Since(asked).Truncate(time.Millisecond)/time.Millisecond)
		}
	})
}
