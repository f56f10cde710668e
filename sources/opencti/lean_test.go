package opencti_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"harfangsync/reconcile"
	"harfangsync/sources/octisim"
	"harfangsync/sources/opencti"
)

// Labels take a platform a third of a page's time (contract opencti-api 0.9): they are asked for where they
// decide something, and are the indicator's then.
func TestLabelsAreAskedForWhereTheyCount(t *testing.T) {
	for _, without := range []bool{false, true} {
		s, p := simulated(t, octisim.Options{}, opencti.Options{NoLabels: without})
		s.Put(octisim.Indicator{ID: "a", Pattern: "[domain-name:value = 'x.example']", CreatedAt: day(0), Labels: []octisim.Label{{Value: "edr"}}})
		want := "edr"
		if without {
			want = ""
		}
		check := func(how string, ind *reconcile.Indicator) {
			if got := strings.Join(ind.Labels, ","); got != want {
				t.Errorf("%s, labels left out %t: %q", how, without, got)
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

// slowly is a platform in this process whose requests take their time.
type slowly struct {
	http.Handler
	page, basedOn time.Duration
}

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	text := make([]byte, 100)
	_, _ = body.Read(text)
	switch {
	case strings.Contains(string(text), "query Page"):
		time.Sleep(s.page)
	case strings.Contains(string(text), "query BasedOn"):
		time.Sleep(s.basedOn)
	}
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// The based-on request of a page is made beside the next page.
func TestObservablesTakeNoTimeOfTheirOwn(t *testing.T) {
	const pages, size = 20, 5
	s := platform(octisim.Options{})
	fill(s, pages*size)
	synctest.Test(t, func(t *testing.T) {
		c := opencti.New(opencti.Options{URL: "http://octi.example", Token: token, PageSize: size, HTTP: &http.Client{Transport: slowly{s, 140 * time.Millisecond, 95 * time.Millisecond}}})
		start, got := time.Now(), 0
		if _, err := c.Read(t.Context(), nil, began, true, func(page []reconcile.Indicator, _ int) error {
			for i := range page {
				got += len(page[i].Observables)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		alone := (pages + 1) * 140 * time.Millisecond // what changed meanwhile is a page of its own
		if took := time.Since(start); got != pages*size || took > alone*11/10 {
			t.Errorf("%d observables in %s, and the pages alone take %s", got, took, alone)
		}
	})
}
