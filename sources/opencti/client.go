// Package opencti is the client of OpenCTI's GraphQL API: identity, streams, indicators with their
// observables, and the connector state.
package opencti

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/machinebox/graphql"

	"harfangsync/reconcile/secret"
)

// Options say how the platform is reached.
type Options struct {
	URL      string // without trailing slash
	Token    secret.Text
	HTTP     *http.Client
	PageSize int // indicators a page; default 500, at most 5000 (contract opencti-api 1.6)
	Log      *slog.Logger
	Attempts int                             // of one request; default 5
	Backoff  func(attempt int) time.Duration // nil is exponential with jitter, at most 30 s
	MaxWait  time.Duration                   // cap on Retry-After; default 5 min
}

// Client talks to one platform. It is safe for concurrent use.
type Client struct {
	gql      *graphql.Client
	o        Options
	pageSize int

	mu      sync.Mutex
	version Version
}

const mostPage = 5000

// New makes a client. It sends nothing.
func New(o Options) *Client {
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 5 * time.Minute
	}
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 2 * time.Minute}
	}
	c := &Client{o: o, pageSize: o.PageSize}
	if c.pageSize <= 0 {
		c.pageSize = 500
	}
	c.pageSize = min(c.pageSize, mostPage)
	hc := *o.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	next := hc.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	hc.Transport = &strict{next: next, limit: mostBody}
	c.gql = graphql.NewClient(strings.TrimRight(o.URL, "/")+"/graphql", graphql.WithHTTPClient(&hc))
	return c
}

func backoff(attempt int) time.Duration {
	const first, most = 250 * time.Millisecond, 30 * time.Second
	d := min(first<<min(attempt, 10), most)
	return d/2 + rand.N(d/2+1)
}

// known is the platform's version, zero before Ident.
func (c *Client) known() Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// request is one operation.
type request struct {
	op        string
	document  string
	variables map[string]any
}

// query sends an operation that may be repeated whatever happened to the first attempt.
func (c *Client) query(ctx context.Context, r request, out any) error {
	return c.send(ctx, r, out, func(e *Error) bool { return e.Temporary() })
}

// mutate sends an operation that is repeated only if the server turned it away. The mutations used
// here, register and ping, set what they are given: they may be repeated after a lost answer as well.
func (c *Client) mutate(ctx context.Context, r request, out any) error {
	return c.send(ctx, r, out, func(e *Error) bool { return e.Temporary() })
}

func (c *Client) send(ctx context.Context, r request, out any, may func(*Error) bool) error {
	for attempt := 0; ; attempt++ {
		req := graphql.NewRequest(r.document)
		for k, v := range r.variables {
			req.Var(k, v)
		}
		req.Header.Set("Authorization", "Bearer "+c.o.Token.Reveal())
		err := c.gql.Run(ctx, req, out)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e := c.errorOf(r.op, err)
		if !may(e) || attempt+1 >= c.o.Attempts || e.Code == "CONFIGURATION_ERROR" && attempt > 0 || e.Code == "UNKNOWN_ERROR" && attempt > 0 {
			return e
		}
		wait := c.o.Backoff(attempt)
		if e.After > 0 {
			wait = min(e.After, c.o.MaxWait)
		}
		c.o.Log.Debug("OpenCTI: repeating a request", "operation", r.op, "wait", wait, "error", e)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// errorOf is the failure in the form that callers branch on.
func (c *Client) errorOf(op string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		copied := *e
		copied.Op = op
		return &copied
	}
	if _, sent := errors.AsType[*url.Error](err); !sent {
		// A whole GraphQL answer whose members have other types: asking again gives the same.
		return &Error{Op: op, Status: http.StatusOK, Shape: true, Permanent: true, Message: "an answer of another shape: " + oneLine(err.Error()), Err: err}
	}
	return &Error{Op: op, Message: oneLine(trim(err).Error()), Transport: true, Permanent: permanent(err), Err: err}
}
