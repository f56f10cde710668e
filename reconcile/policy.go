package reconcile

import (
	"cmp"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// Policy is what the settings say about changes.
type Policy struct {
	Own       Identity
	List      string // name of the lists
	Base      string // OpenCTI's URL, for links in Sigma references
	Remove    bool   // removals delete instead of disabling
	Maturity  string // hl_status of new rules: stable or testing
	Revert    bool   // enable what an analyst disabled
	Unmanaged UnmanagedRows
	Mode      Mode
	Meaning   string // what decides which values an indicator gives (MeaningOf)
	Values    int    // rules that one indicator may give; 0 is no limit
	Kinds     []Kind // kinds that take part; empty means all
	Mapping   Mapping
	Promote   Promote
}

// MeaningOf is a Policy's Meaning: the digest of our settings, and that of what this version knows of the world.
func MeaningOf(settings, version string) string { return settings + "." + version }

// Included are the kinds that take part.
func (p *Policy) Included() []Kind {
	if len(p.Kinds) == 0 {
		return Kinds
	}
	return p.Kinds
}

// Memory is what earlier runs left for this one.
type Memory struct {
	Now      time.Time // when the plan is made
	None     bool      // nothing is remembered between runs: what is there tells whether this is the first one
	LastGood LastGood
	Window   Window
	Refusals map[Key]Refusal    // rules that the server refused
	Stopped  map[Key]bool       // rules that we disabled and could not mark
	Verdicts map[uint64]Verdict // refusals of which no more is remembered, by VerdictOf
}

// Verdict is what is left of a Refusal whose words are forgotten.
type Verdict struct {
	Elsewhere bool
	At        time.Time // its day
}

// VerdictOf is the digest under which a refused text, or a rule that was stopped, is remembered in short.
func VerdictOf(key Key, sent string) uint64 { return marker.Hash("verdict", string(key[:]), sent) }

// Refusal is the server's verdict on one text, which is not sent again until it changes.
type Refusal struct {
	Key       Key       `json:"key"`
	Sent      string    `json:"sent"`                // digest of the text it refused
	Words     string    `json:"words"`               // the server's
	Elsewhere bool      `json:"elsewhere,omitempty"` // the id exists in another list; believed for a week
	At        time.Time `json:"at"`
}

const elsewhereFor = 7 * 24 * time.Hour

// stopped says whether we disabled a rule and could not mark it.
func (m *Memory) stopped(key Key) bool {
	if len(m.Verdicts) == 0 {
		return m.Stopped[key]
	}
	_, short := m.Verdicts[VerdictOf(key, NotMarked)]
	return short || m.Stopped[key]
}

// Knows says whether anything is remembered of a rule that ends once it is written.
func (m *Memory) Knows(key Key) bool {
	_, refused := m.Refusals[key]
	_, kept := m.Verdicts[VerdictOf(key, DeleteSent)]
	return refused || kept || m.stopped(key)
}

// NotMarked stands for a text in the Verdict of a rule that we disabled and could not mark.
const NotMarked = "stopped"

// refused looks up what the server said of what a change sends.
func (m *Memory) refused(ch *Change) (Refusal, bool) {
	r, known := m.Refusals[ch.Key]
	if len(m.Verdicts) > 0 && (!known || r.Sent != ch.Sent) {
		var v Verdict
		v, known = m.Verdicts[VerdictOf(ch.Key, ch.Sent)]
		r = Refusal{Key: ch.Key, Sent: ch.Sent, Elsewhere: v.Elsewhere, At: v.At}
	}
	r.Words = cmp.Or(r.Words, "HarfangLab refused it in an earlier run, in words that are not remembered")
	return r, known && ch.Sent != "" && r.Sent == ch.Sent && !(r.Elsewhere && m.Now.Sub(r.At) > elsewhereFor)
}

// UnmanagedRows says what happens to rows without a marker.
type UnmanagedRows string

// What may happen to unmanaged rows: nothing, adoption where a rule is wanted, or removal as well.
const (
	ReportUnmanaged UnmanagedRows = "report"
	AdoptUnmanaged  UnmanagedRows = "adopt"
	RemoveUnmanaged UnmanagedRows = "remove"
)

// Mode says which actions a plan may contain; what it may not is held.
type Mode string

// The modes: everything, no removals, or creates alone.
const (
	SyncMode       Mode = "sync"
	UpsertOnlyMode Mode = "upsert-only"
	CreateOnlyMode Mode = "create-only"
)

func (m Mode) allows(a Action) bool {
	switch m {
	case UpsertOnlyMode:
		return !a.Removal()
	case CreateOnlyMode:
		return a == Create
	}
	return true
}
