package hlsim

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// numbered is a manager whose IOC list holds 0.example to n-1.example.
func numbered(t testing.TB, n int, k Knobs) *manager {
	t.Helper()
	m := start(t, Options{})
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{Type: "domain_name", Value: fmt.Sprint(i, ".example"), Enabled: true}
	}
	simtest.Fine(t, m.Load(IOC, m.list[IOC], rules))
	m.SetKnobs(func(now *Knobs) { *now = k })
	return m
}

// numbers are the values of a page, without what they end in.
func numbers(t testing.TB, r reply) string {
	t.Helper()
	return strings.ReplaceAll(strings.Join(r.column(t, "value"), " "), ".example", "")
}

// Contract harfanglab-api 12.3, 12.4.
func TestPaging(t *testing.T) {
	const path = iocs + "?"
	link := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	tests := []struct {
		name, query    string
		knobs          Knobs
		rows           string
		next, previous string
	}{
		{"the first page", "limit=2", Knobs{}, "0 1", path + "limit=2&offset=2", ""},
		{"the second", "limit=2&offset=2", Knobs{}, "2 3", path + "limit=2&offset=4", path + "limit=2"},
		{"the last", "limit=2&offset=4", Knobs{}, "4", "", path + "limit=2&offset=2"},
		{"an offset of one's own", "limit=3&offset=1", Knobs{}, "1 2 3", path + "limit=3&offset=4", path + "limit=3"},
		{"just the end", "limit=5", Knobs{}, "0 1 2 3 4", "", ""},
		{"beyond the end", "limit=2&offset=9", Knobs{}, "", "", path + "limit=2&offset=7"},
		{"links repeat the filters", "search=example&limit=1&x=a%2Bb", Knobs{}, "0", path + "limit=1&offset=1&search=example&x=a%2Bb", ""},
		{"nonsense counts as absent", "limit=-1&offset=x", Knobs{}, "0 1 2 3 4", "", ""},
		{"a limit of nothing is none", "limit=0&offset=-3", Knobs{PageDefault: 4}, "0 1 2 3", path + "limit=4&offset=4", ""},
		{"knob: the default", "", Knobs{PageDefault: 3}, "0 1 2", path + "limit=3&offset=3", ""},
		{"knob: the most", "limit=100", Knobs{PageMax: 2}, "0 1", path + "limit=2&offset=2", ""},
		{"knob: the most holds for the default", "", Knobs{PageMax: 2, PageDefault: 3}, "0 1", path + "limit=2&offset=2", ""},
		{"knob: whole links", "limit=2&offset=2", Knobs{AbsoluteNext: true}, "2 3", "URL" + path + "limit=2&offset=4", "URL" + path + "limit=2"},
		{"knob: the newest first", "limit=2&offset=1", Knobs{NewestFirst: true}, "3 2", path + "limit=2&offset=3", path + "limit=2"},
		{"knob: the newest first, the end", "limit=2&offset=4", Knobs{NewestFirst: true}, "0", "", path + "limit=2&offset=2"},
		{"knob: the newest first, beyond", "limit=2&offset=9", Knobs{NewestFirst: true}, "", "", path + "limit=2&offset=7"},
	}
	m := numbered(t, 5, Knobs{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { *k = tt.knobs })
			r := m.get(iocs + "?" + tt.query)
			simtest.Is(t, "rows", tt.rows, numbers(t, r))
			want := object{"count": 5.0, "next": link(strings.Replace(tt.next, "URL", m.url, 1)), "previous": link(strings.Replace(tt.previous, "URL", m.url, 1))}
			delete(r.json, "results")
			simtest.Same(t, "envelope", want, r.json)
		})
	}
	t.Run("without a limit 100, at most 10,000", func(t *testing.T) {
		m := numbered(t, 10_001, Knobs{})
		simtest.Is(t, "rows without limit", 100, len(m.get(iocs).rows(t)))
		simtest.Is(t, "rows with a large limit", 10_000, len(m.get(iocs+"?limit=20000").rows(t)))
	})
}

// walk pages as a careful client does: by the rows it got.
func (m *manager) walk(limit int) (seen []string, counts []string) {
	m.t.Helper()
	for offset := 0; ; {
		r := m.get(iocs + "?" + url.Values{"source_id": {m.list[IOC]}, "limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}.Encode())
		rows := numbers(m.t, r)
		seen, counts = append(seen, rows), append(counts, fmt.Sprint(r.json["count"]))
		offset += len(r.rows(m.t))
		if r.json["next"] == nil || rows == "" {
			return seen, counts
		}
	}
}

func TestListingsThatLie(t *testing.T) {
	tests := []struct {
		name          string
		knobs         Knobs
		pages, counts string
		again         string // the pages of the next walk
	}{
		{"none", Knobs{}, "0 1 2|3 4 5|6", "7 7 7", "0 1 2|3 4 5|6"},
		{"a count that is off", Knobs{CountOff: -2}, "0 1 2|3 4 5|6", "5 5 5", "0 1 2|3 4 5|6"},
		{"a row that is lost", Knobs{LoseRow: 2, DriftOnce: true}, "0 1 2|4 5|5 6", "7 7 7", "0 1 2|3 4 5|6"},
		{"a row that is lost each time", Knobs{LoseRow: 3}, "0 1 2|3 4 5|", "7 7 7", "0 1 2|3 4 5|"},
		{"a row that is repeated", Knobs{RepeatRow: 1, DriftOnce: true}, "0 1 2 2|4 5 6", "7 7", "0 1 2|3 4 5|6"},
		{"rows deleted while it is read", Knobs{DriftPage: 2, DriftRemove: 2, DriftOnce: true}, "0 1 2|5 6", "7 5", "2 3 4|5 6"},
		{"rows deleted each time", Knobs{DriftPage: 2, DriftRemove: 1}, "0 1 2|4 5 6", "7 6", "1 2 3|5 6"},
		{"the last row moves behind the reader", Knobs{DriftPage: 2, DriftMove: 1, DriftOnce: true}, "0 1 2|2 3 4|5", "7 7 7", "6 0 1|2 3 4|5"},
		{"not in another kind", Knobs{DriftPage: 2, DriftRemove: 2, LoseRow: 1, DriftKind: YARA}, "0 1 2|3 4 5|6", "7 7 7", "0 1 2|3 4 5|6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := numbered(t, 7, tt.knobs)
			pages, counts := m.walk(3)
			simtest.Is(t, "pages", tt.pages, strings.Join(pages, "|"))
			simtest.Is(t, "counts", tt.counts, strings.Join(counts, " "))
			if pages, _ := m.walk(3); strings.Join(pages, "|") != tt.again {
				t.Errorf("then %q, want %q", pages, tt.again)
			}
		})
	}
	t.Run("rows added while the newest come first", func(t *testing.T) {
		m := numbered(t, 4, Knobs{DriftPage: 2, DriftAdd: 1, DriftOnce: true, NewestFirst: true})
		if pages, counts := m.walk(2); strings.Join(pages, "|")+strings.Join(counts, " ") != "3 2|2 1|04 5 5" {
			t.Errorf("pages %q, counts %v", pages, counts)
		}
	})
	for _, kind := range kinds {
		t.Run("somebody adds rules of kind "+kind, func(t *testing.T) {
			m := start(t, with(Knobs{DriftPage: 1, DriftAdd: 3, DriftOnce: true}))
			path := map[string]string{IOC: iocs, Sigma: sigmas, YARA: yaras}[kind]
			for range 2 {
				for _, row := range m.get(path).want(t, 200, `"count":3`).rows(t) {
					simtest.Is(t, "made by", "analyst", row["last_modifier"].(object)["username"])
				}
			}
		})
	}
	t.Run("look-ups are left alone", func(t *testing.T) {
		m := numbered(t, 3, Knobs{DriftPage: 1, DriftRemove: 1, LoseRow: 1})
		m.get(iocs+"?type=domain_name&value__exact=0.example").want(t, 200, "0.example")
	})
	t.Run("a page may be watched", func(t *testing.T) {
		var m *manager
		var seen []string
		m = numbered(t, 3, Knobs{BeforePage: func(kind string, page int) {
			seen = append(seen, fmt.Sprint(kind, page))
			m.Edit(IOC, m.Rules(IOC)[0].ID, func(r *Rule) { r.Enabled = false })
		}})
		m.walk(2)
		if diff := cmp.Diff([]string{"ioc1", "ioc2"}, seen); diff != "" || m.Rules(IOC)[0].Enabled {
			t.Errorf("seen (-want +got):\n%s", diff)
		}
	})
}

// A row goes behind the reader, another comes and one that was read goes: the count is right, and a list
// that is not sorted by what stays misses a row.
func TestOrdering(t *testing.T) {
	tests := []struct {
		name, ordering string
		knobs          Knobs
		want           string // of two pages of four rows, those that were there before
	}{
		{"none", "", Knobs{}, "0 1 2 3 4 5 6"},
		{"by making", "creation_date", Knobs{}, "0 1 2 3 5 6 7"},
		{"the newest first", "-creation_date", Knobs{}, "7 6 5 4 4 3 2 1"},
		{"by what changes", "last_update", Knobs{}, "0 1 2 3 5 6 7"},
		{"by several", "name,-creation_date", Knobs{}, "7 6 5 4 4 3 2 1"},
		{"by no known field", "colour", Knobs{}, "0 1 2 3 4 5 6"},
		{"knob: the manager knows fewer", "creation_date", Knobs{Orderings: []string{"last_update"}}, "0 1 2 3 4 5 6"},
		{"knob: it ignores all", "creation_date", Knobs{IgnoreFilters: []string{"ordering"}}, "0 1 2 3 4 5 6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.knobs.DriftPage, tt.knobs.DriftOnce, tt.knobs.DriftAdd, tt.knobs.DriftRemove, tt.knobs.DriftMove = 2, true, 1, 1, 1
			m := numbered(t, 8, tt.knobs)
			seen := []string{}
			for _, offset := range []string{"0", "4"} {
				r := m.get(iocs+"?"+url.Values{"source_id": {m.list[IOC]}, "limit": {"4"}, "offset": {offset}, "ordering": {tt.ordering}}.Encode()).want(t, 200, `"count":8`)
				for _, v := range strings.Fields(numbers(t, r)) {
					if !strings.HasSuffix(v, ".drift") {
						seen = append(seen, v)
					}
				}
			}
			simtest.Is(t, "found", tt.want, strings.Join(seen, " "))
		})
	}
	t.Run("knob: others are refused", func(t *testing.T) {
		m := numbered(t, 3, Knobs{Orderings: []string{"id"}, RefuseOrdering: true})
		m.get(iocs+"?ordering=-creation_date").want(t, 400, `{"ordering":["`)
		m.get(iocs+"?ordering=-id").want(t, 200, "")
	})
	t.Run("rows that are equal stay apart by their ids", func(t *testing.T) {
		for _, path := range []string{sigmas, yaras} {
			m := start(t, Options{})
			for range 20 {
				m.makeFile(path, merge(m.sigma("same", titled(newID())), map[bool]object{true: m.yara("same", yaraSample)}[path == yaras]))
			}
			if got := m.get(path+"?ordering=-name").column(t, "id"); !slices.IsSorted(got) {
				t.Errorf("%s: %v", path, got)
			}
		}
	})
}

func TestMoveOnWrite(t *testing.T) {
	for _, on := range []bool{false, true} {
		m := numbered(t, 4, Knobs{MoveOnWrite: on})
		m.do("PATCH", iocs+m.Rules(IOC)[1].ID+"/", object{"enabled": false}).want(t, 200, "")
		m.Edit(IOC, m.Rules(IOC)[0].ID, func(r *Rule) { r.Comment = "c" })
		want := map[bool]string{false: "0 1 2 3", true: "2 3 1 0"}[on]
		if got := numbers(t, m.get(iocs)); got != want {
			t.Errorf("knob %v: %s, want %s", on, got, want)
		}
	}
}

// Pages stay right while rules come and go, over the bounds of chunks.
func TestPagesOverChunks(t *testing.T) {
	const n = 3*chunkSize + 10
	m := numbered(t, n, Knobs{})
	for _, r := range m.Rules(IOC) {
		if i, err := strconv.Atoi(strings.TrimSuffix(r.Value, ".example")); err != nil {
			t.Fatal(err)
		} else if i%5 == 0 || i < chunkSize {
			m.Delete(IOC, r.ID)
		}
	}
	m.makeIOC("last.example")
	want := []string{}
	for i := chunkSize; i < n; i++ {
		if i%5 != 0 {
			want = append(want, strconv.Itoa(i))
		}
	}
	pages, _ := m.walk(500)
	simtest.Same(t, "rows", append(want, "last"), strings.Fields(strings.Join(pages, " ")))
}

// A filter's rows are kept between pages; a change in between is seen all the same.
func TestFilteredPagesSeeChanges(t *testing.T) {
	m := numbered(t, 6, Knobs{})
	page := func(offset int) string {
		return numbers(t, m.get(fmt.Sprint(iocs, "?search=example&limit=2&offset=", offset)))
	}
	first := page(0)
	m.Delete(IOC, m.Rules(IOC)[0].ID)
	second := page(2)
	m.makeIOC("new.example")
	third := page(4)
	m.Edit(IOC, m.Rules(IOC)[0].ID, func(r *Rule) { r.Value = "gone.test" })
	simtest.Is(t, "pages", "0 1|3 4|5 new|2 3", strings.Join([]string{first, second, third, page(0)}, "|"))
}

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
				simtest.Same(t, tt.name, tt.want, m.get(path+tt.query).column(t, "name"))
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
