package octisim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tap is the client's end of a stream that is served in this process. It keeps what was flushed.
type tap struct {
	mu     sync.Mutex
	header http.Header
	status int
	wrote  []byte
	seen   []byte // flushed and not taken yet
	over   string // how the response ended: "" not at all, "ended" or "cut"
	leave  context.CancelFunc
}

func (p *tap) Header() http.Header { return p.header }

func (p *tap) WriteHeader(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status == 0 {
		p.status = status
	}
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = append(p.wrote, b...)
	return len(b), nil
}

func (p *tap) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.wrote = append(p.seen, p.wrote...), nil
}

// follow connects to a stream with the token "t" and waits until nothing moves. Query and headers go
// with the request: "from=0", "listen-delete: false".
func follow(t *testing.T, s *Sim, id string, options ...string) *tap {
	t.Helper()
	return followAs(t, s, "t", id, options...)
}

func followAs(t *testing.T, s *Sim, token, id string, options ...string) *tap {
	t.Helper()
	var query []string
	head := http.Header{"Authorization": {"Bearer " + token}}
	for _, o := range options {
		if name, value, ok := strings.Cut(o, ": "); ok {
			head.Set(name, value)
		} else {
			query = append(query, o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/stream/"+id+"?"+strings.Join(query, "&"), nil)
	r.Header = head
	p := &tap{header: http.Header{}, leave: cancel}
	go func() {
		over := "ended"
		defer func() {
			if e := recover(); e != nil {
				if e != http.ErrAbortHandler {
					panic(e)
				}
				over = "cut"
			}
			p.Flush()
			p.mu.Lock()
			defer p.mu.Unlock()
			p.over = over
		}()
		s.ServeHTTP(p, r)
	}()
	synctest.Wait()
	return p
}

// sse is one message as a client parses it.
type sse struct {
	ID, Event string
	Data      map[string]any // nil unless it is an object
	Text      string
}

// brief is a message in a few words: event, inner type, what it is about and whose doing it is.
func (m sse) brief() string {
	words := []string{m.Event}
	add := func(path ...any) {
		if s, _ := m.get(path...).(string); s != "" {
			words = append(words, s)
		}
	}
	add("type")
	add("data", "name")
	if m.get("data", "name") == nil {
		add("data", "type")
	}
	add("origin", "referer")
	return strings.Join(words, " ")
}

func (m sse) get(path ...any) any { return reply{Data: m.Data}.get(path...) }

// octi is a member of the platform's own extension.
func (m sse) octi(name string) any { return m.get("data", "extensions", extOCTI, name) }

// take waits until nothing moves and gives the messages that came since the last time.
func (p *tap) take(t *testing.T) []sse {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	out, rest := parseSSE(t, p.seen)
	p.seen = rest
	return out
}

// briefs are the messages that came since the last time, in brief, without what tells of no event.
func (p *tap) briefs(t *testing.T) []string {
	t.Helper()
	return briefs(p.take(t))
}

func briefs(ms []sse) []string {
	out := []string{}
	for _, m := range ms {
		switch m.Event {
		case "connected", "heartbeat", "consumer_metrics":
		default:
			out = append(out, m.brief())
		}
	}
	return out
}

func (p *tap) end() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// parseSSE reads whole messages; what is left is the beginning of one.
func parseSSE(t testing.TB, b []byte) (out []sse, rest []byte) {
	t.Helper()
	for {
		text, after, ok := bytes.Cut(b, []byte("\n\n"))
		if !ok {
			return out, b
		}
		b = after
		var m sse
		for line := range strings.SplitSeq(string(text), "\n") {
			name, value, ok := strings.Cut(line, ": ")
			switch {
			case ok && name == "id":
				m.ID = value
			case ok && name == "event":
				m.Event = value
			case ok && name == "data":
				m.Text = value
				if !json.Valid([]byte(value)) {
					t.Fatalf("data is no JSON: %s", value)
				}
				_ = json.Unmarshal([]byte(value), &m.Data)
			default:
				t.Fatalf("a line of a message is %q", line)
			}
		}
		out = append(out, m)
	}
}

// streamed is a platform at the start of the bubble's time, with a stream "s" of the given filter.
func streamed(o Options, filters ...map[string]any) *Sim {
	o.Token = "t"
	s := New(o)
	s.PutStream(Stream{ID: "s", Name: "EDR", Live: true, Filters: storedText(filters...)})
	return s
}

// storedText is the text of a filter.
func storedText(filters ...map[string]any) *string {
	if filters == nil {
		return nil
	}
	text, err := json.Marshal(and(filters...))
	if err != nil {
		panic(err)
	}
	return new(string(text))
}

// wanted is the filter of a stream as people make them.
func wanted() []map[string]any {
	return []map[string]any{is("entity_type", "eq", "Indicator"), is("revoked", "eq", "false"), is("x_opencti_detection", "eq", "true")}
}

// deployed is an indicator that wanted lets through, named by its id.
func deployed(id string) Indicator {
	return Indicator{ID: id, Name: id, Pattern: "[domain-name:value = '" + id + ".example']", Detection: new(true)}
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// seconds lets time pass, and whatever is due happen.
func seconds(n float64) {
	time.Sleep(time.Duration(n * float64(time.Second)))
	synctest.Wait()
}

// failer is a test or a check of a property.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// applyOp carries out one operation of a JSON patch on members of objects.
func applyOp(t failer, doc any, op map[string]any) {
	t.Helper()
	at, _ := doc.(map[string]any)
	path := strings.Split(op["path"].(string), "/")[1:]
	for i, name := range path {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		if i < len(path)-1 {
			at, _ = at[name].(map[string]any)
			continue
		}
		_, there := at[name]
		if at == nil || there == (op["op"] == "add") {
			t.Fatalf("operation does not fit the document: %v", op)
		}
		if op["op"] == "remove" {
			delete(at, name)
		} else {
			at[name] = op["value"]
		}
	}
}
