// Package opencti is the client of OpenCTI's GraphQL API: identity, streams, indicators with their
// observables, and the connector state; and of its live stream.
package opencti

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/machinebox/graphql"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// Options say how the platform is reached.
type Options struct {
	URL       string // without trailing slash
	Token     secret.Text
	Hidden    []string // what else no message repeats, such as the values of headers that HTTP sends
	HTTP      *http.Client
	PageSize  int   // indicators a page; default 500, at most 5000 (contract opencti-api 1.6)
	MaxAnswer int64 // bytes of one answer; default remote.MostBytes
	Log       *slog.Logger
	Retry     remote.Retry
	Without   Facts         // what decides nothing of an indicator, and is not asked for
	Began     time.Time     // when the command began, for the connector's page; zero is at each ping
	Every     time.Duration // after which the next one begins; 0 is unknown
	Endless   bool          // it goes on until it is interrupted
}

// Facts are those of an indicator that few settings and few outputs use. A platform takes its time to look up others'
// objects: for labels a third of a page's (contract opencti-api 0.9).
type Facts struct{ Labels, Authors, Phases bool }

// Client talks to one platform. It is safe for concurrent use.
type Client struct {
	gql      *graphql.Client
	live     *http.Client // without a limit on the whole of an answer
	o        Options
	secrets  remote.Secrets
	pageSize int

	apart     atomic.Bool // sightings cannot be asked for by several indicators at once
	singly    atomic.Bool // questions cannot be asked together
	mu        sync.Mutex  // guards what was learned of the platform
	version   Version
	cap       int // its largest page, 0 while unknown
	witnesses witnesses
}

const mostPage = 5000 // the platform's default cap (contract opencti-api 1.6)

// New makes a client. It sends nothing.
func New(o Options) *Client {
	o.Retry = o.Retry.Filled()
	o.MaxAnswer = cmp.Or(max(o.MaxAnswer, 0), remote.MostBytes())
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	c := &Client{o: o, secrets: append(remote.Secrets{o.Token.Reveal()}, o.Hidden...), pageSize: min(cmp.Or(max(o.PageSize, 0), 500), mostPage)}
	hc := *cmp.Or(o.HTTP, &http.Client{Timeout: 2 * time.Minute})
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	live := hc
	live.Timeout = 0
	c.live = &live
	next := hc.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	hc.Transport = &strict{next: next, limit: o.MaxAnswer, secrets: c.secrets}
	c.gql = graphql.NewClient(strings.TrimRight(o.URL, "/")+"/graphql", graphql.WithHTTPClient(&hc))
	return c
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
	document  string            // name of its file
	fields    string            // of an indicator, beside what its document asks for
	also      map[string]string // what to ask for in place of a comment of the document
	variables map[string]any
	right     string // the capability it needs (contract opencti-api 1.3)
	broker    bool   // the platform's message broker takes part in it
	once      bool   // what one of the objects may be to blame for is not tried again
}

// mostBroker is how long an operation may take that the message broker takes part in: up to 3.5 s were
// seen, and none ended while the broker hung (contract opencti-api 0.9).
const mostBroker = 30 * time.Second

// query sends an operation that may be repeated whatever happened to the first attempt.
func (c *Client) query(ctx context.Context, r request, out any) error {
	return c.send(ctx, r, out, (*Error).Temporary)
}

// queryOnce is query without another attempt. Its error says whether one is due.
func (c *Client) queryOnce(ctx context.Context, r request, out any) error {
	return c.once(ctx, r, out, (*Error).Temporary)
}

// mutate sends an operation that is repeated only if the server turned it away.
func (c *Client) mutate(ctx context.Context, r request, out any) error {
	return c.send(ctx, r, out, (*Error).TurnedAway)
}

func (c *Client) send(ctx context.Context, r request, out any, may func(*Error) bool) error {
	err := c.o.Retry.Do(ctx, c.o.Log, func() error { return c.once(ctx, r, out, may) })
	return remote.Cut(ctx, "OpenCTI: "+r.op, err)
}

// once sends an operation once. may says of which failures it may be sent again.
func (c *Client) once(ctx context.Context, r request, out any, may func(*Error) bool) error {
	text := c.lean(document(r.document, r.fields), r.fields)
	for line, question := range r.also {
		text = strings.Replace(text, line, question, 1)
	}
	req := graphql.NewRequest(text)
	for k, v := range r.variables {
		req.Var(k, v)
	}
	req.Header.Set("Authorization", "Bearer "+c.o.Token.Reveal())
	one := context.WithValue(ctx, intoKey{}, out)
	if r.broker {
		var cancel context.CancelFunc
		one, cancel = context.WithTimeout(one, mostBroker)
		defer cancel()
	}
	err := c.gql.Run(one, req, nil)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := c.errorOf(r, err)
	late, timed := errors.AsType[net.Error](err)
	e.hung = r.broker && timed && late.Timeout()
	e.again = may(e) && !e.hung && !(r.once && e.spoiled())
	return e
}

// errorOf is the failure in the form that callers branch on.
func (c *Client) errorOf(r request, err error) *Error {
	var e Error
	if known, ok := errors.AsType[*Error](err); ok {
		e = *known
	} else if misfit, ok := errors.AsType[remote.MisfitError](err); ok {
		// A whole GraphQL answer whose members have other types: asking again gives the same.
		e = Error{Status: http.StatusOK, Shape: true, Permanent: true, Message: "an answer of another shape: " + misfit.Error(), Err: misfit}
	} else {
		e = Error{Message: remote.Bare(err).Error(), Transport: true, Permanent: remote.Permanent(err), Err: err}
	}
	e.Op, e.Right, e.Version = r.op, r.right, c.known().String()
	e.Message = oneLine(c.secrets.Hide(e.Message))
	return &e
}

// misshapen is a whole answer that does not hold what was asked for.
func misshapen(op, message string) error {
	return &Error{Op: op, Status: http.StatusOK, Shape: true, Permanent: true, Message: message}
}
