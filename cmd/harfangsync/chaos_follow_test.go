package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

const chaosStream = "3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11"

// tailTemplate is what the world of every tail begins with: lists in sync, and a stream.
type tailTemplate struct {
	inds  []octisim.Indicator
	rules map[string][]hlsim.Rule // by kind
	state string
}

// steadily are the indicators that nothing ever happens to: their rules are in force all the time.
const steadily = 30

func newTailTemplate(t testing.TB) *tailTemplate {
	w := newChaosWorld(t)
	defer w.close()
	for i := range steadily {
		w.put(i, fmt.Sprintf("steady %d", i), "stix", domainPattern(fmt.Sprintf("steady-%d.example", i)), "steady")
	}
	for i := 100; i < 112; i++ {
		w.put(i, fmt.Sprintf("moving %d", i), "stix", domainPattern(fmt.Sprintf("moving-%d.example", i)), "as it was")
		w.edit(i, func(in *octisim.Indicator) {
			in.CreatedBy = &octisim.Identity{Name: fmt.Sprintf("Author %d", i)} // sent ahead of its events
		})
	}
	w.octi.Attach(chaosID(111), octisim.Observable{EntityType: "Domain-Name", Value: "attached.example"})
	w.put(120, "sigma", "sigma", fmt.Sprintf(chaosSigma, "sigma", chaosID(900), "enc"), "")
	w.put(121, "yara", "yara", yaraRule("loader", "loader"), "")
	if code, out, errs := w.command(t.Context(), "run"); code != 0 {
		t.Fatalf("run: %d\n%s%s", code, out, errs)
	}
	tpl := &tailTemplate{inds: w.octi.Indicators(), rules: map[string][]hlsim.Rule{}}
	for _, k := range chaosKinds {
		tpl.rules[k] = w.hl.Rules(k)
	}
	tpl.state, _ = w.octi.Connector(simConnectorID)
	return tpl
}

// tailWorld is a world with a tail in it.
type tailWorld struct {
	*chaosWorld
	front *sentry

	stop     context.CancelFunc
	ended    chan int // its code
	out, err *shared
}

func (tpl *tailTemplate) world(t testing.TB) *tailWorld {
	w := &tailWorld{chaosWorld: newChaosWorld(t)}
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.StreamHeartbeat, k.StreamIdle = 25*time.Millisecond, 25*time.Millisecond })
	for _, i := range tpl.inds {
		w.octi.Put(i)
	}
	for _, k := range chaosKinds {
		id, err := w.hl.AddSource(k, "from_OpenCTI")
		if err == nil {
			err = w.hl.Load(k, id, slices.Clone(tpl.rules[k]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.store(tpl.state); err != nil {
		t.Fatal(err)
	}
	w.octi.PutStream(octisim.Stream{ID: chaosStream, Name: "chaos", Live: true, Filters: text(`{"mode":"and","filters":[{"key":["entity_type"],"values":["Indicator"]}],"filterGroups":[]}`)})
	w.env = []string{"CONNECTOR_LIVE_STREAM_ID=" + chaosStream, "HARFANGSYNC_TAIL_QUIET=20ms", "HARFANGSYNC_LOCK=none"}
	w.timeout = "20s"
	w.front = &sentry{w: w.chaosWorld}
	server := httptest.NewServer(w.front)
	server.Config.ErrorLog = quietLog
	w.hlURL = server.URL
	t.Cleanup(server.Close)
	plain := w.close
	w.close = func() { server.Close(); plain() }
	w.octi.HTTP.Forget()
	return w
}

// follow starts a tail and waits until it listens.
func (w *tailWorld) follow(t testing.TB) {
	t.Helper()
	w.out, w.err, w.ended = &shared{}, &shared{}, make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = cancel
	p := w.program(w.out, w.err)
	p.silence = 400 * time.Millisecond
	p.tailWait = func(int) time.Duration { return 40 * time.Millisecond }
	p.signalled.Store(int32(syscall.SIGTERM)) // which is what ends it
	go func() { w.ended <- p.run(ctx, []string{"harfangsync", "tail"}) }()
	w.until(t, "the tail listens", func() bool { return w.octi.Stream().Connections > 0 })
}

// until waits for something to become true; it is false when that takes too long.
func (w *tailWorld) until(t testing.TB, what string, is func() bool) bool {
	t.Helper()
	const most, step = 30 * time.Second, 2 * time.Millisecond
	for end := time.Now().Add(most); !is(); time.Sleep(step) {
		if time.Now().After(end) {
			t.Logf("it does not come about that %s; the tail said\n%s", what, lastOf(w.err.String()))
			return false
		}
	}
	return true
}

// leave ends the tail and gives its code.
func (w *tailWorld) leave() int {
	w.stop()
	return <-w.ended
}

// over says that the tail has ended by itself.
func (w *tailWorld) over() bool { return len(w.ended) > 0 }

// settled says that the lists hold what is wanted, and nothing else.
func (w *tailWorld) settled() bool {
	held, doubled := w.held()
	want := w.wanted()
	if len(doubled) > 0 || len(held) != len(want) {
		return false
	}
	for key, description := range want {
		if is, there := held[key]; !there || !strings.HasPrefix(is, "enabled=true") || description != "" && is != "enabled=true "+description {
			return false
		}
	}
	return true
}

var (
	quoted  = regexp.MustCompile(`'([^']*)'`)
	sigmaID = regexp.MustCompile(`(?m)^id: (.*)$`)
)

// wanted is what the indicators of these worlds ask for: descriptions by key, "" where they are not
// compared.
func (w *chaosWorld) wanted() map[string]string {
	want := map[string]string{}
	for _, i := range w.octi.Indicators() {
		if i.Revoked {
			continue
		}
		var keys []string
		switch i.PatternType {
		case "sigma":
			want["sigma "+sigmaID.FindStringSubmatch(i.Pattern)[1]] = ""
			continue
		case "yara":
			want["yara "+i.Name] = ""
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(i.Pattern, -1) {
			keys = append(keys, "ioc domain_name "+strings.ToLower(m[1]))
		}
		for _, o := range i.Observables {
			keys = append(keys, "ioc domain_name "+strings.ToLower(o.Value))
		}
		for _, key := range keys {
			if _, shared := want[key]; shared {
				want[key] = ""
			} else {
				want[key] = i.Description
			}
		}
	}
	return want
}

// sentry is HarfangLab with somebody who looks at the lists after every write: what nobody asked to
// remove is in force all the time.
type sentry struct {
	w    *chaosWorld
	down atomic.Bool
	cut  atomic.Int32 // requests while it was down
	may  atomic.Int32 // so many were asked to go

	mu   sync.Mutex
	lost map[string]bool
}

func (f *sentry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.down.Load() {
		f.cut.Add(1)
		panic(http.ErrAbortHandler) // closes the connection without a word
	}
	f.w.hl.ServeHTTP(w, r)
	if r.Method == http.MethodGet {
		return
	}
	in := 0
	for _, rule := range f.w.hl.Rules("ioc") {
		if strings.HasPrefix(rule.Value, "steady-") && rule.Enabled {
			in++
		}
	}
	if in < steadily-int(f.may.Load()) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.lost == nil {
			f.lost = map[string]bool{}
		}
		f.lost[fmt.Sprintf("%d of %d steady rules in force after %s %s", in, steadily, r.Method, r.URL.Path)] = true
	}
}

func (f *sentry) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.lost))
}

// shared is a buffer that several goroutines use.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// live is a change of every sort, in which no steady indicator has a part.
func (w *tailWorld) live() {
	w.put(200, "new", "stix", domainPattern("new.example"), "new")
	w.put(201, "new sigma", "sigma", fmt.Sprintf(chaosSigma, "new sigma", chaosID(950), "new"), "")
	w.edit(100, func(i *octisim.Indicator) { i.Description = "changed" })
	w.edit(101, func(i *octisim.Indicator) { i.Pattern = domainPattern("moved-101.example") })
	w.edit(102, func(i *octisim.Indicator) { i.Revoked = true })
	w.octi.Delete(chaosID(103))
	w.octi.Merge(chaosID(104), chaosID(105))
	w.octi.Attach(chaosID(106), octisim.Observable{EntityType: "Domain-Name", Value: "fresh.example"})
	w.edit(106, func(i *octisim.Indicator) { i.Description = "has more" }) // a relation alone is no event
	for _, o := range w.observablesOf(111) {
		w.octi.Detach(chaosID(111), o.ID)
	}
	w.edit(111, func(i *octisim.Indicator) { i.Description = "has less" })
	w.put(202, "new yara", "yara", yaraRule("fresh", "new"), "")
}

func (w *tailWorld) observablesOf(n int) []octisim.Observable {
	i, _ := w.octi.Indicator(chaosID(n))
	return i.Observables
}

// verdict ends the tail, unless it has ended by itself, and says what it did wrong.
func (w *tailWorld) verdict(t testing.TB, v *verdict) {
	if !w.until(t, "the lists hold what is wanted", w.settled) {
		v.lost = append(v.lost, w.unsettled()...)
	}
	if code := w.leave(); code != exit.Signal+int(syscall.SIGTERM) {
		v.other = append(v.other, fmt.Sprintf("the tail ended with %d: %s", code, lastLine(w.err.String())))
	}
	w.afterwards(t, v)
}

// unsettled are the differences between what is wanted and what is held.
func (w *tailWorld) unsettled() (lines []string) {
	held, _ := w.held()
	want := w.wanted()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if is, there := held[key]; !there || !strings.HasSuffix(is, want[key]) {
			lines = append(lines, fmt.Sprintf("lost: %s is %q, want %q", key, is, want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if _, wanted := want[key]; !wanted {
			lines = append(lines, "left over: "+key)
		}
	}
	return lines
}

// afterwards is what holds whatever a tail went through: a plan finds nothing to do.
func (w *tailWorld) afterwards(t testing.TB, v *verdict) {
	w.octi.HTTP.Heal()
	w.hl.HTTP.Heal()
	code, out, errs := w.command(t.Context(), "plan", "--detailed-exitcode")
	if code != 0 || !strings.Contains(out, "No changes. HarfangLab matches OpenCTI.") {
		v.lost = append(v.lost, fmt.Sprintf("a plan ends with %d\n%s%s\nthe tail said\n%s", code, out, errs, lastOf(w.err.String())))
	}
	_, doubled := w.held()
	v.doubled = append(v.doubled, doubled...)
	v.removed = append(v.removed, w.front.said()...)
	said := w.out.String() + w.err.String()
	if strings.Contains(said, simOpenCTIToken) || strings.Contains(said, simHarfangLabToken) {
		v.other = append(v.other, "a token was printed")
	}
}
