package hlsim

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// batch is how many alerts are read before the lock is taken to hold them.
const batch = 4096

// LoadAlerts holds alert documents: any JSON objects, with the members of contract harfanglab-api 7.3.
// One without id or alert_time is given them. A threat that an alert names by threat_key is made if it
// is not there. It gives the ids of those that it took, in their order. Those that it refused, because
// they are no objects or their id is taken, are errors that name their place, from 1; the others are
// held all the same.
func (s *Sim) LoadAlerts(docs []json.RawMessage) (ids []string, err error) {
	l := loader{sim: s, noun: "alert"}
	for i, doc := range docs {
		l.add(i+1, doc)
	}
	return l.end()
}

// LoadAlertsJSONL reads one alert document a line, as LoadAlerts takes them; blank lines are passed
// over. It gives the number of those that it took, and errors that name the lines of the others.
func (s *Sim) LoadAlertsJSONL(r io.Reader) (int, error) {
	l := loader{sim: s, noun: "line"}
	lines := bufio.NewReaderSize(r, 1<<20)
	for at := 1; ; at++ {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			l.add(at, line)
		}
		if err != nil {
			ids, bad := l.end()
			if !errors.Is(err, io.EOF) {
				bad = errors.Join(bad, err)
			}
			return len(ids), bad
		}
	}
}

// LoadAlertsFile reads a file as LoadAlertsJSONL does.
func (s *Sim) LoadAlertsFile(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return s.LoadAlertsJSONL(f)
}

// loader holds alerts a batch at a time, since reading a document takes longer than holding it.
type loader struct {
	sim   *Sim
	noun  string // of the places
	ids   []string
	ready []arrival
	at    []int // the places of those that are ready
	bad   []refusal
	more  int // refusals beyond the most
}

// refusal is an alert that was not held.
type refusal struct {
	at  int
	err error
}

// mostBad bounds the errors that are told one by one.
const mostBad = 20

func (l *loader) refuse(at int, err error) {
	if len(l.bad) == mostBad {
		l.more++
		return
	}
	l.bad = append(l.bad, refusal{at, err})
}

func (l *loader) add(at int, doc []byte) {
	e, h, err := readEvent(doc, l.sim.nextIndexID, l.sim.options.Now())
	if err != nil {
		l.refuse(at, err)
		return
	}
	l.ready, l.at = append(l.ready, arrival{e, h}), append(l.at, at)
	if len(l.ready) == batch {
		l.hold()
	}
}

func (l *loader) hold() {
	l.sim.mu.Lock()
	errs := l.sim.events.hold(l.ready)
	l.sim.mu.Unlock()
	for i, err := range errs {
		if err != nil {
			l.refuse(l.at[i], err)
		} else {
			l.ids = append(l.ids, l.ready[i].id)
		}
	}
	l.ready, l.at = l.ready[:0], l.at[:0]
}

func (l *loader) end() ([]string, error) {
	l.hold()
	slices.SortFunc(l.bad, func(a, b refusal) int { return cmp.Compare(a.at, b.at) })
	var errs []error
	for _, r := range l.bad {
		errs = append(errs, fmt.Errorf("%s %d: %w", l.noun, r.at, r.err))
	}
	if l.more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", l.more))
	}
	return slices.Clip(l.ids), errors.Join(errs...)
}

// nextIndexID is the id of the next document in the index: 20 letters and digits of base64 (contract
// harfanglab-api 7.3), the same for Sims of the same history.
func (s *Sim) nextIndexID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "alert %d", s.named.Add(1)))
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}
