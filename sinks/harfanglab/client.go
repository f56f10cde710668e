// Package harfanglab is the client of a HarfangLab manager's REST API, as far as lists, rules, alerts
// and threats go.
//
// Every request passes Client.do: trailing slash always, no redirect followed, and an answer counts
// only if it is JSON of the expected shape (contract harfanglab-api 1.3, 1.4).
package harfanglab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"harfangsync/reconcile/secret"
)

// Options say how the manager is reached. Token wins over Login and Password.
type Options struct {
	URL      string // without trailing slash
	Token    secret.Text
	Login    string
	Password secret.Text
	HTTP     *http.Client
	PageSize int // rows a page; default 500
	Log      *slog.Logger
	Attempts int                             // of one request; default 5
	Backoff  func(attempt int) time.Duration // nil is exponential with jitter, at most 30 s
	MaxWait  time.Duration                   // cap on Retry-After; default 5 min
}

// Client talks to one manager. It is safe for concurrent use.
type Client struct {
	rest     *resty.Client
	o        Options
	pageSize int
	index    int // rows that a listing of alerts or threats pages to
}

// mostBody bounds an answer: a page of 500 large Sigma rules stays far below.
const mostBody = 256 << 20

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
	c := &Client{o: o, pageSize: o.PageSize, index: indexWindow}
	if c.pageSize <= 0 {
		c.pageSize = 500
	}
	hc := *o.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.rest = resty.NewWithClient(&hc).
		SetBaseURL(strings.TrimRight(o.URL, "/")).
		SetHeader("Accept", "application/json").
		SetDisableWarn(true).
		SetLogger(restyLog{o.Log}).
		SetResponseBodyLimit(mostBody)
	switch {
	case o.Token.Set():
		token := strings.TrimSpace(o.Token.Reveal())
		if word, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(word, "Token") {
			token = strings.TrimSpace(rest)
		}
		c.rest.SetHeader("Authorization", "Token "+token)
	case o.Login != "":
		c.rest.SetBasicAuth(o.Login, o.Password.Reveal())
	}
	return c
}

func backoff(attempt int) time.Duration {
	const first, most = 250 * time.Millisecond, 30 * time.Second
	d := min(first<<min(attempt, 10), most)
	return d/2 + rand.N(d/2+1)
}

// restyLog takes resty's own messages; they hold no headers, because its debug mode is off.
type restyLog struct{ log *slog.Logger }

func (l restyLog) Errorf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l restyLog) Warnf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l restyLog) Debugf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }

// call is one request.
type call struct {
	method, path string // path ends in a slash
	query        url.Values
	body         any
	// repeatable says that the request may be sent again although the first may have been carried out.
	repeatable bool
	// noAnswer says that a 200 without a JSON body is fine, as a 204 always is after a change. Read, null
	// is the same as nothing.
	noAnswer bool
	// answer, when set, says what is wrong with the shape of a 2xx answer.
	answer func(body []byte) string
}

// do sends a request, repeats it where that is safe, and returns the body of a 2xx answer that is
// JSON.
func (c *Client) do(ctx context.Context, r call) ([]byte, error) {
	var payload []byte
	if r.body != nil {
		var err error
		if payload, err = marshal(r.body); err != nil {
			return nil, err
		}
	}
	for attempt := 0; ; attempt++ {
		body, again, err := c.once(ctx, r, payload)
		if err == nil {
			return body, nil
		}
		most := c.o.Attempts
		if again.turnedAway {
			most *= patience
		}
		if !again.repeat || attempt+1 >= most || ctx.Err() != nil {
			return nil, err
		}
		wait := c.o.Backoff(attempt)
		if again.after > 0 {
			wait = min(again.after, c.o.MaxWait)
		}
		c.o.Log.Debug("HarfangLab: repeating a request", "method", r.method, "path", r.path, "wait", wait, "error", err)
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// hide takes our own credentials out of what a server says: a proxy may echo the request.
func (c *Client) hide(s string) string {
	token := strings.TrimSpace(c.o.Token.Reveal())
	if word, bare, ok := strings.Cut(token, " "); ok && strings.EqualFold(word, "Token") {
		token = strings.TrimSpace(bare)
	}
	secrets := []string{token, c.o.Password.Reveal()}
	if c.o.Password.Set() {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(c.o.Login+":"+c.o.Password.Reveal())))
	}
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}

// marshal leaves HTML characters alone, so that rules reach the console as they were written.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// again says whether and when a failed request may be sent once more.
type again struct {
	repeat     bool
	after      time.Duration
	turnedAway bool // the server has too much to do and did not look at it
}

// patience is how much longer a server is asked that has too much to do than one that fails: an item is
// not given up because many are under way.
const patience = 3

func (c *Client) once(ctx context.Context, r call, payload []byte) ([]byte, again, error) {
	req := c.rest.R().SetContext(ctx)
	if r.query != nil {
		req.SetQueryParamsFromValues(r.query)
	}
	if payload != nil {
		req.SetHeader("Content-Type", "application/json").SetBody(payload)
	}
	resp, err := req.Execute(r.method, r.path)
	if err != nil {
		if ctx.Err() != nil {
			return nil, again{}, ctx.Err()
		}
		return nil, again{repeat: r.repeatable && !neverSent(err)}, &Error{Method: r.method, Path: r.path, Err: trim(err), Unsure: !r.repeatable && !neverSent(err)}
	}
	status, body := resp.StatusCode(), resp.Body()
	fail := func(words string) *Error {
		return &Error{Method: r.method, Path: r.path, Status: status, Words: c.hide(words)}
	}
	switch {
	case status >= 200 && status < 300:
		changed := status == http.StatusNoContent && r.method != http.MethodGet && r.method != http.MethodPost
		if (r.noAnswer || changed) && len(bytes.TrimSpace(body)) == 0 {
			return nil, again{}, nil
		}
		if r.noAnswer && r.method == http.MethodGet && bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
			return nil, again{}, nil
		}
		why := notJSON(body)
		if why == "" && r.answer != nil {
			why = r.answer(body)
		}
		if why != "" {
			e := fail(why)
			e.Shape = true
			e.Unsure = !r.repeatable
			return nil, again{repeat: r.repeatable}, e
		}
		return body, again{}, nil
	case status >= 300 && status < 400:
		return nil, again{}, fail("redirect to " + oneLine(redirectTarget(resp.Header().Get("Location"))))
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		e := fail(words(body))
		return nil, again{repeat: true, turnedAway: true, after: retryAfter(resp.Header().Get("Retry-After"), time.Now())}, e
	case status >= 500:
		e := fail(words(body))
		e.Unsure = !r.repeatable
		return nil, again{repeat: r.repeatable, after: retryAfter(resp.Header().Get("Retry-After"), time.Now())}, e
	}
	e := fail(words(body))
	e.judge(body)
	return nil, again{}, e
}

// neverSent says whether a failed request was not carried out and will not be by trying again: one
// that a read-only command must not send, or a certificate that is not trusted.
func neverSent(err error) bool {
	if p, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err); ok && p.Permanent() {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// trim drops the URL that net/http puts in front, which Error says itself.
func trim(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// notJSON says why a body is not a JSON value that can be an answer.
func notJSON(body []byte) string {
	t := bytes.TrimSpace(body)
	switch {
	case len(t) == 0:
		return "an empty body where JSON is due"
	case t[0] == '<':
		return "HTML where JSON is due; a proxy or a login page may be in front"
	case bytes.Equal(t, []byte("null")):
		return "null where an object is due"
	case !json.Valid(t):
		return "a body that is not JSON, or is cut"
	}
	return ""
}

func redirectTarget(location string) string {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return "an unnamed address"
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}

// retryAfter reads seconds or an HTTP date; 0 when there is neither.
func retryAfter(v string, now time.Time) time.Duration {
	const most = 24 * 60 * 60 // more would overflow, and is never waited for
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n >= 0 {
		return time.Duration(min(n, most)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Version asks for the manager's version, which also proves address and credentials (contract
// harfanglab-api 1.2).
func (c *Client) Version(ctx context.Context) (string, error) {
	body, err := c.do(ctx, call{method: http.MethodGet, path: "/api/version/", repeatable: true})
	if err != nil {
		return "", err
	}
	var v struct{ Version *text }
	if err := json.Unmarshal(body, &v); err != nil || v.Version == nil {
		return "", &Error{Method: http.MethodGet, Path: "/api/version/", Status: http.StatusOK, Shape: true, Words: "no version in the answer; is this a HarfangLab manager?"}
	}
	return oneLine(string(*v.Version)), nil
}
