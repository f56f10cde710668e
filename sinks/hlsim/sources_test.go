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
			made := m.do("POST", path, object{"name": " Second ", "description": "by hand", "enabled": false}).want(t, 201, `"name":"Second","description":"by hand","enabled":false`)
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
			item := path + made.json["id"].(string) + "/"
			m.get(item).want(t, 200, `"Second"`)
			m.do("PATCH", item, object{"name": "third"}).want(t, 400, "already exists")
			m.do("PATCH", item, object{"enabled": true}).want(t, 200, `"name":"Second","description":"by hand","enabled":true`)
			m.do("PUT", item, object{"enabled": true}).want(t, 400, `{"name":["This field is required."]}`)
			m.do("DELETE", item, nil).want(t, 204, "")
			m.get(item).want(t, 404, `{"detail":`)
			m.do("PATCH", item, object{"enabled": true}).want(t, 404, "")
			m.do("POST", item, object{}).want(t, 405, "")
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

func TestDeletingASourceDeletesItsRules(t *testing.T) {
	m := start(t, Options{})
	other, err := m.AddSource(IOC, "other")
	if err != nil {
		t.Fatal(err)
	}
	m.makeIOC("a.example")
	m.makeIOC("a.example", object{"source_id": other})
	m.do("DELETE", iocLists+m.list[IOC]+"/", nil).want(t, 204, "")
	if diff := cmp.Diff([]string{other}, m.get(iocs).column(t, "source_id")); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	m.do("POST", iocs, m.ioc("a.example")).want(t, 400, `{"source_id":["`)
}

func TestBareSources(t *testing.T) {
	m := start(t, with(Knobs{BareSource: true}))
	m.get(iocLists).want(t, 200, fmt.Sprintf(`[{"id":%q,"name":"from_OpenCTI","description":""}]`, m.list[IOC]))
}

func TestAddSourceFindsTheOneThatExists(t *testing.T) {
	m := start(t, Options{})
	id, err := m.AddSource(IOC, "from_OpenCTI")
	if err != nil || id != m.list[IOC] {
		t.Errorf("got %q, %v; want %q", id, err, m.list[IOC])
	}
	if _, err := m.AddSource("hash", "x"); err == nil {
		t.Error("a kind that does not exist was taken")
	}
}
