package octisim

import (
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const addStreamQuery = `mutation($input: StreamCollectionAddInput!) { streamCollectionAdd(input: $input) { id filters stream_live } }`

const listed = `{"type": "indicator", "id": "indicator--a15a9d1c-2b55-4a86-9c1d-6f8f9a1d7c01", "name": "a", "pattern": "[domain-name:value = 'a.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"}`

func TestStreamsAreMadeAndDeleted(t *testing.T) {
	s := registered(t, Options{})
	add := func(filters any) reply {
		return ask(t, s, addStreamQuery, map[string]any{"input": map[string]any{"name": "one", "stream_live": true, "filters": filters}})
	}
	r := add(`{"mode":"and","filters":[{"key":"entity_type","values":["Indicator"]}],"filterGroups":[]}`)
	simtest.Is(t, "a key that is no list", "BAD_USER_INPUT", r.code())
	r = add(`{"mode":"and","filters":[{"key":["entity_type"],"values":["Indicator"]}],"filterGroups":[]}`)
	id, _ := r.get("streamCollectionAdd", "id").(string)
	if r.code() != "" || id == "" || r.get("streamCollectionAdd", "stream_live") != true {
		t.Fatalf("adding a stream: %s", r.Text)
	}
	wants(t, errorsOf(s, listed), "")

	// One with an empty text as filter breaks every new indicator.
	empty, _ := add("").get("streamCollectionAdd", "id").(string)
	wants(t, errorsOf(s, listed), "Unexpected end of JSON input")
	for _, one := range []string{empty, id} {
		r = ask(t, s, `mutation($id: ID!) { streamCollectionEdit(id: $id) { delete } }`, map[string]any{"id": one})
		simtest.Is(t, "deleted", any(one), r.get("streamCollectionEdit", "delete"))
	}
	wants(t, errorsOf(s, listed), "")
	simtest.Is(t, "deleted again", "FUNCTIONAL_ERROR", ask(t, s, `mutation($id: ID!) { streamCollectionEdit(id: $id) { delete } }`, map[string]any{"id": id}).code())
}
