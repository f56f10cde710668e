package tail

import (
	"cmp"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"
)

// mostMarks is how many indicators are read by id; beyond it a full run is cheaper.
const mostMarks = 50_000

// pending are the indicators that events named since they were taken last. The stream is listened to all
// the time, also while a batch is under way.
type pending struct {
	changed chan struct{}
	quiet   time.Duration // a pause

	mu          sync.Mutex
	ids         map[string]bool
	first, last time.Time // of the events that made them
	rested      bool      // the first of them came after a pause
	missing     string    // why events may be missing, "" while none are
	safe        state.Position
	done        state.Position // up to here everything is in the lists
}

// listen takes in what a stream tells until it ends.
func (m *pending) listen(signals iter.Seq2[Signal, error], log *slog.Logger) error {
	for s, err := range signals {
		if err != nil {
			return err
		}
		m.hear(s, log)
	}
	return nil
}

func (m *pending) hear(s Signal, log *slog.Logger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	switch s := s.(type) {
	case Dirty:
		if m.ids == nil {
			m.ids = map[string]bool{}
		}
		if len(m.ids) == 0 {
			m.first, m.rested = now, now.Sub(m.last) >= m.quiet
		}
		for _, id := range s.IDs {
			if len(m.ids) <= mostMarks { // beyond it everything is read
				m.ids[id] = true
			}
			if strings.Contains(id, "--") { // what is gone is known by internal ids
				m.missing = cmp.Or(m.missing, "an event names its indicator by standard id only")
			}
		}
		m.last = now
		if len(m.ids) > mostMarks && m.missing == "" {
			m.missing = "more indicators changed than are worth reading one by one"
		}
	case Gap:
		log.Warn("events of the stream may be missing, so everything is read again", "why", s.Reason)
		m.missing = cmp.Or(m.missing, s.Reason)
	case Lost:
		log.Info("the stream's connection ended; it is made again", "why", s.Err, "wait", s.Wait)
		return
	case Safe:
		m.safe = s.Position
		return // nothing to do about it
	default:
		return
	}
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// due is when they are to be dealt with; zero while there are none. A gap is due at once, and so is what comes after a
// pause; what follows that soon waits until no more comes.
func (m *pending) due() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.missing != "":
		return time.Now()
	case len(m.ids) == 0:
		return time.Time{}
	case m.rested:
		return m.first
	}
	at := m.last.Add(m.quiet)
	if latest := m.first.Add(mostCollecting); at.After(latest) {
		return latest
	}
	return at
}

// gapped is why everything must be read again, "" when it need not be.
func (m *pending) gapped() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.missing
}

// take gives the indicators, sorted, and why events may be missing, and forgets both; safe is the position
// that they reach.
func (m *pending) take() (ids []string, missing string, safe state.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.ids {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	missing = m.missing
	m.ids, m.missing = nil, ""
	return ids, missing, m.safe
}

// putBack makes indicators pending again.
func (m *pending) putBack(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	for _, id := range ids {
		m.ids[id] = true
	}
}

// settled notes that everything up to a position is in the lists.
func (m *pending) settled(at state.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done.Compare(at) < 0 {
		m.done = at
	}
}

// dealtWith is the position up to which everything is in the lists. While nothing is pending that is as
// far as the stream is known.
func (m *pending) dealtWith() state.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ids) == 0 && m.missing == "" && m.done.Compare(m.safe) < 0 && !m.done.IsZero() {
		return m.safe
	}
	return m.done
}
