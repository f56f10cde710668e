package opencti_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"harfangsync/sources/opencti"
)

// Whatever text a stream holds: no panic, and what is understood is in a form that reads as itself.
func FuzzParseFilters(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", group(""), group(`{"key":"revoked","values":[false],"operator":null,"mode":""}`), group(`{"key":["a"],"operator":"has_changed","values":[]}`),
		`{"mode":"or","filters":[{"key":["a"],"values":[1,"2"],"operator":"within"}],"filterGroups":[{"mode":"and","filters":[],"filterGroups":[]}]}`,
		`{"entity_type":[{"id":"Indicator"}]}`, `{"mode":"and","filters":[`, `{"Mode":"or","FILTERS":[{"KEY":"x","Values":[]}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := opencti.ParseFilters(text)
		if err != nil || g == nil {
			return
		}
		clean, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := opencti.ParseFilters(string(clean))
		if err != nil {
			t.Fatalf("%q became %s, which is refused: %v", text, clean, err)
		}
		if diff := cmp.Diff(g, again); diff != "" {
			t.Errorf("%q (-first +again):\n%s", text, diff)
		}
		if g.Digest() != again.Digest() {
			t.Errorf("%q has two digests", text)
		}
	})
}
