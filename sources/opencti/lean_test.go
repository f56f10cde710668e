package opencti_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// Labels take a platform a third of a page's time (contract opencti-api 0.9), and authors and phases some: they are
// asked for where they decide something, and are the indicator's then.
func TestFactsAreAskedForWhereTheyCount(t *testing.T) {
	for want, without := range map[string]opencti.Facts{
		"edr, them, mitre-attack:execution": {},
		", them, mitre-attack:execution":    {Labels: true},
		"edr, , mitre-attack:execution":     {Authors: true},
		"edr, them, ":                       {Phases: true},
		", , ":                              {Labels: true, Authors: true, Phases: true},
	} {
		s, p := simulated(t, octisim.Options{}, opencti.Options{Without: without})
		s.Put(octisim.Indicator{ID: "a", Pattern: "[domain-name:value = 'x.example']", CreatedAt: day(0), Labels: []octisim.Label{{Value: "edr"}},
			CreatedBy: &octisim.Identity{Name: "them"}, Phases: []octisim.KillChain{{Chain: "mitre-attack", Phase: "execution"}}})
		check := func(how string, ind *reconcile.Indicator) {
			if got := strings.Join(ind.Labels, "") + ", " + ind.Author + ", " + strings.Join(ind.Phases, ""); got != want {
				t.Errorf("%s, without %+v: %q", how, without, got)
			}
		}
		n, err := p.Read(t.Context(), nil, began, false, func(page []reconcile.Indicator, _ int) error {
			check("read", &page[0])
			return nil
		})
		if n != 1 || err != nil {
			t.Errorf("%d indicators, %v", n, err)
		}
		found, err := p.ByIDs(t.Context(), []string{"a"}, nil, false)
		if err != nil || len(found) != 1 {
			t.Fatalf("%v, %v", found, err)
		}
		check("looked up", &found[0].Indicator)
	}
}

// handled is a platform in this process.
type handled struct{ http.Handler }

func (p handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// The based-on request of a page is made beside the next page, of which a platform takes longer.
func TestObservablesTakeHardlyAnyTime(t *testing.T) {
	const n = 10 * 500
	s := platform(octisim.Options{})
	fill(s, n)
	s.SetKnobs(func(k *octisim.Knobs) { k.Measured = true })
	synctest.Test(t, func(t *testing.T) {
		c := opencti.New(opencti.Options{URL: "http://octi.example", Token: token, HTTP: &http.Client{Transport: handled{s}}})
		read := func(observables bool) (took time.Duration) {
			start, got := time.Now(), 0
			if _, err := c.Read(t.Context(), nil, began, observables, func(page []reconcile.Indicator, _ int) error {
				for i := range page {
					got += len(page[i].Observables)
				}
				return nil
			}); err != nil || got != map[bool]int{true: n}[observables] {
				t.Fatalf("%d observables, %v", got, err)
			}
			return time.Since(start)
		}
		if pages, all := read(false), read(true); all > pages*11/10 {
			t.Errorf("%s with observables, and the pages alone take %s", all, pages)
		}
	})
}
