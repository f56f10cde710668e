package opencti_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// breakIDs lets a platform fail at objects.
func breakIDs(s *octisim.Sim, ids ...string) {
	s.SetKnobs(func(k *octisim.Knobs) { k.Unresolvable = ids })
}

// parted reads everything with its observables, and gives the ids of what came whole and of what is unread.
func parted(t *testing.T, p *probe) (whole, unread []string, err error) {
	t.Helper()
	_, err = p.Read(t.Context(), live, began, true, func(page []reconcile.Indicator, _ int) error {
		for _, i := range page {
			switch {
			case i.Unread == "" && (i.Pattern == "" || len(i.Observables) != 1):
				t.Errorf("neither read nor unread: %+v", i)
			case i.Unread == "":
				whole = append(whole, i.ID)
			default:
				unread = append(unread, i.ID)
				if !strings.HasPrefix(i.Unread, "INTERNAL_SERVER_ERROR: Cannot return null") || i.Pattern != "" || i.StandardID == "" || i.Outside {
					t.Errorf("unread and more: %+v", i)
				}
			}
		}
		return nil
	})
	return whole, unread, err
}

// TestOneIndicatorThatCannotBeResolvedCostsOnlyItself: its page failed on every try, and with it every read for ever.
func TestOneIndicatorThatCannotBeResolvedCostsOnlyItself(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  []int
		most int // requests
	}{
		{"none", nil, 7},
		{"one", []int{130}, 30},
		{"the first and the last of a page", []int{100, 199}, 50},
		{"on the last page", []int{249}, 30},
		{"the last two", []int{248, 249}, 40},
		{"several on each page", []int{3, 30, 31, 32, 110, 150, 201, 202, 249}, 150},
		{"a whole page but one", sequence(150, 249), 330},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 100})
			fill(s, 250)
			var want []string
			for _, i := range tt.bad {
				want = append(want, fmt.Sprintf("i%02d", i))
			}
			breakIDs(s, want...)
			whole, unread, err := parted(t, p)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			slices.Sort(unread)
			if d := cmp.Diff(want, unread); d != "" || len(whole)+len(unread) != 250 {
				t.Errorf("%d came, unread (-want +got):\n%s", len(whole), d)
			}
			if n := len(s.HTTP.Requests()); n > tt.most {
				t.Errorf("%d requests, want at most %d: %s", n, tt.most, operations(s))
			}
			breakIDs(s)
			if whole, unread, err = parted(t, p); err != nil || len(whole) != 250 || len(unread) > 0 {
				t.Errorf("once they can be resolved: %d came, unread %q, %v", len(whole), unread, err)
			}
		})
	}
}

func sequence(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// A page of 500 with one that cannot be given takes a number of requests that grows with the logarithm of its size.
func TestALongPageIsHalvedNotWalked(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	fill(s, 500)
	breakIDs(s, "i321")
	if whole, unread, err := parted(t, p); err != nil || len(whole) != 499 || !slices.Equal(unread, []string{"i321"}) {
		t.Errorf("%d came, unread %q, %v", len(whole), unread, err)
	}
	// Five tries of the page, and one of each half on the way down; the empty page after a full one, and what changed.
	if d := cmp.Diff("BasedOn 1, Find 20, Page 7, PageIDs 1", operations(s)); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	if slept := len(p.slept()); slept != 4 {
		t.Errorf("slept %d times", slept)
	}
}

// An indicator whose observable cannot be given would give fewer values than it has.
func TestAnObservableThatCannotBeResolvedLeavesItsIndicatorsUnread(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 50})
	fill(s, 80)
	s.Detach("i07", s.Attach("i07", octisim.Observable{EntityType: "Domain-Name", Value: "host-07.example"}))
	shared := s.Attach("i07", octisim.Observable{EntityType: "Domain-Name", Value: "host-60.example"})
	breakIDs(s, shared)
	whole, unread, err := parted(t, p)
	if err != nil || len(whole) != 78 || !slices.Equal(unread, []string{"i07", "i60"}) {
		t.Errorf("%d came, unread %q, %v", len(whole), unread, err)
	}
	if n := len(s.HTTP.Requests()); n > 50 {
		t.Errorf("%d requests: %s", n, operations(s))
	}
}

// TestABrokenPlatformIsNoBadObject: the read fails, as it does when the platform fails in another way.
func TestABrokenPlatformIsNoBadObject(t *testing.T) {
	for _, tt := range []struct {
		name   string
		n, bad int
		says   string
		most   int
	}{
		{"all of a page and more", 700, 700, "more than 100 indicators cannot be read: OpenCTI: Find: INTERNAL_SERVER_ERROR", 350},
		{"more than a hundred here and there", 700, 110, "more than 100 indicators cannot be read", 900},
		{"all that are there", 20, 20, "not one indicator can be read: OpenCTI: Find: INTERNAL_SERVER_ERROR", 80},
		{"the only one", 1, 1, "not one indicator can be read", 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{})
			fill(s, tt.n)
			var ids []string
			for i := range tt.bad {
				ids = append(ids, fmt.Sprintf("i%02d", i*(tt.n/tt.bad)))
			}
			breakIDs(s, ids...)
			_, _, err := parted(t, p)
			says(t, err, tt.says)
			if f := reconcile.FaultOf(err); !f.Side || f.Incomplete {
				t.Errorf("fault %+v", f)
			}
			if n := len(s.HTTP.Requests()); n > tt.most {
				t.Errorf("%d requests, want at most %d: %s", n, tt.most, operations(s))
			}
		})
	}
	for name, code := range map[string]string{"the account": "FORBIDDEN_ACCESS", "the request": "GRAPHQL_VALIDATION_FAILED", "a lock": "LOCK_ERROR"} {
		s := platform(octisim.Options{})
		fill(s, 3)
		p := connect(t, replaced(s, "Page", func(question) string {
			return `{"errors":[{"message":"x","extensions":{"code":"` + code + `"}}],"data":null}`
		}), opencti.Options{})
		_, _, err := read(p, nil, false)
		says(t, err, code)
		if operations(s) != "" {
			t.Errorf("%s: asked on: %s", name, operations(s))
		}
	}
}

// What some rows hold is no reason to read none: neither a member that is missing nor one of another type.
func TestRowsThatMakeNoSenseAreUnread(t *testing.T) {
	for name, member := range map[string]string{"no pattern": "pattern", "no type": "pattern_type", "a date that is none": "valid_until"} {
		t.Run(name, func(t *testing.T) {
			s := platform(octisim.Options{})
			fill(s, 40)
			p := connect(t, spoiled(s, func(q question, d map[string]any) {
				edges, _ := within(d, "list")["edges"].([]any)
				for _, e := range edges {
					n := within(e.(map[string]any), "node")
					if _, asked := n[member]; !asked || n["id"].(string) >= "i20" {
						continue
					}
					n[member] = nil
					if member == "valid_until" {
						n[member] = "soon"
					}
				}
			}), opencti.Options{PageSize: 15})
			var unread []string
			n, err := p.Read(t.Context(), nil, began, true, func(page []reconcile.Indicator, _ int) error {
				for _, i := range page {
					if i.Unread != "" {
						unread = append(unread, i.ID+" "+i.Unread)
					}
				}
				return nil
			})
			if err != nil || n != 40 || len(unread) != 20 || !strings.HasPrefix(unread[13], "i13 ") {
				t.Errorf("%d, unread %q, %v", n, unread, err)
			}
		})
	}
}

// foundOf gives the answers in one line, those that are unread in parentheses.
func foundOf(all []reconcile.Found) string {
	var out []string
	for _, f := range all {
		word := f.Asked
		if f.Unread != "" {
			word = "(" + word + ")"
		}
		out = append(out, word)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestALookUpThatFailsAloneStopsNoOther: whatever the platform fails at, alone it is unread, all others are answered, and what
// is absent is absent. One that failed let every look-up fail beside it, and a tail stood still.
func TestALookUpThatFailsAloneStopsNoOther(t *testing.T) {
	first := func(s *octisim.Sim, id string) string { i, _ := s.Indicator(id); return i.StandardID }
	for _, tt := range []struct {
		name string
		read bool // before, so that there are witnesses: i00 and i39
		bad  []string
		ids  func(s *octisim.Sim) []string
		want func(s *octisim.Sim) string
	}{
		{name: "one of several", read: true, bad: []string{"i05"}, ids: func(*octisim.Sim) []string { return []string{"i03", "i05", "gone", "i07"} },
			want: func(*octisim.Sim) string { return "(i05) i03 i07" }},
		{name: "the only one", read: true, bad: []string{"i05"}, ids: func(*octisim.Sim) []string { return []string{"i05"} }, want: func(*octisim.Sim) string { return "(i05)" }},
		{name: "by standard id", bad: []string{"i05"}, ids: func(s *octisim.Sim) []string { return []string{first(s, "i05"), "i07"} },
			want: func(s *octisim.Sim) string { return "(" + first(s, "i05") + ") i07" }},
		{name: "a witness", read: true, bad: []string{"i00", "i39"}, ids: func(*octisim.Sim) []string { return []string{"i07", "gone"} }, want: func(*octisim.Sim) string { return "i07" }},
		{name: "one that does not pass", read: true, bad: []string{"i05", "revoked"}, ids: func(*octisim.Sim) []string { return []string{"i05", "i07", "revoked"} },
			want: func(*octisim.Sim) string { return "(i05) (revoked) i07" }},
		{name: "many", bad: strings.Fields(names(3, 33)), ids: func(*octisim.Sim) []string { return strings.Fields(names(0, 40)) },
			want: func(*octisim.Sim) string {
				return "(" + strings.ReplaceAll(names(3, 33), " ", ") (") + ") " + names(0, 3) + " " + names(33, 40)
			}},
	} {
		for _, stream := range []string{"", lookStream} {
			t.Run(fmt.Sprintf("%s, stream %t", tt.name, stream != ""), func(t *testing.T) {
				s, p := simulated(t, octisim.Options{}, opencti.Options{})
				src := following(t, s, p)
				src.Stream = stream
				for i := 6; i < 40; i++ {
					put(s, i)
				}
				s.Put(octisim.Indicator{ID: "revoked", Pattern: "[url:value = 'r']", Revoked: true, CreatedAt: day(0)})
				if tt.read {
					if _, _, err := read(p, live, false); err != nil {
						t.Fatal(err)
					}
				}
				breakIDs(s, tt.bad...)
				s.HTTP.Forget()
				a, err := src.Ask(t.Context(), tt.ids(s))
				if got := foundOf(a.Found); err != nil || got != tt.want(s) {
					t.Errorf("%s, %v, want %s", got, err, tt.want(s))
				}
				if n, most := len(s.HTTP.Requests()), 30+12*len(tt.bad); n > most {
					t.Errorf("%d requests, want at most %d: %s", n, most, operations(s))
				}
			})
		}
	}
}

// TestAWitnessThatBreaksGivesWayToOthers: one that could not be resolved in the read was none from the start; one that cannot
// be any more costs the look-up that meets it, and spoils no later one.
func TestAWitnessThatBreaksGivesWayToOthers(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	src := following(t, s, p)
	for i := 6; i < 40; i++ {
		put(s, i)
	}
	one := *src
	one.Stream = ""
	ask := func(src *opencti.Source, what, want string) {
		t.Helper()
		s.HTTP.Forget()
		if a, err := src.Ask(t.Context(), []string{"i07"}); foundOf(a.Found) != "i07" || err != nil {
			t.Errorf("%s: found %s, %v", what, foundOf(a.Found), err)
		}
		if got := operations(s); want != "" && got != want {
			t.Errorf("%s: requests %s, want %s", what, got, want)
		}
	}
	again := func(src *opencti.Source, want string) {
		t.Helper()
		breakIDs(s, "i00", "i39")
		if _, _, err := read(p, live, false); err != nil {
			t.Fatal(err)
		}
		ask(src, "broken in the read", want)
		breakIDs(s)
		if _, _, err := read(p, live, false); err != nil {
			t.Fatal(err)
		}
		breakIDs(s, "i00", "i39")
		ask(src, "broken since", "")
		ask(src, "broken and known", want)
	}
	again(src, "Look 1")
	again(&one, "BasedOn 1, Find 1")
}

// What answers for the platform may fail at one id too, such as a proxy that looks into answers.
func TestALookUpThatIsCutOffFailsAlone(t *testing.T) {
	s := platform(octisim.Options{})
	fill(s, 60)
	bad := []string{"i05"}
	var away string // an operation that is not answered at all
	var a asked
	p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := a.question(r)
		cut := q.op == away
		for _, id := range bad {
			cut = cut || q.op == "Find" && strings.Contains(string(q.raw), `"`+id+`"`)
		}
		if cut {
			http.Error(w, "<html>blocked</html>", http.StatusBadGateway)
			return
		}
		s.ServeHTTP(w, r)
	}), opencti.Options{})
	ids := strings.Fields(names(0, 60))
	found, err := p.ByIDs(t.Context(), ids, nil, false)
	if err != nil || len(found) != 60 || !strings.HasPrefix(foundOf(found), "(i05) i00") {
		t.Errorf("%s, %v", foundOf(found), err)
	}
	bad = ids[:30]
	_, err = p.ByIDs(t.Context(), ids, nil, false)
	says(t, err, "more than 10 indicators cannot be read: OpenCTI: Find: 502")
	bad, away = []string{"i05"}, "FindIDs"
	_, err = p.ByIDs(t.Context(), ids, nil, false)
	if e, ok := errors.AsType[*opencti.Error](err); !ok || e.Status != http.StatusBadGateway || e.Op != "Find" {
		t.Errorf("the platform answers nothing: %v", err)
	}
}

// TestAPullNamesAnIndicatorThatCannotBeResolved: a sighting needs its ids alone. That one could not be told, and so none
// that was asked for with it, nor any after a read of which one was the first or the last.
func TestAPullNamesAnIndicatorThatCannotBeResolved(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	fill(s, 4)
	breakIDs(s, "i00", "i02")
	if _, _, err := read(p, live, false); err != nil {
		t.Fatal(err)
	}
	found, err := (&opencti.Connector{Client: p.Client}).Indicators(t.Context(), []string{"i01", "i02", "gone"})
	var got []string
	for _, i := range found {
		got = append(got, i.IDs[0])
		if at, _ := s.Indicator(i.IDs[0]); len(i.IDs) != 2 || i.IDs[1] != at.StandardID {
			t.Errorf("ids %q", i.IDs)
		}
	}
	if !slices.Equal(got, []string{"i01", "i02"}) || err != nil {
		t.Errorf("found %q, %v", got, err)
	}
}
