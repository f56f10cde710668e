package reconcile

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"harfangsync/reconcile/mark"
)

// Policy is what the settings say about changes.
type Policy struct {
	Now      time.Time
	Own      Identity
	List     string // name of the lists
	Base     string // OpenCTI's URL, for links in Sigma references
	Remove   bool   // removals delete instead of disabling
	Maturity string // hl_status of new rules: stable or testing
	Revert   bool   // enable what an analyst disabled
	Strays   Strays // what to do with unmanaged rows
	Mode     Mode
	Kinds    []Kind // kinds that take part; empty means all
	// Refusals are rules that the server refused, by key (Change.Key) and digest of the refused text.
	Refusals map[string]Refusal
}

// Refusal is the server's verdict on one text.
type Refusal struct {
	Sent      string    // digest of the text it refused
	Words     string    // the server's
	Elsewhere bool      // the id exists in another list; believed for a week
	At        time.Time // when
}

const elsewhereFor = 7 * 24 * time.Hour

// Strays says what happens to rows without a marker.
type Strays string

// What may happen to unmanaged rows: nothing, adoption where a rule is wanted, or removal as well.
const (
	ReportStrays Strays = "report"
	AdoptStrays  Strays = "adopt"
	RemoveStrays Strays = "remove"
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

// Compute decides what must change so that the rows equal the wanted set. It is a function of its
// arguments: no clock, no log, no I/O but the spools of the two sealed sets, which are the only
// source of its errors. Removals carry a provisional reason until Explain has seen the evidence.
func Compute(rows *Rows, w *Wanted, p Policy) (*Plan, error) {
	c := computation{rows: rows, w: w, p: p, plan: &Plan{
		Owned: map[Kind]int{}, Enabled: map[Kind]int{}, Wanted: map[Kind]int{}, Sources: w.Selected(),
		Indicators: w.Read(), WantedDigest: w.Digest(), Skipped: slices.Clone(w.skipped),
	}}
	for _, h := range rows.entries {
		if h.whose.owned() {
			c.plan.Owned[h.kind]++
			if h.enabled {
				c.plan.Enabled[h.kind]++
			}
		}
	}
	// A merge of two sorted sequences: each key is met once, with all that want it and all that hold it.
	i, j := 0, 0
	for i < len(w.entries) || j < len(rows.entries) {
		var key [16]byte
		switch {
		case i == len(w.entries):
			key = rows.entries[j].key
		case j == len(rows.entries) || bytes.Compare(w.entries[i].key[:], rows.entries[j].key[:]) <= 0:
			key = w.entries[i].key
		default:
			key = rows.entries[j].key
		}
		i2, j2 := i, j
		for i2 < len(w.entries) && w.entries[i2].key == key {
			i2++
		}
		for j2 < len(rows.entries) && rows.entries[j2].key == key {
			j2++
		}
		if err := c.meet(w.entries[i:i2], rows.entries[j:j2]); err != nil {
			return nil, err
		}
		i, j = i2, j2
	}
	if err := c.creates(); err != nil {
		return nil, err
	}
	c.plan.sortAll()
	return c.plan, nil
}

type computation struct {
	rows    *Rows
	w       *Wanted
	p       Policy
	plan    *Plan
	missing [][]want // groups that no row holds
}

// meet settles one rule: the indicators that want it and the rows that hold it.
func (c *computation) meet(group []want, rows []held) error {
	if len(group) > 0 {
		c.plan.Wanted[group[0].kind]++
		var err error
		if group, err = c.order(group, rows); err != nil {
			return err
		}
	}
	if len(rows) == 1 && len(group) > 0 && rows[0].whose == ours && c.same(&rows[0], group) {
		c.plan.Unchanged++ // nearly every row of nearly every run
		return nil
	}
	owned, strangers, err := c.split(rows)
	if err != nil {
		return err
	}
	if len(group) == 0 {
		return c.unwanted(owned, strangers)
	}
	if len(owned) == 0 {
		return c.unheld(group, strangers)
	}
	if err := c.hold(strangers, group); err != nil {
		return err
	}
	for _, twin := range owned[1:] {
		if err := c.remove(twin, Duplicate); err != nil {
			return err
		}
	}
	return c.compare(owned[0], group)
}

// order breaks ties between owners of one rule by internal id; the digests by which they are sorted
// otherwise say nothing about ids. A Sigma rule has one owner, the one that its row names or else the
// best; the others are skips.
func (c *computation) order(group []want, rows []held) ([]want, error) {
	for from := 0; from < len(group); {
		to := from + 1
		for to < len(group) && group[to].score == group[from].score && group[to].created == group[from].created {
			to++
		}
		if to-from > 1 {
			ids := map[uint64]string{}
			for _, e := range group[from:to] {
				rec, err := c.w.read(e.at)
				if err != nil {
					return nil, err
				}
				ids[e.owner] = rec.Owner.ID
			}
			slices.SortFunc(group[from:to], func(a, b want) int { return cmp.Compare(ids[a.owner], ids[b.owner]) })
		}
		from = to
	}
	if group[0].kind != Sigma || len(group) == 1 {
		return group, nil
	}
	first := group[0]
	for _, h := range rows {
		if w, named := winner(&h, group); named && h.whose.owned() {
			first = w
			break
		}
	}
	kept, err := c.w.read(first.at)
	if err != nil {
		return nil, err
	}
	for _, e := range group {
		if e.owner == first.owner {
			continue
		}
		rec, err := c.w.read(e.at)
		if err != nil {
			return nil, err
		}
		c.plan.Skipped = append(c.plan.Skipped, Skip{rec.Owner.ID, DuplicateMerged,
			fmt.Sprintf("Sigma id %s is that of indicator %s", rec.Value, kept.Owner.ID)})
	}
	return []want{first}, nil
}

// same says whether a row of ours needs nothing at all.
func (c *computation) same(h *held, group []want) bool {
	win, ok := winner(h, group)
	return ok && h.enabled && c.sameText(h, win) && c.sameOwners(h, group) && !c.maturityMoved(h)
}

// winner is the owner named first in the row while it still owns the value, otherwise the best.
// ok is false when the row names another.
func winner(h *held, group []want) (w want, ok bool) {
	for _, e := range group {
		if e.owner == h.winner {
			return e, true
		}
	}
	return group[0], false
}

func (c *computation) sameText(h *held, win want) bool {
	return h.text == win.text || h.known && h.sent == win.text && h.stored != 0 && h.stored == h.text
}

func (c *computation) sameOwners(h *held, group []want) bool {
	if len(group) == 1 {
		return h.count == 1 && h.owners == group[0].owner
	}
	if int(h.count) != min(len(group), 1<<16-1) {
		return false
	}
	ids, err := c.ownerIDs(group)
	return err == nil && mark.OwnersDigest(ids...) == h.owners
}

func (c *computation) ownerIDs(group []want) ([]string, error) {
	ids := make([]string, len(group))
	for i, e := range group {
		rec, err := c.w.read(e.at)
		if err != nil {
			return nil, err
		}
		ids[i] = rec.Owner.ID
	}
	return ids, nil
}

// maturityMoved says whether our setting changed since the row was written. The server moves rules
// out of testing by itself, so the row's own maturity alone says nothing.
func (c *computation) maturityMoved(h *held) bool {
	if !h.known || h.testing == (c.p.Maturity == "testing") {
		return false
	}
	return h.maturity != maturityCode(c.p.Maturity)
}

// split parts our rows, best first, from those of others. Of several owned rows the one in canonical
// spelling stays, then the oldest.
func (c *computation) split(rows []held) (owned, strangers []held, err error) {
	for _, h := range rows {
		if h.whose.owned() {
			owned = append(owned, h)
		} else {
			strangers = append(strangers, h)
		}
	}
	if len(owned) < 2 {
		return owned, strangers, nil
	}
	age := map[int64]string{}
	for _, h := range owned {
		row, err := c.rows.read(h.at)
		if err != nil {
			return nil, nil, err
		}
		age[h.at] = row.Created + "\x00" + row.ID
	}
	slices.SortFunc(owned, func(a, b held) int {
		if a.spelled != b.spelled {
			return map[bool]int{true: -1, false: 1}[a.spelled]
		}
		return cmp.Compare(age[a.at], age[b.at])
	})
	return owned, strangers, nil
}

// unwanted settles rows that no indicator asks for.
func (c *computation) unwanted(owned, strangers []held) error {
	for i, h := range owned {
		why := IndicatorGone
		if i > 0 {
			why = Duplicate
		}
		if err := c.remove(h, why); err != nil {
			return err
		}
	}
	for _, h := range strangers {
		if h.whose == nobodys && c.p.Strays == RemoveStrays {
			if err := c.remove(h, IndicatorGone); err != nil {
				return err
			}
		} else if err := c.hold([]held{h}, nil); err != nil {
			return err
		}
	}
	return nil
}

// unheld settles a wanted rule that no row of ours holds.
func (c *computation) unheld(group []want, strangers []held) error {
	for _, h := range strangers {
		if h.whose == nobodys && c.p.Strays != ReportStrays && c.p.Strays != "" {
			return c.change(h, group, Adopt, Unmanaged, "")
		}
	}
	if len(strangers) > 0 {
		return c.hold(strangers, group)
	}
	c.missing = append(c.missing, group)
	return nil
}

// hold notes rows that are not ours.
func (c *computation) hold(rows []held, group []want) error {
	for _, h := range rows {
		row, err := c.rows.read(h.at)
		if err != nil {
			return err
		}
		item := c.heldItem(&row)
		if item.Reason = Unmanaged; h.whose == others {
			item.Reason = ForeignOwner
		}
		if len(group) > 0 {
			item.Action, item.Detail = Create, "the wanted rule exists and is not ours"
			if item.Owners, err = c.owners(group); err != nil {
				return err
			}
		}
		c.plan.Held = append(c.plan.Held, item)
	}
	return nil
}

func (c *computation) heldItem(row *Row) Held {
	h := Held{Kind: row.Kind, List: c.p.List, ID: row.ID, Name: row.Name}
	if row.Kind == IOC {
		h.Type, h.Value, h.Name = row.Type, c.rows.canon(row.Type, row.Value), ""
	}
	return h
}

// compare settles a row of ours whose rule is wanted.
func (c *computation) compare(h held, group []want) error {
	win, named := winner(&h, group)
	if !h.enabled && !h.ourStop && !c.p.Revert {
		detail := "disabled in the console"
		if h.whose == old {
			detail = "disabled_before_adoption"
		}
		return c.pin(h, group, detail)
	}
	action, why, cause := Update, FieldsChanged, SourceChanged
	switch {
	case h.whose == old:
		action, why, cause = Adopt, OldConnector, ""
	case h.whose == taken:
		action, why, cause = Adopt, Unmanaged, ""
	case !h.enabled && h.ourStop:
		action, why = Enable, IndicatorBack
	case !h.enabled:
		action, why, cause = Enable, DriftFound, Drifted
	default:
		text, owners := c.sameText(&h, win), named && c.sameOwners(&h, group)
		moved := c.maturityMoved(&h)
		switch {
		case text && owners && !moved:
			c.plan.Unchanged++
			return nil
		case (text || !named) && !owners && !moved:
			why = OwnersChanged // a winner that left takes its description along
		case text && owners:
			cause = MappingChanged
		case h.known && h.sent == win.text:
			cause = Drifted
		}
	}
	return c.change(h, group, action, why, cause)
}

func (c *computation) pin(h held, group []want, detail string) error {
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	item := c.heldItem(&row)
	item.Action, item.Reason, item.Detail = Enable, Pinned, detail
	if item.Owners, err = c.owners(group); err != nil {
		return err
	}
	c.plan.Held = append(c.plan.Held, item)
	c.plan.Unchanged++
	return nil
}

// change plans a write to an existing row.
func (c *computation) change(h held, group []want, a Action, why Reason, cause Cause) error {
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	win, _ := winner(&h, group)
	after, rec, err := c.after(group, win, &row)
	if err != nil {
		return err
	}
	after.HLStatus = row.HLStatus
	if c.maturityMoved(&h) {
		after.HLStatus = c.p.Maturity
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: a, Reason: why, Cause: cause, ID: row.ID,
		Before: bodyOf(&row), After: after, Key: hex.EncodeToString(h.key[:]), Sent: fmt.Sprintf("%016x", win.text)}
	ch.nameFrom(&row, c.rows.canon)
	if row.Kind != IOC {
		ch.Name = rec.Name
	}
	if ch.Owners, err = c.owners(group); err != nil {
		return err
	}
	ch.Fields = differing(row.Kind, ch.Before, ch.After)
	if held, refused := c.refused(&ch); refused {
		c.plan.Held = append(c.plan.Held, held)
		c.plan.Unchanged++
		return nil
	}
	c.add(ch)
	return nil
}

// refused looks a change up among the server's verdicts.
func (c *computation) refused(ch *Change) (Held, bool) {
	r, ok := c.p.Refusals[ch.Key]
	if !ok || r.Sent != ch.Sent || r.Elsewhere && c.p.Now.Sub(r.At) > elsewhereFor {
		return Held{}, false
	}
	h := heldChange(ch, Refused, r.Words)
	return h, true
}

func heldChange(ch *Change, why Reason, detail string) Held {
	return Held{Kind: ch.Kind, List: ch.List, Type: ch.Type, Value: ch.Value, Name: ch.Name, ID: ch.ID,
		Action: ch.Action, Reason: why, Detail: detail, Owners: ch.Owners}
}

// add plans a change, or holds it where the mode forbids it.
func (c *computation) add(ch Change) {
	if c.p.Mode.allows(ch.Action) {
		c.plan.Changes = append(c.plan.Changes, ch)
		return
	}
	c.plan.Held = append(c.plan.Held, heldChange(&ch, PolicyHeld, fmt.Sprintf("policy %s forbids %s", c.p.Mode, ch.Action)))
	if ch.Action != Create {
		c.plan.Unchanged++
	}
}

// remove plans the end of a row. A row that is out of force already is deleted where removals
// delete, and left alone otherwise.
func (c *computation) remove(h held, why Reason) error {
	if !h.enabled && !c.p.Remove {
		c.plan.Unchanged++
		return nil
	}
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: Disable, Reason: why, ID: row.ID, Before: bodyOf(&row),
		Key: hex.EncodeToString(h.key[:]), Fields: []string{}, Owners: ownersOf(&row)}
	if c.p.Remove {
		ch.Action = Delete
	}
	ch.nameFrom(&row, c.rows.canon)
	if h.whose == old && h.kind != IOC {
		ch.Owners = c.ownerByDigest(h.winner)
	}
	if why != Duplicate {
		ch.Reason = c.provisional(ch.Owners)
	}
	if ch.Action == Delete && !h.enabled {
		ch.Sent = deleteSent
		if item, refused := c.refused(&ch); refused {
			c.plan.Held = append(c.plan.Held, item)
			c.plan.Unchanged++
			return nil
		}
	}
	c.stop(&ch)
	c.add(ch)
	return nil
}

// deleteSent stands for a text in the memory of refusals when the server refused a delete.
const deleteSent = "delete"

// provisional is the reason for a removal that the read itself knows.
func (c *computation) provisional(owners []Owner) Reason {
	why := IndicatorGone
	for _, o := range owners {
		s, read := c.w.lookup(mark.OwnersDigest(o.ID))
		switch {
		case !read:
		case s.passed:
			return ValueRemoved
		case s.why > 0:
			why = skipCodes[s.why]
		}
	}
	return why
}

// stop fills in what a disable leaves behind: the same rule, out of force, with a marker that says
// who did it and why.
func (c *computation) stop(ch *Change) { stopAs(ch, c.p) }

func stopAs(ch *Change, p Policy) {
	if ch.Action != Disable {
		return
	}
	after := *ch.Before
	after.Enabled = false
	switch ch.Kind {
	case IOC:
		m, class := mark.ParseIOC(deref(ch.Before.Comment))
		if class != mark.Ours {
			m.Owners, m.Count = ownerIDsOf(ch.Owners), max(1, len(ch.Owners))
			m.Digest = mark.OwnersDigest(m.Owners...)
			m.Applied = mark.Applied{Known: true, Maturity: p.Maturity}
		}
		m.Instance, m.Disabled = p.Own.Instance, string(ch.Reason)
		after.Comment = ptr(m.Comment())
	case Sigma:
		if rule, err := mark.ReadSigma(deref(ch.Before.Content)); err == nil {
			ref := rule.Ref
			if rule.Class != mark.Ours {
				ref.Owner, ref.Applied = firstOwner(ch.Owners), mark.Applied{Known: true, Maturity: p.Maturity}
			}
			ref.Base, ref.Instance, ref.Disabled = p.Base, p.Own.Instance, true
			if text, err := rule.Render(rule.ID, ref); err == nil && ref.Owner != "" {
				after.Content = &text
			}
		}
	case YARA:
		l, _, class := mark.SplitYARA(deref(ch.Before.Content))
		if class != mark.Ours {
			l.Owners, l.Applied = []string{firstOwner(ch.Owners)}, mark.Applied{Known: true, Maturity: p.Maturity}
		}
		l.Instance, l.Disabled = p.Own.Instance, string(ch.Reason)
		if l.Owners[0] != "" {
			after.Content = ptr(mark.MarkYARA(deref(ch.Before.Content), l))
		}
	}
	ch.After = &after
	ch.Fields = differing(ch.Kind, ch.Before, ch.After)
}

// creates plans the rules that no row holds. An owner that has other rules gained a value; one that
// has none is new.
func (c *computation) creates() error {
	if len(c.missing) == 0 {
		return nil
	}
	known := make(map[uint64]bool, len(c.rows.entries))
	for _, h := range c.rows.entries {
		if h.whose != ours && h.whose != taken {
			continue
		}
		known[h.winner] = true
		if h.count > 1 {
			row, err := c.rows.read(h.at)
			if err != nil {
				return err
			}
			for _, o := range ownersOf(&row) {
				known[mark.OwnersDigest(o.ID)] = true
			}
		}
	}
	c.plan.Changes = slices.Grow(c.plan.Changes, len(c.missing))
	for _, group := range c.missing {
		if err := c.create(group, known); err != nil {
			return err
		}
	}
	return nil
}

func (c *computation) create(group []want, known map[uint64]bool) error {
	after, rec, err := c.after(group, group[0], nil)
	if err != nil {
		return err
	}
	after.HLStatus = c.p.Maturity
	ch := Change{Kind: group[0].kind, List: c.p.List, Action: Create, Reason: NewIndicator, After: after,
		Key: hex.EncodeToString(group[0].key[:]), Sent: fmt.Sprintf("%016x", group[0].text),
		Fields: []string{}}
	if ch.Name = rec.Name; ch.Kind == IOC {
		ch.Type, ch.Value = rec.Type, rec.Value
	}
	if slices.ContainsFunc(group, func(e want) bool { return known[e.owner] }) {
		ch.Reason = ValueAdded
	}
	if ch.Owners, err = c.owners(group); err != nil {
		return err
	}
	if item, refused := c.refused(&ch); refused {
		if c.p.Refusals[ch.Key].Elsewhere {
			c.plan.Skipped = append(c.plan.Skipped, Skip{rec.Owner.ID, ExistsElsewhere, "the Sigma id exists in another list: " + item.Detail})
			return nil
		}
		c.plan.Held = append(c.plan.Held, item)
		return nil
	}
	c.add(ch)
	return nil
}

// owners describes a group, its winner first, then by id.
func (c *computation) owners(group []want) ([]Owner, error) {
	out := make([]Owner, 0, len(group))
	for _, e := range group {
		rec, err := c.w.read(e.at)
		if err != nil {
			return nil, err
		}
		out = append(out, rec.Owner)
	}
	if len(out) > 1 {
		slices.SortFunc(out[1:], func(a, b Owner) int { return cmp.Compare(a.ID, b.ID) })
	}
	return out, nil
}

func (c *computation) ownerByDigest(owner uint64) []Owner {
	for _, e := range c.w.entries {
		if e.owner == owner && e.kind != IOC {
			if rec, err := c.w.read(e.at); err == nil {
				return []Owner{rec.Owner}
			}
		}
	}
	return []Owner{}
}

// after is the wanted state of a rule. row is what holds it now, or nil.
func (c *computation) after(group []want, win want, row *Row) (*Body, wantRecord, error) {
	rec, err := c.w.read(win.at)
	if err != nil {
		return nil, rec, err
	}
	applied := mark.Applied{Known: true, Sent: win.text, Maturity: c.p.Maturity}
	b := &Body{Enabled: true}
	switch win.kind {
	case IOC:
		ids, err := c.ownerIDs(group)
		if err != nil {
			return nil, rec, err
		}
		digest := mark.OwnersDigest(ids...)
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == rec.Owner.ID })
		slices.Sort(ids)
		ids = append([]string{rec.Owner.ID}, ids...)
		m := mark.IOC{StandardID: rec.Owner.StandardID, Score: rec.Owner.Score, Platforms: rec.Platforms,
			Owners: ids[:min(len(ids), mark.MaxOwners)], Count: len(ids), Digest: digest, Instance: c.p.Own.Instance, Applied: applied}
		b.Description, b.Comment = ptr(mark.Normal(rec.Body)), ptr(m.Comment())
	case Sigma:
		rule, err := mark.ReadSigma(rec.Body)
		if err != nil {
			return nil, rec, fmt.Errorf("indicator %s: %w", rec.Owner.ID, err)
		}
		id := rec.Value
		if row != nil && c.w.derived[win.at] && row.RuleID != "" {
			id = row.RuleID // the server never lets an id change
		}
		ref := mark.SigmaRef{Base: c.p.Base, Owner: rec.Owner.ID, Instance: c.p.Own.Instance, Applied: applied}
		text, err := rule.Render(sigmaID(rule, id), ref)
		if err != nil {
			return nil, rec, fmt.Errorf("indicator %s: %w", rec.Owner.ID, err)
		}
		b.Name, b.Content = ptr(rec.Name), &text
	case YARA:
		b.Name = ptr(rec.Name)
		b.Content = ptr(mark.MarkYARA(rec.Body, mark.YARALine{Owners: []string{rec.Owner.ID}, Instance: c.p.Own.Instance, Applied: applied}))
	}
	return b, rec, nil
}

// sigmaID is the id to set in a rule's YAML; a rule that has one keeps it as it is written.
func sigmaID(rule *mark.SigmaRule, id string) string {
	if rule.ID != "" {
		return ""
	}
	return id
}

func (ch *Change) nameFrom(row *Row, canon func(typ, value string) string) {
	if row.Kind == IOC {
		ch.Type, ch.Value = row.Type, canon(row.Type, row.Value)
		return
	}
	ch.Name = row.Name
}

func bodyOf(row *Row) *Body {
	b := &Body{Enabled: row.Enabled, HLStatus: row.HLStatus}
	if row.Kind == IOC {
		b.Description, b.Comment = &row.Description, &row.Comment
	} else {
		b.Name, b.Content = &row.Name, &row.Content
	}
	return b
}

// ownersOf reads the owners from a row's marker.
func ownersOf(row *Row) []Owner {
	out := []Owner{}
	switch row.Kind {
	case IOC:
		m, _ := mark.ParseIOC(row.Comment)
		for i, id := range m.Owners {
			o := Owner{ID: id}
			if i == 0 {
				o.StandardID, o.Score = m.StandardID, m.Score
			}
			out = append(out, o)
		}
		if len(out) == 0 && m.StandardID != "" {
			out = append(out, Owner{StandardID: m.StandardID})
		}
	case Sigma:
		if rule, err := mark.ReadSigma(row.Content); err == nil && rule.Class == mark.Ours {
			out = append(out, Owner{ID: rule.Ref.Owner})
		}
	case YARA:
		l, _, _ := mark.SplitYARA(row.Content)
		for _, id := range l.Owners {
			out = append(out, Owner{ID: id})
		}
	}
	return out
}

func ownerIDsOf(owners []Owner) []string {
	ids := []string{}
	for _, o := range owners {
		if o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

func firstOwner(owners []Owner) string {
	if ids := ownerIDsOf(owners); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// differing names the compared fields in which two bodies differ.
func differing(k Kind, a, b *Body) []string {
	fields := []string{}
	add := func(name string, differ bool) {
		if differ {
			fields = append(fields, name)
		}
	}
	if k != IOC {
		add("name", strings.TrimSpace(deref(a.Name)) != strings.TrimSpace(deref(b.Name)))
	}
	add("enabled", a.Enabled != b.Enabled)
	add("hl_status", a.HLStatus != b.HLStatus)
	if k == IOC {
		add("description", mark.Normal(deref(a.Description)) != mark.Normal(deref(b.Description)))
		add("comment", deref(a.Comment) != deref(b.Comment))
		return fields
	}
	add("content", deref(a.Content) != deref(b.Content))
	return fields
}

func ptr[T any](v T) *T { return &v }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
