package opencti

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// follower is a stream that is being followed.
type follower struct {
	c *Client
	o FollowOptions
	reading
}

var (
	errBreak  = errors.New("the caller has enough")
	errSilent = errors.New("nothing came")
)

// connection follows the stream through one connection. held says that it gave messages for a while.
// The error is errBreak, ErrStreamEnded, a *StreamError or an *Error.
func (f *follower) connection(ctx context.Context, yield func(tail.Signal) bool) (held bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watch{idle: f.o.Silence, expire: func() { cancel(errSilent) }}
	w.alive()
	body, err := f.open(ctx, w)
	if err != nil {
		return false, f.fault(ctx, err)
	}
	defer body.Close()
	w.r = body
	began := time.Now()
	messages := newMessages(w, f.o.MaxMessage+fields, w.alive)
	for {
		m, err := messages.next()
		if err != nil {
			return held, f.fault(ctx, err)
		}
		held = time.Since(began) >= steady
		if ignored(m.Event) {
			f.c.o.Log.Debug("OpenCTI: a message in the stream is ignored", "stream", f.o.Stream, "event", oneLine(f.secrets.Hide(m.Event)))
		}
		signals, err := f.message(m)
		for _, s := range signals {
			if !yield(s) {
				return held, errBreak
			}
		}
		if err != nil {
			return held, f.fault(ctx, err)
		}
	}
}

// open asks for the stream. The options go in the query, which is read first, and in the headers, which
// are left when something on the way drops the query (contract opencti-api 5.1).
func (f *follower) open(ctx context.Context, w *watch) (io.ReadCloser, error) {
	options := map[string]string{"listen-delete": "true", "no-dependencies": "true", "with-inferences": "false"}
	query := url.Values{}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(f.c.o.URL, "/")+"/stream/"+url.PathEscape(f.o.Stream), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range options {
		query.Set(name, value)
		r.Header.Set(name, value)
	}
	if start := f.connect(); start != "" {
		query.Set("from", start)
		r.Header.Set("Last-Event-ID", start)
	}
	r.URL.RawQuery = query.Encode()
	r.Header.Set("Authorization", "Bearer "+f.c.o.Token.Reveal())
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Accept-Encoding", "identity") // a compressor on the way would hold events back
	r.Header.Set("Cache-Control", "no-cache")
	var resp *http.Response
	w.during(func() { resp, err = f.c.live.Do(r) })
	if err != nil {
		return nil, err
	}
	if err := f.judge(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// judge lets only an event stream through. A refusal has no body, its reason is in the status line
// (contract opencti-api 5.2).
func (f *follower) judge(resp *http.Response) error {
	_, reason, _ := strings.Cut(resp.Status, " ")
	e := &Error{Status: resp.StatusCode, Message: oneLine(f.secrets.Hide(reason)), After: remote.After(resp.Header.Get("Retry-After"), time.Now())}
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		return &StreamError{Stream: f.o.Stream, Why: ErrStreamRefused, Answer: f.errorOf(e)}
	case status == http.StatusGone:
		return &StreamError{Stream: f.o.Stream, Why: ErrStreamStopped, Answer: f.errorOf(e)}
	case status == http.StatusInternalServerError && f.o.Unfiltered && strings.Contains(reason, "JSON"): // contract opencti-api 0.9
		return &StreamError{Stream: f.o.Stream, Why: ErrStreamBare, Answer: f.errorOf(e)}
	case status >= 300 && status < 400:
		e.Redirect, e.Message = true, remote.Redirect(resp.Request.URL, resp.Header.Get("Location"))
		return e
	case status != http.StatusOK:
		return e
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	coding := resp.Header.Get("Content-Encoding")
	e.Shape = true
	switch {
	case kind == "text/html":
		e.Message = "HTML where an event stream is due; a proxy or a login page may be in front"
	case kind != "text/event-stream":
		e.Message = fmt.Sprintf("content of type %q where an event stream is due", kind)
	case coding != "" && !strings.EqualFold(coding, "identity"):
		e.Message = fmt.Sprintf("an event stream in the coding %q, which was not asked for", coding)
	default:
		return nil
	}
	return e
}

// fault is the end of a connection in the form that callers branch on.
func (f *follower) fault(ctx context.Context, err error) error {
	_, sent := errors.AsType[*url.Error](err)
	_, known := errors.AsType[*Error](err)
	_, final := errors.AsType[*StreamError](err)
	switch {
	case final:
		return err
	case errors.Is(context.Cause(ctx), errSilent):
		return f.errorOf(&Error{Transport: true, Message: fmt.Sprintf("no message within %v", f.o.Silence), Err: errSilent})
	case sent || known:
		return f.errorOf(err)
	case errors.Is(err, io.EOF):
		return ErrStreamEnded
	}
	return f.errorOf(&Error{Transport: true, Message: "the stream broke off: " + err.Error(), Err: err})
}

func (f *follower) errorOf(err error) *Error {
	return f.c.errorOf(request{op: fmt.Sprintf("live stream %q", f.o.Stream)}, err)
}

// StreamError says that the platform does not serve a live stream, and will not serve it until somebody
// changes something there.
type StreamError struct {
	Stream string
	Why    error // ErrStreamStopped, ErrStreamRefused or ErrStreamBare
	Answer *Error
}

// Error names the stream and the way out.
func (e *StreamError) Error() string {
	remedy := "check connector.live_stream_id and the token, and that the account has the capability TAXIIAPI, is a member of the stream and may see a marking of its filter"
	switch {
	case errors.Is(e.Why, ErrStreamStopped):
		remedy = "start it in OpenCTI"
	case errors.Is(e.Why, ErrStreamBare):
		remedy = "give it one in OpenCTI under Data sharing, such as entity type is Indicator"
	}
	return fmt.Sprintf("OpenCTI: live stream %q: %v (%d %s); %s", e.Stream, e.Why, e.Answer.Status, e.Answer.Message, remedy)
}

// Unwrap is why, and the answer.
func (e *StreamError) Unwrap() []error { return []error{e.Why, e.Answer} }

// watch reads from a connection, and ends it when nothing came for too long. Only waiting counts: a
// reader that is busy elsewhere is no silence.
type watch struct {
	r      io.Reader
	idle   time.Duration
	left   time.Duration
	expire func()
}

// alive begins the silence anew.
func (w *watch) alive() { w.left = w.idle }

func (w *watch) during(wait func()) {
	began := time.Now()
	t := time.AfterFunc(w.left, w.expire)
	wait()
	t.Stop()
	w.left -= time.Since(began)
}

func (w *watch) Read(p []byte) (n int, err error) {
	w.during(func() { n, err = w.r.Read(p) })
	return n, err
}
