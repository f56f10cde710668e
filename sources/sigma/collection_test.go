package sigma_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/sigma"
)

// TestACollection says what becomes of the rules of a file of indicators, one JSON object a line, and fires each
// on events that are made of its own values: of the demo's, or of the file TEST_INDICATORS, such as a public
// collection that is not ours to ship.
func TestACollection(t *testing.T) {
	path := os.Getenv("TEST_INDICATORS")
	if path == "" {
		path = "../../cmd/harfangsync/samples/indicators.jsonl"
	}
	count, agents := map[reconcile.Reason]int{}, map[bool]int{}
	rnd := rand.New(rand.NewPCG(1, 2))
	events, fired, alike := 0, 0, 0
	for _, src := range collection(t, path) {
		got, skip := sigma.Translate(src)
		count[reasonOf(skip)]++
		author := readRule(t, src)
		l := author.Logsource
		if l.Product == "windows" || l.Product == "linux" || l.Product == "macos" {
			agents[skip == nil]++
		}
		if skip != nil {
			continue
		}
		onlyKnownNames(t, got.Text)
		if again, skip := sigma.Translate(got.Text); skip != nil || again.Text != got.Text {
			t.Errorf("translated twice: %+v, %s", skip, cmp.Diff(got.Text, again.Text))
		}
		f := formOf(author)
		if f == nil {
			t.Logf("no form of %+v", l)
			continue
		}
		narrower := slices.ContainsFunc(got.Notes, func(n string) bool { return strings.HasPrefix(n, "narrower: ") })
		both := fireAlike(t, author, readRule(t, got.Text), f, narrower, rnd)
		events, fired = events+eventsEach, fired+both
		if both > 0 {
			alike++
		}
	}
	t.Logf("%v; of the rules for endpoints %d are deployed, %d are not", count, agents[true], agents[false])
	t.Logf("%d events, both fired on %d of them; %d rules fired at least once", events, fired, alike)
	if alike == 0 || agents[true]*10 < 9*(agents[true]+agents[false]) {
		t.Error("no rule fired, or fewer than 90 % of those for endpoints are deployed")
	}
}

// collection are the Sigma rules of a file of indicators.
func collection(t *testing.T, path string) (rules []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var ind struct {
			Type    string `json:"pattern_type"`
			Pattern string
		}
		if err := json.Unmarshal(lines.Bytes(), &ind); err != nil {
			t.Fatal(err)
		}
		if ind.Type == "sigma" {
			rules = append(rules, ind.Pattern)
		}
	}
	return rules
}

// formOf is the form of the events that a public rule is about.
func formOf(r rule) *form {
	l := r.Logsource
	for i := range forms {
		if f := &forms[i]; f.product == l.Product && f.category == l.Category && f.service == l.Service {
			return f
		}
	}
	return nil
}

// eventsEach is on how many events each rule is fired.
const eventsEach = 500

// fireAlike fires the author's rule and ours on events of the author's own values, and counts those on which both do.
func fireAlike(t *testing.T, author, ours rule, f *form, narrower bool, rnd *rand.Rand) (both int) {
	t.Helper()
	for range eventsEach {
		e := eventLike(author, f, rnd)
		held, has := f.harfanglab(e)
		was, is := author.fires(e), has && ours.fires(held)
		if was && is {
			both++
		}
		if is && !was || was && !is && has && !narrower {
			t.Errorf("on %v, in HarfangLab %v: the author's fires %t, ours %t, of %v", e, held, was, is, author.Detection)
			break
		}
	}
	return both
}

// eventLike is an event of a public form with the values that a rule speaks of, or others.
func eventLike(r rule, f *form, rnd *rand.Rand) event {
	e := event{product: f.product, category: f.category, service: f.service, fields: map[string]string{}}
	for name, v := range f.values {
		if name == "EventID" {
			e.fields[name] = v
		}
	}
	asked := map[string][][2]string{} // modifiers and a value, by field
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				visit(one)
			}
		case map[string]any:
			for key, want := range v {
				field, mods, _ := strings.Cut(key, "|")
				list, ok := want.([]any)
				if !ok {
					list = []any{want}
				}
				if strings.Contains(mods, "all") {
					var all []string
					for _, one := range list {
						all = append(all, fmt.Sprint(one))
					}
					list = []any{strings.Join(all, "*")}
				}
				if len(list) > 0 {
					asked[field] = append(asked[field], [2]string{mods, fmt.Sprint(list[rnd.IntN(len(list))])})
				}
			}
		}
	}
	for _, s := range r.Detection {
		visit(s)
	}
	for field, tests := range asked {
		switch n := rnd.IntN(10); {
		case n == 0:
			e.fields[field] = "noise"
		case n == 1:
		default:
			rnd.Shuffle(len(tests), func(i, j int) { tests[i], tests[j] = tests[j], tests[i] })
			e.fields[field] = valueLike(tests[:1+rnd.IntN(len(tests))])
		}
	}
	for field, only := range f.only {
		if v := e.fields[field]; !slices.Contains(only, v) && (field == "EventType" || v == "") {
			e.fields[field] = only[rnd.IntN(len(only))]
		}
	}
	return e
}

// valueLike is a value that passes as many tests of one field as it can.
func valueLike(tests [][2]string) string {
	var start, middle, end string
	for _, t := range tests {
		text := strings.NewReplacer(`\*`, "*", `\?`, "?", `\\`, `\`, "*", "x", "?", "y").Replace(t[1])
		switch {
		case strings.Contains(t[0], "cidr"):
			address, _, _ := strings.Cut(text, "/")
			return address
		case strings.Contains(t[0], "startswith"):
			start = text
		case strings.Contains(t[0], "endswith"):
			end = text
		case strings.Contains(t[0], "contains"):
			middle += text
		default:
			return text
		}
	}
	return start + middle + end
}
