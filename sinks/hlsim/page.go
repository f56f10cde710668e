package hlsim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query are the parameters of a list request, without those that the manager is to ignore.
type query struct {
	url.Values
	commas bool // several values, cut at commas, mean any of them
}

func (k *Knobs) query(r *http.Request) query {
	q := query{r.URL.Query(), k.CommaOr}
	for _, name := range k.IgnoreFilters {
		q.Del(name)
	}
	return q
}

// only says whether the parameters name nothing but these and the page.
func (q query) only(names ...string) bool {
	for name, v := range q.Values {
		if name != "limit" && name != "offset" && v[0] != "" && !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// exact is the test that a parameter asks for, nil when it is not there.
func (q query) exact(name string) func(string) bool {
	v := q.Get(name)
	switch {
	case v == "":
		return nil
	case q.commas:
		words := strings.Split(v, ",")
		return func(s string) bool { return slices.Contains(words, s) }
	}
	return func(s string) bool { return s == v }
}

// window is the page that is asked for.
type window struct{ limit, offset int }

// window clamps the limit; what is no positive number counts as absent.
func (q query) window(k *Knobs) window {
	w := window{limit: k.pageDefault()}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		w.limit = n
	}
	w.limit = min(w.limit, k.pageMax())
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		w.offset = n
	}
	return w
}

// page is the number of the window's page, from 1. Callers that move on by the rows they got, which
// may be fewer than the limit, are on the next page all the same.
func (w window) page() int { return (w.offset+w.limit-1)/w.limit + 1 }

// envelope is the body of every list (contract harfanglab-api 1.5).
type envelope struct {
	Count    int     `json:"count"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  any     `json:"results"`
}

// enclose answers with a page out of n rows.
func (k *Knobs) enclose(r *http.Request, w window, n int, results any) *answer {
	e := envelope{Count: n + k.CountOff, Results: results}
	link := func(offset int) *string {
		v := r.URL.Query()
		v.Set("limit", strconv.Itoa(w.limit))
		v.Del("offset")
		if offset > 0 {
			v.Set("offset", strconv.Itoa(offset))
		}
		to := r.URL.EscapedPath() + "?" + v.Encode()
		if k.AbsoluteNext {
			scheme := "http://"
			if r.TLS != nil {
				scheme = "https://"
			}
			to = scheme + r.Host + to
		}
		return &to
	}
	if w.offset+w.limit < n {
		e.Next = link(w.offset + w.limit)
	}
	if w.offset > 0 {
		e.Previous = link(w.offset - w.limit)
	}
	return &answer{status: http.StatusOK, body: e}
}
