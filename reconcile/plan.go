package reconcile

import (
	"cmp"
	"errors"
	"slices"
)

// ErrConflict says that a row is not any more what the plan saw.
var ErrConflict = errors.New("entry changed since the plan was made")

// Action is what a change does.
type Action string

// The actions. Their printed order is Actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Enable  Action = "enable"
	Disable Action = "disable"
	Delete  Action = "delete"
	Adopt   Action = "adopt"
)

// Actions lists the actions in the order in which plans print them.
var Actions = []Action{Delete, Disable, Adopt, Update, Enable, Create}

// Removal says whether a takes a rule out of force.
func (a Action) Removal() bool { return a == Disable || a == Delete }

// Symbol is the sign in front of a printed change.
func (a Action) Symbol() string { return cmp.Or(symbols[a], "?") }

var symbols = map[Action]string{Create: "+", Update: "~", Enable: "*", Disable: "!", Delete: "-", Adopt: "<"}

// Cause tells who made a row differ.
type Cause string

// The causes of an update or an enable.
const (
	SourceChanged  Cause = "source_changed"
	Drifted        Cause = "drift"
	MappingChanged Cause = "mapping_changed"
)

// Owner is an indicator that wants a rule. For an owner that is no longer known, all but one id is
// empty.
type Owner struct {
	ID         string `json:"indicator_id"`
	StandardID string `json:"standard_id"`
	Name       string `json:"name"`
	Score      *int   `json:"score"`
}

// Body is what a change shows and compares of a rule. An IOC rule has Description and Comment, a
// Sigma rule and a YARA file have Name and Content.
type Body struct {
	Name        *string `json:"name,omitempty"`
	Enabled     bool    `json:"enabled"`
	HLStatus    string  `json:"hl_status"`
	Description *string `json:"description,omitempty"`
	Comment     *string `json:"comment,omitempty"`
	Content     *string `json:"content,omitempty"`
	// What a mapping asks for and the row does not have: nil where there is nothing to send.
	Level      *string `json:"rule_level_override,omitempty"`
	Confidence *string `json:"rule_confidence_override,omitempty"`
	State      *string `json:"global_state,omitempty"`
}

// Change is one step of a plan. Before is nil for a create, After for a delete.
type Change struct {
	Kind   Kind     `json:"kind"`
	List   string   `json:"list"`
	Type   string   `json:"type,omitempty"`
	Value  string   `json:"value,omitempty"`  // IOC: canonical
	Stored string   `json:"stored,omitempty"` // and as the row spells it, where that is something else
	Name   string   `json:"name,omitempty"`   // Sigma, YARA
	Action Action   `json:"action"`
	Reason Reason   `json:"reason"`
	Cause  Cause    `json:"cause"` // empty where the reason says all
	ID     string   `json:"id"`    // the row's; empty for a create
	Before *Body    `json:"before"`
	After  *Body    `json:"after"`
	Fields []string `json:"fields"`
	Owners []Owner  `json:"owners"`
	Class  Class    `json:"class,omitempty"`  // of a removal: in which limit it counts
	Notes  []string `json:"notes,omitempty"`  // which events the rule misses, and which it sees as well
	Impact *Impact  `json:"impact,omitempty"` // nil where it is not asked for
	// Key is the identity of the rule, and Sent the digest of the wanted text with the fields that a mapping asks
	// for: together they are what is remembered of a refused rule.
	Key  Key    `json:"key"`
	Sent string `json:"sent,omitempty"`

	Unnamed int  `json:"-"` // owners of a removed row beyond those that its marker names: nobody can ask for them
	Blind   bool `json:"-"` // the server cut the marker of a removed row, so that they are not even counted
}

// Label names the changed rule for people.
func (c *Change) Label() string { return label(c.Kind, c.Type, c.Value, c.Name) }

func label(k Kind, typ, value, name string) string {
	if k == IOC {
		return typ + " " + value
	}
	return k.String() + " " + name
}

// Held is something that was considered and deliberately left alone.
type Held struct {
	Kind   Kind    `json:"kind"`
	List   string  `json:"list"`
	Type   string  `json:"type,omitempty"`
	Value  string  `json:"value,omitempty"`
	Name   string  `json:"name,omitempty"`
	ID     string  `json:"id,omitempty"`
	Action Action  `json:"action,omitempty"` // what was not done
	Reason Reason  `json:"reason"`
	Detail string  `json:"detail,omitempty"`
	Owners []Owner `json:"owners,omitempty"`
	// What a gate holds, the name of the gate and the change, which is made once it is accepted.
	Gate   string  `json:"gate,omitempty"`
	Change *Change `json:"change,omitempty"`
	Unseen bool    `json:"-"` // an owner of it is not seen, and may be hidden where markings are lost
}

// Label names the held rule for people.
func (h *Held) Label() string { return label(h.Kind, h.Type, h.Value, h.Name) }

// Gate is one safety rule and how the plan stands to it. Value, Base and Limit are counts; Planned is what
// this plan adds to Value, where earlier runs count as well. Override is the flag that would let the plan
// pass, empty where there is none. Hold says of a gate that is not OK that it holds what it guards, and lets
// the rest pass.
type Gate struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Kind     Kind   `json:"kind,omitzero"` // of the rules that it is about; zero is all of them
	OK       bool   `json:"ok"`
	Value    int    `json:"value"`
	Base     int    `json:"base"`
	Limit    int    `json:"limit"`
	Message  string `json:"message"`
	Override string `json:"override"`
	Planned  int    `json:"planned,omitempty"`
	Hold     bool   `json:"hold,omitempty"`
}

// Plan is what would change, what is left alone, and why. Its changes, held items and skips are
// sorted; equal inputs give equal plans.
type Plan struct {
	Changes   Changes
	Held      AllHeld
	Skipped   AllSkipped
	Gates     []Gate
	Unblocked []Unblock // what persons took out of force, and is so now

	Unchanged    int          // owned rows that stay as they are
	Owned        map[Kind]int // owned rows
	Enabled      map[Kind]int // enabled owned rows: the base of the removal limits
	Marked       int          // owned rows with our own marker, which an earlier run wrote
	Taken        int          // rows that carry the marker of the instance to be taken over
	Wanted       map[Kind]int // wanted rules
	Sources      map[Kind]int // wanted indicators
	Indicators   int          // indicators read
	WantedDigest string       // of the wanted rules, free of times and order
	Origins      *Origins     // of what begins to detect; nil for nothing
	Estimate     *Estimate    // of the impact; nil where it is not asked for
	Trials       []*Trial     // rules of ours in testing, where some are to be promoted
	Promotion    *Promotion   // what becomes of them; nil where none are

	// lost is the indicators that Explain found out of the selection, with the reason. Gate G2 does not
	// count them when the reason is evidence.
	lost         map[Kind]map[string]Reason
	lostMarkings []string
	forsaken     map[Key][]Owner // owners that a change takes away from a rule, and that are to be asked for
	namesHidden  bool            // a rule that comes back into force goes on naming owners that may be hidden
	unasked      bool            // Explain had no evidence but the read itself
	Since        int             // rules of ours that a dump lacks and that stay
	restored     bool            // it is of a dump, not of OpenCTI
	heavy        map[string]int  // indicators that give more rules than one may, and how many
}

// Err is the first failure to keep what the plan lists, or to read it again.
func (p *Plan) Err() error { return errors.Join(p.Changes.Err(), p.Held.Err(), p.Skipped.Err()) }

// hold leaves a change undone. A row of ours that it would have changed stays as it is.
func (p *Plan) hold(ch *Change, why Reason, detail string) { p.doubt(ch, why, detail, false) }

// doubt is hold, of a change of which an owner may be unseen.
func (p *Plan) doubt(ch *Change, why Reason, detail string, unseen bool) {
	h := heldChange(ch, why, detail)
	h.Unseen = unseen
	p.leave(&h)
}

func (p *Plan) leave(h *Held) {
	p.Held.Add(h)
	if h.Action != Create {
		p.Unchanged++
	}
}

// replace plans a change in place of one of the same row that is held, unless the server refused it before.
func (p *Plan) replace(ch *Change, m *Memory) {
	if _, refused := m.refused(ch); !refused {
		p.Changes.Add(ch)
		p.Unchanged--
	}
}

func heldChange(ch *Change, why Reason, detail string) Held {
	return Held{Kind: ch.Kind, List: ch.List, Type: ch.Type, Value: ch.Value, Name: ch.Name, ID: ch.ID,
		Action: ch.Action, Reason: why, Detail: detail, Owners: ch.Owners}
}

// sortAll brings everything into printed order.
func (p *Plan) sortAll() {
	p.Changes.sort()
	p.Held.sort()
	p.Skipped.sort()
}

// Count is the number of changes with an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for i := range p.Changes.Len() {
		if p.Changes.Action(i) == a {
			n++
		}
	}
	return n
}

// Stopped says whether a gate stands against the whole plan, and not only against what it holds.
func (p *Plan) Stopped() bool {
	return slices.ContainsFunc(p.Gates, func(g Gate) bool { return !g.OK && !g.Hold })
}

// Refused says whether a gate stands against the plan, or against a part of it.
func (p *Plan) Refused() bool {
	return slices.ContainsFunc(p.Gates, func(g Gate) bool { return !g.OK })
}

// Summary counts a plan. The keys of ByAction are the actions, "unchanged", "skipped" and "held".
type Summary struct {
	ByAction map[string]int `json:"by_action"`
	ByKind   map[string]int `json:"by_kind"`
	ByReason map[string]int `json:"by_reason"`
}

// Summary counts the changes by action, kind and reason, and by reason also what is held and skipped.
func (p *Plan) Summary() Summary {
	s := Summary{ByAction: map[string]int{}, ByKind: map[string]int{}, ByReason: map[string]int{}}
	for _, a := range Actions {
		s.ByAction[string(a)] = 0
	}
	for _, k := range Kinds {
		s.ByKind[k.String()] = 0
	}
	for i := range p.Changes.Len() {
		s.ByAction[string(p.Changes.Action(i))]++
		s.ByKind[p.Changes.Kind(i).String()]++
		s.ByReason[string(p.Changes.Reason(i))]++
	}
	for i := range p.Held.Len() {
		s.ByReason[string(p.Held.Reason(i))]++
	}
	for i := range p.Skipped.Len() {
		s.ByReason[string(p.Skipped.Reason(i))]++
	}
	s.ByAction["unchanged"], s.ByAction["skipped"], s.ByAction["held"] = p.Unchanged, p.Skipped.Len(), p.Held.Len()
	return s
}
