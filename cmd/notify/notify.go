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
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/render"
	"harfangsync/reconcile/secret"
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
	again, err := h.post(ctx, body)
	if err == nil || !again {
		return err
	}
	t := time.NewTimer(cmp.Or(h.Pause, time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		_, err = h.post(ctx, body)
	case <-ctx.Done():
	}
	return err
}

func (h *Hook) post(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return false, errors.New("notice: the address of the webhook is none")
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := h.HTTP.Do(r)
	if err != nil {
		return true, errors.New("notice: " + h.hide(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says is of no interest
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return false, nil
	}
	again = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	return again, fmt.Errorf("notice: the webhook answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
}

// hide says what failed without the address: net/http puts it in front, and a proxy may repeat it.
func (h *Hook) hide(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	text := err.Error()
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
