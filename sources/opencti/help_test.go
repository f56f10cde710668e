package opencti_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

const token = "very-secret-token"

// now is the platform's time, and began that of the run.
var (
	now   = time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)
	began = now.Add(-10 * time.Minute)
)

// day is the first of March 2026 plus n days.
func day(n int) time.Time { return time.Date(2026, 3, 1+n, 12, 0, 0, 0, time.UTC) }

// probe is a client of some server. It does not wait between attempts but notes how long it would.
type probe struct {
	*opencti.Client
	log bytes.Buffer

	mu    sync.Mutex
	waits []time.Duration

	meanwhile func() // what happens during each wait; may be nil
}

func (p *probe) slept() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.waits)
}

func connect(t testing.TB, h http.Handler, o opencti.Options) *probe {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	p := &probe{}
	o.URL, o.Token = srv.URL, token
	o.HTTP = srv.Client()
	o.Log = slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Retry.Sleep = func(ctx context.Context, d time.Duration) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waits = append(p.waits, d)
		if p.meanwhile != nil {
			p.meanwhile()
		}
		return ctx.Err()
	}
	p.Client = opencti.New(o)
	return p
}

// simulated is a platform and a client of it.
func simulated(t testing.TB, so octisim.Options, o opencti.Options) (*octisim.Sim, *probe) {
	t.Helper()
	s := platform(so)
	return s, connect(t, s, o)
}

func platform(o octisim.Options) *octisim.Sim {
	o.Token = token
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	return octisim.New(o)
}

// fill puts n indicators i00, i01, ... a minute apart, each based on one domain.
func fill(s *octisim.Sim, n int) {
	for i := range n {
		put(s, i)
	}
}

func put(s *octisim.Sim, i int) string {
	name := fmt.Sprintf("host-%02d.example", i)
	return s.Put(octisim.Indicator{
		ID: fmt.Sprintf("i%02d", i), Name: name, Pattern: "[domain-name:value = '" + name + "']",
		CreatedAt: day(0).Add(time.Duration(i) * time.Minute), Observables: []octisim.Observable{{EntityType: "Domain-Name", Value: name}},
	})
}

// read reads with f and gives the ids in the order of their visits, in one line.
func read(p *probe, f *opencti.FilterGroup, observables bool) (string, int, error) {
	var ids []string
	r, err := p.Read(context.Background(), f, began, observables, func(page []reconcile.Indicator, _ int) error {
		for _, i := range page {
			ids = append(ids, i.ID)
		}
		return nil
	})
	return strings.Join(ids, " "), r, err
}

// names is what fill puts, from one number up to another.
func names(from, to int) string {
	var ids []string
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("i%02d", i))
	}
	return strings.Join(ids, " ")
}

// question is a GraphQL request as a handler of a test sees it.
type question struct {
	op   string
	n    int // which of this operation, from 1
	vars map[string]any
	raw  []byte
}

// asked reads the question out of a request.
type asked struct {
	mu sync.Mutex
	n  map[string]int
}

func (a *asked) question(r *http.Request) question {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var q struct {
		Query     string
		Variables map[string]any
	}
	_ = json.Unmarshal(body, &q)
	op := strings.FieldsFunc(q.Query, func(r rune) bool { return r == ' ' || r == '(' || r == '{' })
	name := ""
	if len(op) > 1 {
		name = op[1]
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n == nil {
		a.n = map[string]int{}
	}
	a.n[name]++
	return question{op: name, n: a.n[name], vars: q.Variables, raw: body}
}

// canned answers every question with a text of its operation, and notes the questions.
type canned struct {
	asked
	answers map[string]string // by operation; "" is any

	mu   sync.Mutex
	seen []question
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := c.question(r)
	c.mu.Lock()
	c.seen = append(c.seen, q)
	c.mu.Unlock()
	text, ok := c.answers[q.op]
	if !ok {
		text = c.answers[""]
	}
	_, _ = io.WriteString(w, text)
}

func (c *canned) questions(op string) []question {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.seen), func(q question) bool { return q.op != op })
}

// says fails the test unless err holds every part.
func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("error shows the token: %q", err)
	}
}
