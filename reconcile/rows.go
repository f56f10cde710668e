package reconcile

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/reconcile/spool"
)

// Rows is everything that the lists hold. Add every row that was read, then Seal. Only digests stay
// in memory; the texts wait in a spool, whose first failure stays and is an error of Seal and of what
// is made of the set. It is not safe for concurrent use.
type Rows struct {
	own       Identity
	canon     func(typ, value string) string
	store     *spool.Spool
	entries   []entry
	enc       spool.Encoder
	sealed    int // how many entries are sorted
	moved     int // how many of these have
	unblocks  Unblocks
	unblocked map[int64]int // places in unblocks of what falls under one
}

// Identity tells which markers are ours.
type Identity struct {
	Instance string // connector.id
	TakeOver string // an instance whose rows are taken for ours, once; may be empty
	// AdoptNames says that the name of a wanted rule makes an unmarked Sigma or YARA row that rule, for the move away
	// from an old connector.
	AdoptNames bool
}

// whose says to whom a row belongs.
type whose uint8

const (
	nobodys whose = iota // no marker: a rule made by a person
	foreign              // another instance's marker
	old                  // an old connector's by comment, or unmarked and known as the wanted rule itself
	ours
	taken // another instance's, taken over in this run
)

func (w whose) owned() bool { return w >= old }

type entry struct {
	key       Key
	winner    uint64 // digest of the first owner named by the marker
	owners    uint64
	text      uint64
	sent      uint64
	at        int64
	count     uint16 // owners, as the marker says
	kind      Kind
	whose     whose
	enabled   bool
	ourStop   bool // disabled, and the marker says that we did it
	known     bool // the marker's note of our last write can be read
	stored    bool // the text is what the server made of our last write, as the marker notes
	canonical bool // the value is in canonical form
	testing   bool // maturity set at our last write was testing
	stopped   bool // the marker says that we disabled it, whether or not it still is
	blind     bool // the server cut our marker before its owners
	namesake  bool // a wanted rule has its name, which says nothing of whose it is
	lent      bool // key or owner are what the wanted set says of it, and not the row itself
	moved     bool // it is another row by now, or gone
	maturity  uint8
	has       marker.Fields // that the row holds
	asked     marker.Fields // that a mapping asked for at our last write, and what the server had of them then
	kept      marker.Fields
}

// NewRows makes an empty set. canon folds the spellings of an IOC value.
func NewRows(own Identity, canon func(typ, value string) string) *Rows {
	return &Rows{own: own, canon: canon, store: spool.New(), unblocked: map[int64]int{}}
}

// Expect makes room for n rows in all.
func (r *Rows) Expect(n int) { r.entries = room(r.entries, n) }

// Close gives back the spool. Plans made from r stay valid.
func (r *Rows) Close() error { return r.store.Close() }

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.entries) }

// Err is the spool's first failure.
func (r *Rows) Err() error { return r.store.Err() }

// Add adds one row.
func (r *Rows) Add(row *Row) {
	e := r.judge(row)
	enc := &r.enc
	enc.Reset()
	enc.Int(int64(row.Kind))
	for _, s := range []string{row.ID, row.Created, row.Type, row.Value, row.Description, row.Comment, row.Name, row.RuleID, row.Content, row.HLStatus, row.Updated} {
		enc.String(s)
	}
	enc.Bool(row.Enabled)
	for _, s := range []string{row.Level, row.Confidence, row.State} {
		enc.String(s)
	}
	e.at = r.store.Put(enc.Bytes())
	if of := r.unblockOf(row); of != none {
		r.unblocked[e.at] = of
	}
	r.entries = append(r.entries, e)
}

// Truncate drops every row but the first n that were added, before a list is read again.
func (r *Rows) Truncate(n int) { r.entries, r.sealed = r.entries[:n], min(r.sealed, n) }

// judge reduces a row to what is compared of it.
func (r *Rows) judge(row *Row) entry {
	e := entry{kind: row.Kind, enabled: row.Enabled, maturity: maturityCode(row.HLStatus), has: marker.FieldsOf(row.Level, row.Confidence, row.State)}
	var m note
	switch row.Kind {
	case IOC:
		m = r.judgeIOC(&e, row)
	case Sigma:
		m = e.judgeSigma(row)
	case YARA:
		m = e.judgeYARA(row)
	}
	e.known, e.sent, e.testing = m.applied.Known, m.applied.Sent, m.applied.Maturity == "testing"
	e.asked, e.kept = m.applied.Asked, m.applied.Kept
	e.stored = m.applied.Known && m.applied.Stored != 0 && m.applied.Stored == m.bare
	e.stopped = m.disabled
	e.ourStop = e.stopped && !e.enabled
	switch {
	case m.class == marker.Old:
		e.whose = old
	case m.class != marker.Ours:
	case strings.EqualFold(m.instance, r.own.Instance):
		e.whose = ours
	case r.own.TakeOver != "" && strings.EqualFold(m.instance, r.own.TakeOver):
		e.whose = taken
	default:
		e.whose = foreign
	}
	return e
}

// note is what a row's marker says besides its owners.
type note struct {
	class    marker.Class
	instance string
	applied  marker.Applied
	disabled bool
	bare     uint64 // what Applied.Stored covers of the text
}

func (r *Rows) judgeIOC(e *entry, row *Row) note {
	value := r.canon(row.Type, row.Value)
	e.key, e.canonical = KeyOf(IOC, row.Type, value), value == row.Value
	m, class := marker.ParseIOC(row.Comment)
	e.text = marker.IOCText(row.Description, m.StandardID, m.Platforms)
	e.owners, e.count, e.blind = m.Digest, uint16(min(max(m.Count, 0), 1<<16-1)), m.Partial
	if m.Key != (Key{}) && m.Spelling == marker.SpellingOf(row.Type, row.Value) {
		e.key, e.canonical = m.Key, true
	}
	if len(m.Owners) > 0 {
		e.winner = marker.OwnersDigest(m.Owners[0])
	}
	n := note{class: class, instance: m.Instance, applied: m.Applied, disabled: m.Disabled != ""}
	if n.applied.Stored != 0 {
		n.bare = marker.IOCText(row.Description, m.StandardID, nil) // a cut or shortened comment has no platforms
	}
	return n
}

func (e *entry) judgeSigma(row *Row) note {
	e.key, e.canonical = KeyOf(Sigma, "", strings.ToLower(row.RuleID)), true
	rule, err := marker.ReadSigma(row.Content)
	if err != nil {
		ref, ok := marker.FindRef(row.Content)
		if !ok {
			return note{}
		}
		e.winner = marker.OwnersDigest(ref.Owner)
		e.owners, e.count = e.winner, 1
		return note{class: marker.Ours, instance: ref.Instance, applied: ref.Applied, disabled: ref.Disabled}
	}
	if rule.ID != "" {
		e.key = KeyOf(Sigma, "", rule.ID)
	}
	e.text = marker.SigmaText(row.Name, rule)
	if rule.Class == marker.Ours {
		e.winner = marker.OwnersDigest(rule.Ref.Owner)
		e.owners, e.count = e.winner, 1
	}
	return note{rule.Class, rule.Ref.Instance, rule.Ref.Applied, rule.Ref.Disabled, e.text}
}

func (e *entry) judgeYARA(row *Row) note {
	line, _, class := marker.SplitYARA(row.Content)
	e.text, e.canonical = marker.YARAText(row.Name, row.Content), true
	e.key = KeyOf(YARA, "row", row.ID)
	if class == marker.Ours {
		e.key = KeyOf(YARA, "", line.Owners[0])
		e.winner = marker.OwnersDigest(line.Owners[0])
		e.owners, e.count = marker.OwnersDigest(line.Owners...), uint16(len(line.Owners))
	}
	return note{class, line.Instance, line.Applied, line.Disabled != "", e.text}
}

func maturityCode(s string) uint8 {
	switch s {
	case "stable":
		return 1
	case "testing":
		return 2
	}
	return 0
}

// read is a row of the set, or nothing at all once the spool has failed.
func (r *Rows) read(at int64) Row {
	d := r.store.Get(at)
	row := Row{Kind: Kind(d.Int())}
	for _, p := range []*string{&row.ID, &row.Created, &row.Type, &row.Value, &row.Description, &row.Comment, &row.Name, &row.RuleID, &row.Content, &row.HLStatus, &row.Updated} {
		*p = d.String()
	}
	row.Enabled = d.Bool()
	row.Level, row.Confidence, row.State = d.String(), d.String(), d.String()
	return row
}

// Move takes in what became of one row after it was written: now is nil when it is gone. key is the rule's, as in
// Change, and id the row's before, "" for a new one. Seal must follow.
func (r *Rows) Move(key Key, id string, now *Row) {
	if id != "" {
		at, _ := slices.BinarySearchFunc(r.entries[:r.sealed], key, func(e entry, key Key) int { return e.key.Compare(key) })
		for ; at < r.sealed && r.entries[at].key == key; at++ {
			if e := &r.entries[at]; !e.moved && r.read(e.at).ID == id {
				e.moved = true
				r.moved++
			}
		}
	}
	if now != nil {
		r.Add(now)
	}
}

// Seal ends the adding and sorts the rows by rule. By the wanted rules those rows of the old connectors are known that
// had no marker: a Sigma rule by its id, a YARA file by name and text.
func (r *Rows) Seal(w *Wanted) error {
	if r.moved > 0 {
		r.entries = slices.DeleteFunc(r.entries, func(e entry) bool { return e.moved })
		r.sealed, r.moved = r.sealed-r.moved, 0
	}
	for i := range r.entries { // of an earlier Seal, with what was wanted then
		if e := &r.entries[i]; e.lent {
			at, row := e.at, r.read(e.at)
			*e = r.judge(&row)
			e.at = at
		}
	}
	r.adoptDerived(w)
	marked := r.markedKeys()
	r.adoptSame(w, marked)
	r.adoptNames(w, marked)
	byKey := func(a, b entry) int { return cmp.Or(a.key.Compare(b.key), cmp.Compare(a.at, b.at)) }
	if !slices.IsSortedFunc(r.entries[:r.sealed], byKey) { // a name or an id gave a row another key
		r.sealed = 0
	}
	r.entries = mergeTail(r.entries, r.sealed, byKey)
	r.sealed = len(r.entries)
	return errors.Join(r.Err(), w.Err())
}

// adoptDerived gives rows of ours the key of the wanted rule of their owner where the wanted YAML
// has no id of its own: a row that was adopted keeps the id the server knows it by.
func (r *Rows) adoptDerived(w *Wanted) {
	if len(w.derived) == 0 {
		return
	}
	byOwner := map[uint64]Key{}
	for _, wanted := range w.wants {
		if w.derived[wanted.at] {
			byOwner[wanted.owner] = wanted.key
		}
	}
	for i := range r.entries {
		if e := &r.entries[i]; e.kind == Sigma && (e.whose == ours || e.whose == taken) {
			if key, ok := byOwner[e.winner]; ok {
				e.key, e.lent = key, true
			}
		}
	}
}

// markedKeys are the Sigma and YARA rules that marked rows are. No row without a marker becomes a second one, which
// would have to go.
func (r *Rows) markedKeys() map[Key]bool {
	marked := map[Key]bool{}
	for i := range r.entries {
		if e := &r.entries[i]; e.kind != IOC && e.whose != nobodys {
			marked[e.key] = true
		}
	}
	return marked
}

// adoptSame takes the unmarked rows that provably are a wanted rule, which no marked row is, for an old connector's:
// the Sigma rule with its id, the YARA file with its name and text. Of several the oldest is it.
func (r *Rows) adoptSame(w *Wanted, marked map[Key]bool) {
	unmarked := map[uint64][]int{} // YARA rows by name and text
	byKey := map[Key][]int{}
	for i := range r.entries {
		switch e := &r.entries[i]; {
		case e.kind == IOC || e.whose != nobodys:
		case e.kind == Sigma:
			byKey[e.key] = append(byKey[e.key], i)
		default:
			unmarked[e.text] = append(unmarked[e.text], i)
		}
	}
	if len(byKey)+len(unmarked) == 0 {
		return
	}
	for i := range w.wants {
		wanted := &w.wants[i]
		rows := byKey[wanted.key]
		if wanted.kind == YARA {
			rows = unmarked[wanted.text]
		}
		if wanted.kind == IOC || marked[wanted.key] || len(rows) == 0 {
			continue
		}
		first := r.oldest(rows)
		e := &r.entries[first]
		e.whose, e.winner, e.key, e.lent = old, wanted.owner, wanted.key, true
		marked[wanted.key] = true
		if wanted.kind == YARA {
			unmarked[wanted.text] = slices.DeleteFunc(rows, func(i int) bool { return i == first })
		}
	}
}

// oldest is the row that was made first.
func (r *Rows) oldest(rows []int) int {
	age := func(i int) string { row := r.read(r.entries[i].at); return row.Created + "\x00" + row.ID }
	return slices.MinFunc(rows, func(a, b int) int { return cmp.Compare(age(a), age(b)) })
}

// adoptNames notes the unmarked Sigma and YARA rows that have the name of a wanted rule. Where names are adopted it takes
// those for an old connector's whose exact name is that of one wanted rule and of no other row.
func (r *Rows) adoptNames(w *Wanted, marked map[Key]bool) {
	if !slices.ContainsFunc(r.entries, func(e entry) bool { return e.kind != IOC && e.whose == nobodys }) {
		return
	}
	names := w.oldNames()
	found := map[int][]int{} // rows by wanted rule
	for i := range r.entries {
		if e := &r.entries[i]; e.kind != IOC {
			want, known := names[named{e.kind, strings.TrimSpace(r.read(e.at).Name)}]
			if e.namesake = known; known && want >= 0 {
				found[want] = append(found[want], i)
			}
		}
	}
	if !r.own.AdoptNames {
		return
	}
	for i, rows := range found {
		e, wanted := &r.entries[rows[0]], w.wants[i]
		if len(rows) != 1 || e.whose != nobodys || marked[wanted.key] || e.kind == Sigma && !w.derived[wanted.at] { // an id says more than a name
			continue
		}
		e.whose, e.winner, e.key, e.lent = old, wanted.owner, wanted.key, true
	}
}

// named is what an old connector's rule is known by.
type named struct {
	kind Kind
	name string
}

// oldNames are the names that an old connector may have given the wanted Sigma and YARA rules, with the place of
// the first entry; -1 where several rules could have one.
func (w *Wanted) oldNames() map[named]int {
	names := map[named]int{}
	for i, e := range w.wants {
		if e.kind == IOC {
			continue
		}
		rec := w.read(e.at)
		for _, name := range append(marker.OldNames(rec.Owner.Name), rec.Name) {
			n := named{e.kind, name}
			first, known := names[n]
			switch {
			case name == "" || known && first < 0:
			case !known:
				names[n] = i
			case w.wants[first].key != e.key:
				names[n] = -1
			}
		}
	}
	return names
}
