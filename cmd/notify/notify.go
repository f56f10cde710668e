// Package notify tells a webhook what a run did: one JSON object, whose text chat services show as it is.
package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// Timeout is the limit for one attempt to send a notice.
const Timeout = 10 * time.Second

// Notice is what is told of one run. It holds no URL and no secret. New makes one.
type Notice struct {
	Text     string            `json:"text"` // one line; &, < and > are entities, as chat services ask for
	Event    string            `json:"event"`
	ExitCode int               `json:"exit_code"`
	Summary  reconcile.Summary `json:"summary"` // of the plan; counts are 0 when none was made
	Applied  int               `json:"applied"` // changes made
	Failed   int               `json:"failed"`  // planned changes not made
	Gates    []Gate            `json:"gates"`   // those that refuse the plan
	Source   string            `json:"source"`  // host of OpenCTI, with its port where one is named
	Target   string            `json:"target"`  // of HarfangLab
}

// Gate is a gate that refuses a plan, and the flag that would let it pass; none for some gates.
type Gate struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Message  string `json:"message"`
	Override string `json:"override"`
}

// New makes a notice for people out of lines: they are joined, made safe to show, and stand behind the
// command and the two hosts. Summary and Gates are never null.
func New(command, sourceURL, targetURL string, lines ...string) *Notice {
	n := &Notice{Source: host(sourceURL), Target: host(targetURL), Gates: []Gate{},
		Summary: reconcile.Summary{ByAction: map[string]int{}, ByKind: map[string]int{}, ByReason: map[string]int{}}}
	n.Text = Safe(fmt.Sprintf("harfangsync %s, %s to %s: %s", command, n.Source, n.Target, strings.Join(lines, " ")))
	return n
}

// Refuse adds the gates of a plan that refuse it.
func (n *Notice) Refuse(gates []reconcile.Gate) {
	for i := range gates {
		if g := &gates[i]; !g.OK {
			n.Gates = append(n.Gates, Gate{Safe(g.ID), Safe(g.Name), Safe(g.Message), Safe(g.Override)})
		}
	}
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return Safe(u.Host)
}

var anyURL = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]*`)

// mostText is the length of a text, in runes; chat services cut or refuse longer ones.
const mostText = 2000

// Safe makes a text fit for a chat: one line without addresses, mentions, markup of links or anything
// that does not show itself, of at most 2,000 characters before its entities.
func Safe(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = anyURL.ReplaceAllString(render.Escape(s), "(address)")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "@", "(at)"), "](", "] (")
	if r := []rune(s); len(r) > mostText {
		s = string(r[:mostText-1]) + "…"
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Hook sends notices to one address, which is a secret.
type Hook struct {
	URL   secret.Text
	HTTP  *http.Client  // with Timeout as its limit, and without redirects
	Pause time.Duration // before the second attempt; 0 is a second
}

// Send posts a notice. When the hook does not answer, or with 429 or 5xx, it is sent once more; then, and
// for any other answer but 2xx, it is an error, which does not hold the address.
func (h *Hook) Send(ctx context.Context, n *Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	pause := func(int) time.Duration { return cmp.Or(h.Pause, time.Second) }
	retry := remote.Retry{Attempts: 2, Backoff: pause}.Filled()
	return retry.Do(ctx, slog.New(slog.DiscardHandler), func() error { return h.post(ctx, body) })
}

// temporary is a failure that may be over at the next attempt.
type temporary struct{ error }

func (temporary) Again(most int) (int, time.Duration) { return most, 0 }

func (h *Hook) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return errors.New("notice: the address of the webhook is none")
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := h.HTTP.Do(r)
	if err != nil {
		return temporary{errors.New("notice: " + h.hide(err))}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says is of no interest
	err = fmt.Errorf("notice: the webhook answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests || code >= 500:
		return temporary{err}
	}
	return err
}

// hide says what failed without the address: net/http puts it in front, and a proxy may repeat it.
func (h *Hook) hide(err error) string {
	text := remote.Bare(err).Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "the webhook gives no answer in time"
	}
	parts := []string{h.URL.Reveal()}
	if u, err := url.Parse(h.URL.Reveal()); err == nil {
		parts = append(parts, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery)
		if password, set := u.User.Password(); set {
			parts = append(parts, password)
		}
	}
	for _, part := range parts {
		if strings.Trim(part, "/") != "" {
			text = strings.ReplaceAll(text, part, "***")
		}
	}
	return render.Escape(text)
}
