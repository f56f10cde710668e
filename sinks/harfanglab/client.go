// Package harfanglab is the client of a HarfangLab manager's REST API, as far as lists, rules, alerts
// and threats go.
//
// Every request passes Client.do: trailing slash always, no redirect followed, and an answer counts
// only if it is JSON of the expected shape (contract harfanglab-api 1.3, 1.4).
package harfanglab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// Options say how the manager is reached. Token wins over Login and Password.
type Options struct {
	URL       string // without trailing slash
	Token     secret.Text
	Login     string
	Password  secret.Text
	HTTP      *http.Client
	PageSize  int   // rows a page; default 500
	MaxAnswer int64 // bytes of one answer; default remote.MostBytes
	Log       *slog.Logger
	Retry     remote.Retry
}

// Client talks to one manager. It is safe for concurrent use.
type Client struct {
	rest     *resty.Client
	o        Options
	pageSize int
	secrets  remote.Secrets // of ours, which a proxy may echo
	index    int            // rows that a listing of alerts or threats pages to
	written  written
	commas   atomic.Int32 // whether values cut at commas mean any of them
}

// mostRefusal bounds what is read of a refusal, of which only the beginning is shown.
const mostRefusal = 1 << 20

// New makes a client. It sends nothing.
func New(o Options) *Client {
	o.Retry = o.Retry.Filled()
	o.MaxAnswer = cmp.Or(max(o.MaxAnswer, 0), remote.MostBytes())
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	c := &Client{o: o, pageSize: cmp.Or(max(o.PageSize, 0), 500), index: indexWindow}
	hc := *cmp.Or(o.HTTP, &http.Client{Timeout: 2 * time.Minute})
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.rest = resty.NewWithClient(&hc).
		SetBaseURL(strings.TrimRight(o.URL, "/")).
		SetHeader("Accept", "application/json").
		SetDisableWarn(true).
		SetLogger(restyLog{o.Log})
	switch {
	case o.Token.Set():
		token := strings.TrimSpace(o.Token.Reveal())
		if word, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(word, "Token") {
			token = strings.TrimSpace(rest)
		}
		c.rest.SetHeader("Authorization", "Token "+token)
		c.secrets = remote.Secrets{token}
	case o.Login != "":
		c.rest.SetBasicAuth(o.Login, o.Password.Reveal())
		c.secrets = remote.Secrets{o.Password.Reveal(), base64.StdEncoding.EncodeToString([]byte(o.Login + ":" + o.Password.Reveal()))}
	}
	return c
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
	single     bool // it is not sent again all the same: its caller counts requests
	// noAnswer says that a 200 without a JSON body is fine, as a 204 always is after a change. Read, null
	// is the same as nothing.
	noAnswer bool
	// into is what a 2xx answer is decoded to; nil returns its body.
	into any
	// answer, when set, says what is wrong with the shape of a 2xx answer.
	answer func(body []byte) string
}

// do sends a request, repeats it where that is safe, and decodes or returns the body of a 2xx answer that
// is JSON.
func (c *Client) do(ctx context.Context, r call) ([]byte, error) {
	var payload []byte
	if r.body != nil {
		var err error
		if payload, err = marshal(r.body); err != nil {
			return nil, err
		}
	}
	var body []byte
	if r.single {
		body, err := c.once(ctx, r, payload)
		return body, remote.Cut(ctx, "HarfangLab: "+r.method+" "+r.path, err)
	}
	unsure := false
	err := c.o.Retry.Do(ctx, c.o.Log, func() (err error) {
		body, err = c.once(ctx, r, payload)
		if e, ok := errors.AsType[*Error](err); ok {
			unsure = unsure || e.Unsure
			e.Unsure = unsure
		}
		return err
	})
	return body, remote.Cut(ctx, "HarfangLab: "+r.method+" "+r.path, err)
}

// marshal leaves HTML characters alone, so that rules reach the console as they were written.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

func (c *Client) once(ctx context.Context, r call, payload []byte) (answer []byte, err error) {
	req := c.rest.R().SetContext(ctx).SetDoNotParseResponse(true)
	if r.query != nil {
		req.SetQueryParamsFromValues(r.query)
	}
	if payload != nil {
		req.SetHeader("Content-Type", "application/json").SetBody(payload)
	}
	var failure *Error
	resp, err := req.Execute(r.method, r.path)
	if err == nil {
		defer resp.RawBody().Close()
		body := io.Reader(resp.RawBody())
		if resp.IsError() {
			body = io.LimitReader(body, mostRefusal)
		}
		err = remote.Read(body, c.o.MaxAnswer, func(body []byte) { answer, failure = c.judge(&r, resp, body) })
	}
	_, tooLarge := errors.AsType[*remote.TooLargeError](err)
	switch {
	case failure != nil:
		return nil, failure
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case tooLarge:
		return nil, &Error{Method: r.method, Path: r.path, Status: resp.StatusCode(), Words: err.Error(), TooLarge: true, Unsure: r.changes()}
	}
	sent := !remote.Permanent(err)
	return nil, &Error{Method: r.method, Path: r.path, Err: remote.Bare(err), Unsure: r.changes() && sent && !unreached(err), again: r.repeatable && sent}
}

// judge takes what a whole answer holds, or says what is wrong with it.
func (c *Client) judge(r *call, resp *resty.Response, body []byte) ([]byte, *Error) {
	status := resp.StatusCode()
	e := &Error{Method: r.method, Path: r.path, Status: status, after: remote.After(resp.Header().Get("Retry-After"), time.Now())}
	switch {
	case status >= 200 && status < 300:
		if r.nothing(status, body) {
			return nil, nil
		}
		err := r.read(body)
		if misfit, ok := errors.AsType[remote.MisfitError](err); ok {
			e := shapeError(r.path, misfit.Error())
			e.Method, e.Unsure = r.method, r.changes()
			return nil, e
		}
		if err != nil {
			e.Words, e.Shape, e.Unsure, e.again = c.secrets.Hide(err.Error()), true, r.changes(), r.repeatable
			return nil, e
		}
		if r.into != nil {
			return nil, nil
		}
		return bytes.Clone(body), nil
	case status >= 300 && status < 400:
		e.Words = c.secrets.Hide(oneLine(remote.Redirect(resp.RawResponse.Request.URL, resp.Header().Get("Location"))))
	case e.turnedAway():
		e.Words, e.again = c.secrets.Hide(words(body)), true
	case status >= 500:
		e.Words, e.Unsure, e.again = c.secrets.Hide(words(body)), r.changes(), r.repeatable
	default:
		e.Words = c.secrets.Hide(words(body))
		e.judge(body)
		e.Foreign = e.foreign(r, body)
		e.Unsure = e.Foreign && status == http.StatusNotFound && r.method == http.MethodDelete // a look tells whether its row is gone
	}
	return nil, e
}

// changes says that the request is no mere read.
func (r *call) changes() bool { return r.method != http.MethodGet }

// unreached says that there was no connection to send a request over.
func unreached(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect")
}

// nothing says that there is no answer where none is due.
func (r *call) nothing(status int, body []byte) bool {
	body = bytes.TrimSpace(body)
	if r.method == http.MethodGet {
		return r.noAnswer && (len(body) == 0 || bytes.Equal(body, []byte("null")))
	}
	return len(body) == 0 && (r.noAnswer || status == http.StatusNoContent && r.method != http.MethodPost)
}

// read says why a body is not a JSON value that can be an answer, and decodes it where that was asked for.
func (r *call) read(body []byte) error {
	t := bytes.TrimSpace(body)
	switch {
	case len(t) == 0:
		return errors.New("an empty body where JSON is due")
	case t[0] == '<':
		return errors.New("HTML where JSON is due; a proxy or a login page may be in front")
	case bytes.Equal(t, []byte("null")):
		return errors.New("null where an object is due")
	}
	var err error
	if r.into != nil {
		err = remote.Decode(t, r.into)
	} else if !remote.Valid(t) {
		err = remote.ErrNotJSON
	}
	if errors.Is(err, remote.ErrNotJSON) {
		return errors.New("a body that is not JSON, or is cut")
	}
	if err == nil && r.answer != nil {
		if why := r.answer(body); why != "" {
			return errors.New(why)
		}
	}
	return err
}

// Version asks for the manager's version, which also proves address and credentials (contract
// harfanglab-api 1.2).
func (c *Client) Version(ctx context.Context) (string, error) {
	body, err := c.do(ctx, call{method: http.MethodGet, path: versionPath, repeatable: true})
	if err != nil {
		return "", err
	}
	var v struct{ Version *text }
	if err := remote.Decode(body, &v); err != nil || v.Version == nil {
		return "", &Error{Method: http.MethodGet, Path: versionPath, Status: http.StatusOK, Shape: true, Words: "no version in the answer; is this a HarfangLab manager?"}
	}
	return oneLine(string(*v.Version)), nil
}
