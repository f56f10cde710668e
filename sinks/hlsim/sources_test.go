package hlsim

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Contract harfanglab-api 12.7.
func TestSources(t *testing.T) {
	for kind, path := range map[string]string{"IOC": iocLists, "Sigma": "/api/data/threat_intelligence/SigmaSource/", "YARA": "/api/data/threat_intelligence/YaraSource/"} {
		t.Run(kind, func(t *testing.T) {
			m := start(t, Options{})
			m.do("POST", path, object{"name": " Second ", "description": "by hand", "enabled": false}).want(t, 201, `"name":"Second","description":"by hand","enabled":false`)
			m.do("POST", path, object{"name": "Second"}).want(t, 400, `{"name":["`).want(t, 400, "already exists")
			m.do("POST", path, object{"name": "second", "description": "another case is another name"}).want(t, 201, `"enabled":true`)
			m.do("POST", path, object{"name": "third"}).want(t, 201, `"description":""`)
			searches := []struct {
				name, query string
				want        []string
			}{
				{"all", "", []string{"from_OpenCTI", "Second", "second", "third"}},
				{"search is a substring in any case", "?search=SEC", []string{"Second", "second"}},
				{"name__exact is exact and knows case", "?name__exact=second", []string{"second"}},
				{"name__exact is no substring", "?name__exact=sec", []string{}},
				{"a page", "?limit=2&offset=1", []string{"Second", "second"}},
				{"beyond the end", "?offset=9", []string{}},
			}
			for _, tt := range searches {
				if diff := cmp.Diff(tt.want, m.get(path+tt.query).column(t, "name")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tt.name, diff)
				}
			}
			m.do("DELETE", path, nil).want(t, 405, "")
		})
	}
}

func TestSourceForm(t *testing.T) {
	tests := []struct {
		name string
		body object
		want string
	}{
		{"no name", object{}, `{"name":["This field is required."]}`},
		{"a null name", object{"name": nil}, `{"name":["This field may not be null."]}`},
		{"a blank name", object{"name": " "}, `{"name":["This field may not be blank."]}`},
		{"everything at once", object{"name": []string{}, "enabled": "yes"}, `{"enabled":["Must be a valid boolean."],"name":["Not a valid string."]}`},
	}
	m := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { m.do("POST", iocLists, tt.body).want(t, 400, tt.want) })
	}
}

func TestBareSources(t *testing.T) {
	m := start(t, with(Knobs{BareSource: true}))
	m.get(iocLists).want(t, 200, fmt.Sprintf(`[{"id":%q,"name":"from_OpenCTI","description":""}]`, m.list[IOC]))
}
