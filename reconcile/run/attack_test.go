package run_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Whatever the feed, a console user, the platforms and the clock do: a run leaves no rule in force that no
// indicator means, and no rule out of force that one means, unless it says so; it takes nothing out of force
// that an indicator means, changes nothing that is not ours and makes nothing twice. Once the attacks are over and
// what was refused is accepted, the rules are those that the indicators mean.
func TestNoAttackerGetsPast(t *testing.T) {
	t.Parallel()
	const attackers = 200
	did := map[string]int{}
	for seed := range uint64(attackers) {
		s := newSiege(t, seed)
		s.run("")
		for range 8 {
			for range 1 + s.random.IntN(3) {
				s.attack()
			}
			s.pass()
		}
		s.relief()
		for what, n := range s.did {
			did[what] += n
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, strings.Join(s.script, "; "))
		}
	}
	for what := range attacks {
		if did[what] == 0 {
			t.Errorf("nobody tried: %s", what)
		}
	}
	for _, effect := range []string{"stopped", "held", "applied", "failed", "accepted"} {
		if did[effect] == 0 {
			t.Errorf("no run was %s", effect)
		}
	}
}

// siege is both platforms, what the indicators mean in truth, and all who are at them.
type siege struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	script []string       // what was done, for who reads of a failure
	did    map[string]int // how often

	feed   map[string]reconcile.Indicator // in truth
	backup map[string]reconcile.Indicator
	next   int
	sees   []string        // markings
	shown  map[string]bool // rules that the account saw an indicator mean and that were in place, by both
	delete bool            // removals delete

	snk   *sink
	store *memory
	hands map[string]reconcile.Row // rows that are a person's, as they left them
	pins  map[string]bool          // rows of ours that a person disabled

	lie   func(*source)      // of the next run's OpenCTI; may be nil
	short bool               // and it shows less than there is, which it says nowhere: nobody can know what was never deployed
	bad   map[string]bool    // indicators that it cannot give
	fail  func(string) error // of the next run's writes and reads in HarfangLab; may be nil
	rival bool               // the next run is held up past its lease while another one works
}

// memory is a store of the state, which may be too slow.
type memory struct {
	mu     sync.Mutex // guards what follows while runs are at work
	text   string
	broken int // so many saves fail
	failed int
}

func (m *memory) Load(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text, nil
}

func (m *memory) Save(_ context.Context, text string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken > 0 {
		m.broken--
		m.failed++
		return context.DeadlineExceeded
	}
	m.text = text
	return nil
}

const (
	secret  = "TLP:RED"    // which the account may lose
	outside = "unfiltered" // a label that the stream's filter does not let through
)

func newSiege(t *testing.T, seed uint64) *siege {
	s := &siege{t: t, random: rand.New(rand.NewPCG(seed, 1)), now: noon, did: map[string]int{}, feed: map[string]reconcile.Indicator{}, sees: []string{"TLP:AMBER", secret},
		delete: seed%2 == 0, shown: map[string]bool{}, snk: newSink(), store: &memory{}, hands: map[string]reconcile.Row{}, pins: map[string]bool{}}
	for range 14 + s.random.IntN(20) {
		s.add("stix")
	}
	for range s.random.IntN(4) {
		s.add("sigma")
		s.add("yara")
	}
	s.backup = maps.Clone(s.feed)
	return s
}

func (s *siege) say(format string, args ...any) {
	s.script = append(s.script, fmt.Sprintf(format, args...))
}

// add makes an indicator.
func (s *siege) add(typ string) {
	s.next++
	id := fmt.Sprintf("i%04d", s.next)
	var i reconcile.Indicator
	switch typ {
	case "sigma":
		i = sigma(id, fmt.Sprintf("%08d-0000-4000-8000-000000000001", s.next))
	case "yara":
		i = yara(id)
	default:
		i = ind(id, "domain_name "+s.domain())
		if s.random.IntN(4) == 0 { // more than one value, some of them another's
			i.Pattern += ";domain_name " + s.domain()
		}
	}
	if s.random.IntN(6) == 0 {
		i.Markings = []reconcile.Marking{{Type: "TLP", Definition: secret}}
	}
	i.CreatedAt, i.UpdatedAt = s.now.Add(-time.Hour), s.now.Add(-time.Hour)
	s.feed[id] = i
}

func (s *siege) domain() string { return fmt.Sprintf("h%d.example", s.random.IntN(150)) }

// some are up to n indicators.
func (s *siege) some(n int) (ids []string) {
	all := slices.Sorted(maps.Keys(s.feed))
	s.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(1+s.random.IntN(n), len(all))]
}

// each changes some indicators.
func (s *siege) each(n int, change func(*reconcile.Indicator)) {
	for _, id := range s.some(n) {
		i := s.feed[id]
		change(&i)
		i.UpdatedAt = s.now
		s.feed[id] = i
	}
}

// row is a random row that is there, nil for none.
func (s *siege) row(is func(*reconcile.Row) bool) *reconcile.Row {
	var fit []*reconcile.Row
	for i := range s.snk.rows {
		if r := &s.snk.rows[i]; is(r) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[s.random.IntN(len(fit))]
}

func (s *siege) ours(r *reconcile.Row) bool { _, theirs := s.hands[r.ID]; return !theirs }

// byHand puts a person's row into a list, if there is a list and nothing in its place.
func (s *siege) byHand(r reconcile.Row) {
	taken := func(h *reconcile.Row) bool { return r.Kind == reconcile.IOC && h.Kind == r.Kind && h.Value == r.Value }
	if s.snk.lists[r.Kind] == nil || s.row(taken) != nil {
		return
	}
	s.snk.made++
	r.ID, r.Enabled, r.HLStatus = fmt.Sprintf("hand-%03d", s.snk.made), true, "stable"
	s.snk.rows = append(s.snk.rows, r)
	s.hands[r.ID] = r
}

// attacks are what can be done, by whom.
var attacks = map[string]func(*siege){
	"feed: junk": func(s *siege) {
		for range s.random.IntN(30) {
			s.add("stix")
		}
	},
	"feed: one more": func(s *siege) { s.add([]string{"stix", "sigma", "yara"}[s.random.IntN(3)]) },
	"feed: too many values": func(s *siege) {
		s.each(1, func(i *reconcile.Indicator) {
			for range 12 {
				if i.PatternType == "stix" {
					i.Pattern += ";domain_name " + s.domain()
				}
			}
		})
	},
	"feed: other values": func(s *siege) {
		s.each(12, func(i *reconcile.Indicator) {
			if i.PatternType == "stix" {
				i.Pattern = "domain_name " + s.domain()
			}
		})
	},
	"feed: other texts": func(s *siege) { s.each(12, func(i *reconcile.Indicator) { i.Description += "." }) },
	"feed: revokes":     func(s *siege) { s.each(12, func(i *reconcile.Indicator) { i.Revoked = true }) },
	"feed: brings back": func(s *siege) {
		s.each(12, func(i *reconcile.Indicator) { i.Revoked, i.ValidUntil = false, time.Time{} })
	},
	"feed: expires": func(s *siege) { s.each(12, func(i *reconcile.Indicator) { i.ValidUntil = s.now.Add(-time.Minute) }) },
	"feed: labels":  func(s *siege) { s.each(6, func(i *reconcile.Indicator) { i.Labels = []string{outside} }) },
	"feed: deletes": func(s *siege) {
		for _, id := range s.some(15) {
			delete(s.feed, id)
		}
	},

	"console: unblocks": func(s *siege) {
		r := s.row(func(r *reconcile.Row) bool { return s.ours(r) && r.Kind == reconcile.IOC })
		if r == nil {
			return
		}
		k, err := state.Open(s.t.Context(), s.store, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		u := reconcile.Unblock{Value: r.Value, Reason: "ours", By: "anna", At: s.now, Until: s.now.Add(time.Duration(s.random.IntN(96)) * time.Hour)}
		_ = k.Update(s.t.Context(), func(d *state.Document) { _ = d.Unblock(u) }) // the store may be too slow
	},
	"console: edits": func(s *siege) {
		if r := s.row(s.ours); r != nil {
			r.Description += " (edited)"
		}
	},
	"console: disables": func(s *siege) {
		if r := s.row(func(r *reconcile.Row) bool { return s.ours(r) && r.Enabled }); r != nil {
			r.Enabled, r.State = false, "disabled"
			s.pins[r.ID] = true
		}
	},
	"console: deletes": func(s *siege) {
		if r := s.row(func(*reconcile.Row) bool { return true }); r != nil {
			delete(s.hands, r.ID)
			delete(s.pins, r.ID)
			s.snk.rows = slices.Delete(s.snk.rows, s.snk.at(r.ID), s.snk.at(r.ID)+1)
		}
	},
	"console: takes the marker off": func(s *siege) {
		if r := s.row(func(r *reconcile.Row) bool { return s.ours(r) && r.Kind == reconcile.IOC && !s.pins[r.ID] }); r != nil {
			r.Comment = "mine"
			s.hands[r.ID] = *r
		}
	},
	"console: namesakes": func(s *siege) {
		s.byHand(reconcile.Row{Kind: reconcile.IOC, Type: "domain_name", Value: s.domain(), Description: "by hand", Comment: `{"indicator_id": "mine"}`})
		for _, id := range s.some(3) {
			switch i := s.feed[id]; i.PatternType {
			case "sigma":
				other := sigma(id, fmt.Sprintf("%08d-0000-4000-8000-00000000000f", s.random.IntN(1e8)))
				s.byHand(reconcile.Row{Kind: reconcile.Sigma, Name: i.Name, RuleID: strings.Fields(other.Pattern)[1], Content: other.Pattern})
			case "yara":
				s.byHand(reconcile.Row{Kind: reconcile.YARA, Name: i.Name, Content: "rule mine { condition: false }\n"})
			}
		}
	},
	"console: switches a list off or on": func(s *siege) {
		if l := s.snk.lists[reconcile.Kinds[s.random.IntN(3)]]; l != nil {
			on := l.Enabled != nil && !*l.Enabled
			l.Enabled = &on
		}
	},

	"platform: ignores filters": func(s *siege) {
		s.short = false
		s.lie = func(src *source) {
			for _, id := range slices.Sorted(maps.Keys(s.feed)) {
				if i := s.feed[id]; s.visible(&i) && !slices.ContainsFunc(src.read, func(r reconcile.Indicator) bool { return r.ID == id }) {
					i.Outside = src.unfiltered[id]
					src.read, src.known[id] = append(src.read, i), i
				}
			}
			src.unfiltered = nil
		}
	},
	"platform: merges indicators": func(s *siege) {
		if ids := s.some(2); len(ids) == 2 {
			delete(s.feed, ids[1])
		}
	},
	"platform: makes a backup":    func(s *siege) { s.backup = maps.Clone(s.feed) },
	"platform: restores a backup": func(s *siege) { s.feed = maps.Clone(s.backup) },
	"platform: loses pages": func(s *siege) {
		from, n := s.random.IntN(30), 1+s.random.IntN(20)
		s.short = true
		s.lie = func(src *source) {
			at := min(from, len(src.read))
			src.read = slices.Delete(slices.Clone(src.read), at, min(at+n, len(src.read)))
		}
	},
	"platform: breaks off": func(s *siege) {
		s.short = false
		n := 1 + s.random.IntN(2)
		s.lie = func(src *source) {
			for range n {
				src.fail = append(src.fail, &fault{reconcile.Fault{Incomplete: true, Words: "rows are missing"}})
			}
		}
	},
	"platform: cannot give some": func(s *siege) {
		s.short = false
		ids := s.some(4)
		s.lie = func(src *source) {
			s.bad = map[string]bool{}
			for _, id := range ids {
				s.bad[id] = true
				stub := reconcile.Indicator{ID: id, StandardID: s.feed[id].StandardID, Unread: "broken"}
				for i := range src.read {
					if src.read[i].ID == id {
						src.read[i] = stub
					}
				}
				if _, there := src.known[id]; there {
					src.known[id] = stub
				}
			}
		}
	},
	"platform: does not answer by id": func(s *siege) {
		s.short = false
		s.lie = func(src *source) { src.failByID = []error{&fault{reconcile.Fault{Side: true, Words: "down"}}} }
	},
	"platform: hides a marking or shows it": func(s *siege) {
		if s.sees = []string{"TLP:AMBER", secret}; s.random.IntN(2) == 0 {
			s.sees = s.sees[:1]
		}
	},
	"platform: is slow to keep the state": func(s *siege) { s.store.broken = 1 + s.random.IntN(3) },
	"platform: loses the state":           func(s *siege) { s.store.text, s.shown = "", map[string]bool{} }, // and which markings were seen
	"platform: loses rows of a list": func(s *siege) {
		n := 1 + s.random.IntN(3)
		s.fail = func(what string) error {
			if n--; what == "read" && n >= 0 {
				return &fault{reconcile.Fault{Incomplete: true, Words: "rows are missing"}}
			}
			return nil
		}
	},
	"platform: fails in the middle": func(s *siege) {
		n := s.random.IntN(8)
		s.fail = func(what string) error {
			if what == "read" || what == "look up" {
				return nil
			}
			if n--; n < 0 {
				return &fault{reconcile.Fault{Side: true, Words: "down"}}
			}
			return nil
		}
	},

	"clock: goes on":          func(s *siege) { s.now = s.now.Add(time.Duration(s.random.IntN(48)) * time.Hour) },
	"clock: jumps":            func(s *siege) { s.now = s.now.Add(time.Duration(s.random.IntN(240)-120) * time.Hour) },
	"clock: outlasts a lease": func(s *siege) { s.rival = true },
}

var attackNames = slices.Sorted(maps.Keys(attacks))

func (s *siege) attack() {
	name := attackNames[s.random.IntN(len(attackNames))]
	attacks[name](s)
	s.say("%s", name)
	s.did[name]++
}

// visible says whether the account sees an indicator.
func (s *siege) visible(i *reconcile.Indicator) bool {
	return !slices.ContainsFunc(i.Markings, func(m reconcile.Marking) bool { return !slices.Contains(s.sees, m.Definition) })
}

// rules are the labels of those that an indicator means.
func (s *siege) rules(i *reconcile.Indicator) []string {
	switch {
	case i.Revoked || !i.ValidUntil.IsZero() && !i.ValidUntil.After(s.now) || len(i.Labels) > 0:
		return nil
	case i.PatternType != "stix":
		return []string{i.PatternType + " " + i.Name}
	}
	return strings.Split(i.Pattern, ";")
}

// meant are the rules that the indicators mean, as labels.
type meant struct {
	all  map[string]bool
	seen map[string]bool // of indicators that a run is shown
	kept map[string]bool // which must not go: seen, or known from before a marking was lost or rows were left out
}

func (s *siege) means() meant {
	m := meant{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	_, force := s.force()
	for id, i := range s.feed {
		for _, l := range s.rules(&i) {
			m.all[l] = true
			if s.visible(&i) && !s.short && !s.bad[id] || s.shown[id+l] {
				m.kept[l] = true
			}
			if s.visible(&i) && (!s.short || s.shown[id+l] && force[l]) {
				m.seen[l] = true
			}
		}
	}
	for l := range m.all {
		if s.unblocked(l) {
			delete(m.all, l)
			delete(m.kept, l)
			delete(m.seen, l)
		}
	}
	return m
}

// unblocked says whether a person took a rule out of force, as far as anybody remembers.
func (s *siege) unblocked(label string) bool {
	doc, _ := state.Parse(s.store.text)
	return slices.ContainsFunc(doc.Unblocked, func(u reconcile.Unblock) bool { return u.Active(s.now) && strings.HasSuffix(label, " "+u.Value) })
}

// note remembers what a run has seen and has in place.
func (s *siege) note(unwritten map[string]bool) {
	_, force := s.force()
	for id, i := range s.feed {
		if !s.visible(&i) || s.bad[id] {
			continue
		}
		maps.DeleteFunc(s.shown, func(shown string, _ bool) bool { return strings.HasPrefix(shown, id) }) // it may mean another rule now
		for _, l := range s.rules(&i) {
			s.shown[id+l] = force[l] && !unwritten[l]
		}
	}
}

// openCTI is what the platform answers a run.
func (s *siege) openCTI() *source {
	src := &source{known: map[string]reconcile.Indicator{}, unfiltered: map[string]bool{}}
	for _, id := range slices.Sorted(maps.Keys(s.feed)) {
		i := s.feed[id]
		if !s.visible(&i) {
			continue
		}
		src.known[id] = i
		if src.unfiltered[id] = len(i.Labels) > 0; !src.unfiltered[id] && !i.Revoked {
			src.read = append(src.read, i)
		}
	}
	if s.lie != nil {
		s.lie(src)
	}
	return src
}

func labelOf(r *reconcile.Row) string {
	if r.Kind == reconcile.IOC {
		return r.Type + " " + r.Value
	}
	return r.Kind.String() + " " + r.Name
}

// force gives the rules in force: ours with how many rows each has, and all.
func (s *siege) force() (ours map[string]int, all map[string]bool) {
	ours, all = map[string]int{}, map[string]bool{}
	for i := range s.snk.rows {
		r := &s.snk.rows[i]
		if !r.Enabled {
			continue
		}
		if s.ours(r) {
			ours[labelOf(r)]++
		}
		if s.ours(r) || r.Kind == reconcile.IOC { // a namesake is another rule
			all[labelOf(r)] = true
		}
	}
	return ours, all
}

// job is a process: what it knows of earlier ones is what is stored.
func (s *siege) job() *run.Job {
	j := job(s.t, s.openCTI(), s.snk)
	keeper, err := state.Open(s.t.Context(), s.store, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	j.Keeper, j.Clock, j.Parallel = keeper, func() time.Time { return s.now }, 1
	j.Limits.Hold, j.Limits.Additions, j.Limits.Changes = true, 10, 5
	j.Policy.Remove, j.Policy.Values, j.Unblocks = s.delete, 10, exactly
	j.Markings = s.sees
	j.AskMarkings = func(context.Context) ([]string, error) { return s.sees, nil }
	return j
}

// pass is one run under attack, and after it another one that was not held up if it was.
func (s *siege) pass() {
	rival := s.rival
	if s.rival = false; !rival {
		s.run("")
		return
	}
	n, lost := s.random.IntN(6), errors.New("the lock is lost")
	s.fail = func(what string) error {
		if n--; n < 0 && what != "read" {
			s.store.broken = 1 // nor does it save anything
			return lost
		}
		return nil
	}
	s.run("")
	s.store.broken = 0
	s.run("")
}

// run plans and applies, with what a flag accepts, and holds what was done against what is right. It gives the
// flags that would let the rest pass, and how much there was to do.
func (s *siege) run(flags string) (overrides []string, left int) {
	j := s.job()
	for flag := range strings.SplitSeq(flags, " --") {
		_, _ = fmt.Sscanf(strings.TrimPrefix(flag, "--"), "accept-removals %d", &j.Overrides.AcceptRemovals)
		_, _ = fmt.Sscanf(strings.TrimPrefix(flag, "--"), "accept-additions %d", &j.Overrides.AcceptAdditions)
		_, _ = fmt.Sscanf(strings.TrimPrefix(flag, "--"), "accept-changes %d", &j.Overrides.AcceptChanges)
		_, _ = fmt.Sscanf(strings.TrimPrefix(flag, "--"), "accept-shrink %d", &j.Overrides.AcceptShrink)
		j.Overrides.AllowEmpty = j.Overrides.AllowEmpty || strings.Contains(flag, "allow-empty")
	}
	fails := s.fail
	s.snk.log, s.snk.fail = nil, nil
	if fails != nil {
		s.snk.fail = func(what, _ string) error { return fails(what) }
	}
	_, before := s.force()
	failed := s.store.failed
	means := s.means()
	p, err := j.Plan(s.t.Context(), time.Time{})
	var report *run.Report
	said, unwritten := map[string]bool{}, map[string]bool{}
	whole := true // the run said of everything what became of it
	switch {
	case err != nil || p.Plan.Stopped():
		s.did["stopped"]++
		if whole = false; s.snk.writes() > 0 {
			s.t.Errorf("nothing was to be written: %q", s.snk.log)
		}
	default:
		if report, err = j.Apply(s.t.Context(), p, false); err != nil {
			s.t.Error(err)
			return nil, 0
		}
		s.did["applied"]++
		left = p.Plan.Changes.Len()
		for i, it := range report.Items {
			if it.Outcome != run.Applied {
				s.did["failed"]++
				label := report.Changes.At(i).Label()
				said[label], unwritten[label] = true, true
			}
		}
		for i := range p.Plan.Held.Len() {
			if h := p.Plan.Held.At(i); h.Reason != reconcile.Unmanaged || h.Kind == reconcile.IOC {
				s.did["held"]++
				said[h.Label()] = true
			}
		}
		for _, skip := range p.Plan.Skipped.All() {
			if i := s.feed[skip.Indicator]; skip.Reason == reconcile.Unreadable {
				for _, l := range s.rules(&i) {
					said[l] = true
				}
			}
		}
		for _, g := range p.Plan.Gates {
			if !g.OK {
				overrides = append(overrides, g.Override)
			}
		}
		s.switchedOff(p)
	}
	s.say("[run at %s: %s]", s.now.Sub(noon), told(p, report, err))
	if whole && !s.short && s.store.failed == failed {
		s.note(unwritten)
	}
	s.lie, s.short, s.bad, s.fail, s.snk.fail = nil, false, nil, nil, nil
	s.judge(before, means, said, whole)
	return overrides, left
}

func told(p *run.Planned, r *run.Report, err error) string {
	if r == nil {
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint("refused by ", refused(p))
	}
	return fmt.Sprintf("%q, held %d, refused by %v", brief(r), p.Plan.Held.Len(), refused(p))
}

// switchedOff holds that a plan knows which lists detect nothing.
func (s *siege) switchedOff(p *run.Planned) {
	for k, l := range s.snk.lists {
		if l.Enabled != nil && !*l.Enabled && (p.Lists[k] == nil || p.Lists[k].Enabled == nil || *p.Lists[k].Enabled) {
			s.t.Errorf("the %s list is switched off, and the plan does not know", k)
		}
	}
}

// judge looks at the lists after a run.
func (s *siege) judge(before map[string]bool, means meant, said map[string]bool, whole bool) {
	ours, force := s.force()
	for l, n := range ours {
		if n > 1 {
			s.t.Errorf("doubled: %s is there %d times", l, n)
		}
		if whole && !means.all[l] && !said[l] {
			s.t.Errorf("wrong rule: %s is in force, no indicator means it, and nothing is said", l)
		}
	}
	for l := range before {
		if means.kept[l] && !force[l] {
			s.t.Errorf("wrong removal: %s is out of force, and an indicator means it", l)
		}
	}
	for l := range means.seen {
		if whole && !force[l] && !said[l] {
			s.t.Errorf("lost: %s is not in force, an indicator means it, and nothing is said", l)
		}
	}
	for id, was := range s.hands {
		if at := s.snk.at(id); at < 0 || s.snk.rows[at] != was {
			s.t.Errorf("not ours, and changed or gone: %s", labelOf(&was))
		}
	}
	for id := range s.pins {
		if at := s.snk.at(id); at < 0 || s.snk.rows[at].Enabled {
			s.t.Errorf("a person's disable of %s is undone", id)
		}
	}
}

// relief ends all attacks and accepts what is refused, until nothing is left to do.
func (s *siege) relief() {
	s.sees, s.store.broken = []string{"TLP:AMBER", secret}, 0
	s.now = noon.AddDate(0, 6, 0)
	flags := ""
	for range 6 {
		overrides, left := s.run(flags)
		if len(overrides) == 0 && left == 0 {
			break
		}
		if len(overrides) > 0 { // beside what was accepted before; of one flag the later number counts
			flags += " " + strings.Join(overrides, " ")
			s.did["accepted"]++
		}
		s.now = s.now.AddDate(0, 0, 2)
	}
	seen := s.means().seen
	ours, force := s.force()
	for l := range ours {
		if !seen[l] {
			s.t.Errorf("in the end %s is in force, and no indicator means it", l)
		}
	}
	for i := range s.snk.rows {
		if r := &s.snk.rows[i]; s.pins[r.ID] || !s.ours(r) && r.Kind == reconcile.IOC { // held, and said at every run
			delete(seen, labelOf(r))
		}
	}
	for l := range seen {
		if !force[l] {
			s.t.Errorf("in the end %s is not in force, and an indicator means it", l)
		}
	}
}
