package harfanglab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

// noon is when most rows of these tests happen.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// row is one alert or threat of a manager: members as they are sent, and what filters go by.
type row struct {
	id                    string
	at, changed           time.Time // alert_time or creation_date, and last_update
	status, level, threat string
	raw                   string // in place of all that, when set
}

func (r *row) json() string {
	if r.raw != "" {
		return r.raw
	}
	m := map[string]any{"id": r.id, "alert_type": "ioc", "status": r.status, "level": r.level, "alert_time": stamped(r.at), "creation_date": stamped(r.at)}
	if !r.changed.IsZero() {
		m["last_update"] = stamped(r.changed)
	}
	if r.threat != "" {
		m["threat_key"] = r.threat
	}
	b, _ := json.Marshal(m)
	return string(b)
}

func stamped(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999999Z") }

// index is a manager's listing of alerts or threats behind a search index (contract harfanglab-api 1.5,
// 7.1), which can be told to misbehave.
type index struct {
	rows      []*row
	window    int      // rows that it pages to, and where its count stops; 10,000 when 0
	most      int      // rows a page that it serves; 0 is as many as asked for
	deaf      []string // parameters that it ignores
	before    func(page int)
	exclusive bool // it leaves out what is on a bound (contract harfanglab-api 13, 17)
	ends      bool // next leads no further than the window

	mu    sync.Mutex
	pages int
	asked []url.Values
}

// serve is a client of the manager, without a connection between them.
func (x *index) serve(t testing.TB, change ...func(*harfanglab.Options)) *harfanglab.Client {
	t.Helper()
	if x.window == 0 {
		x.window = 10_000
	}
	change = append(change, func(o *harfanglab.Options) { o.HTTP = &http.Client{Transport: x} })
	c := client(t, "http://manager.test", change...)
	c.ShrinkIndex(x.window)
	return c
}

// RoundTrip answers a request.
func (x *index) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	x.answer(w, r.URL.RawQuery)
	return w.Result(), nil
}

func (x *index) answer(w http.ResponseWriter, query string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	q, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	x.asked = append(x.asked, q)
	x.pages++
	if x.before != nil {
		x.before(x.pages)
	}
	for _, name := range x.deaf {
		q.Del(name)
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	offset, _ := strconv.Atoi(q.Get("offset"))
	if offset+limit > x.window {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"detail": "Result window is too large"}`))
		return
	}
	if x.most > 0 {
		limit = min(limit, x.most)
	}
	rows := x.matching(q)
	page := rows[min(offset, len(rows)):min(offset+limit, len(rows))]
	var texts []string
	for _, r := range page {
		texts = append(texts, r.json())
	}
	next := "null"
	if offset+len(page) < len(rows) && !(x.ends && offset+limit >= x.window) {
		next = `"/api/data/alert/alert/Alert/?limit=1"`
	}
	fmt.Fprintf(w, `{"count": %d, "next": %s, "previous": null, "results": [%s]}`, min(len(rows), x.window), next, strings.Join(texts, ","))
}

func (x *index) matching(q url.Values) []*row {
	any := func(name, value string) bool {
		return q.Get(name) == "" || slices.Contains(strings.Split(q.Get(name), ","), value)
	}
	atBounds, changeBounds := append(x.bounds(q, "alert_time"), x.bounds(q, "creation_date")...), x.bounds(q, "last_update")
	outside := func(list []func(time.Time) bool, t time.Time) bool {
		return slices.ContainsFunc(list, func(in func(time.Time) bool) bool { return !in(t) })
	}
	var out []*row
	for _, r := range x.rows {
		if !any("status", r.status) || !any("level", r.level) || !any("threat_key", r.threat) {
			continue
		}
		if r.raw == "" && (outside(atBounds, r.at) || outside(changeBounds, r.changed)) {
			continue
		}
		out = append(out, r)
	}
	by := func(a, b *row) int { return 0 }
	switch q.Get("ordering") {
	case "alert_time", "creation_date":
		by = func(a, b *row) int { return a.at.Compare(b.at) }
	case "last_update":
		by = func(a, b *row) int { return a.changed.Compare(b.changed) }
	}
	slices.SortStableFunc(out, by)
	return out
}

// bounds are the filters of one time, which hold to the fraction. Fractions in them are refused (contract
// harfanglab-api 1.6).
func (x *index) bounds(q url.Values, member string) (in []func(time.Time) bool) {
	for _, end := range []string{"__gte", "__lte"} {
		if !q.Has(member + end) {
			continue
		}
		bound, err := time.Parse("2006-01-02T15:04:05Z", q.Get(member+end))
		if err != nil {
			panic(err)
		}
		on := !x.exclusive
		if end == "__gte" {
			in = append(in, func(t time.Time) bool { return t.After(bound) || on && t.Equal(bound) })
		} else {
			in = append(in, func(t time.Time) bool { return t.Before(bound) || on && t.Equal(bound) })
		}
	}
	return in
}

// got is what a read visited.
type got struct {
	ids   []string
	bad   []string // id: error
	pages [][]string
}

func (g *got) alerts(rows []alert.Alert, bad []alert.Bad) error {
	var page []string
	for _, a := range rows {
		page = append(page, a.ID)
	}
	return g.add(page, bad)
}

func (g *got) threats(rows []alert.Threat, bad []alert.Bad) error {
	var page []string
	for _, t := range rows {
		page = append(page, t.ID)
	}
	return g.add(page, bad)
}

func (g *got) add(page []string, bad []alert.Bad) error {
	g.ids = append(g.ids, page...)
	g.pages = append(g.pages, page)
	for _, b := range bad {
		g.bad = append(g.bad, b.ID+": "+b.Err.Error())
	}
	return nil
}

// sorted are the ids in order, in one line.
func (g *got) sorted() string {
	ids := slices.Clone(g.ids)
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// once fails unless every id of want was visited once, and nothing else.
func (g *got) once(t testing.TB, want []string) {
	t.Helper()
	ids := slices.Sorted(slices.Values(g.ids))
	want = slices.Sorted(slices.Values(want))
	if slices.Equal(ids, want) {
		return
	}
	n := map[string]int{}
	for _, id := range ids {
		n[id]++
	}
	for _, id := range want {
		n[id]--
	}
	var off []string
	for id, k := range n {
		if k != 0 && len(off) < 10 {
			off = append(off, fmt.Sprintf("%s %+d", id, k))
		}
	}
	slices.Sort(off)
	t.Errorf("visited %d rows, want %d; too many (+) or too few (-): %s", len(ids), len(want), strings.Join(off, ", "))
}

// spread are n alerts, evenly from noon on.
func spread(n int, every time.Duration) []*row {
	rows := make([]*row, n)
	for i := range rows {
		rows[i] = &row{id: fmt.Sprintf("a%05d", i), at: noon.Add(time.Duration(i) * every), status: "new", level: "high"}
	}
	return rows
}

func idsOf(rows []*row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.id)
	}
	return out
}

// One alert that cannot be read is its own failure, not the manager's: whoever asked goes on.
func TestAnAlertThatCannotBeReadIsNoFailureOfTheManager(t *testing.T) {
	for name, body := range map[string]string{
		"no time":  `{"alert": {"id": "a", "alert_time": "yesterday"}}`,
		"time off": `{"alert": {"id": "a"}}`,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		a, err := client(t, srv.URL).Alert(t.Context(), "a")
		srv.Close()
		if _, side := errors.AsType[*harfanglab.Error](err); a != nil || err == nil || side || !strings.Contains(err.Error(), "/Alert/a/details/") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
