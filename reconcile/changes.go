package reconcile

import (
	"cmp"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"

	"github.com/harfangsync/harfangsync/reconcile/spool"
)

// Changes are the steps of a plan in printed order. A first load has as many as there are indicators, so they wait in
// a spool, and memory holds a few bytes of each. The zero value is none. A copy shares what it holds. What is read of
// it is a copy, which Set puts back. It is safe for concurrent reads; the spool's first failure stays and is Err.
type Changes struct{ *changes }

type changes struct {
	mu    sync.Mutex // of the spool
	store *spool.Spool
	list  []step
	pack  packer
	loose bool // the order is not proven
	last  place
}

// step is what is known of a change without reading it.
type step struct {
	at                  int64 // in the spool
	action, typ, reason word
	kind                Kind
}

// ChangesOf holds some changes, in their order.
func ChangesOf(some ...Change) (c Changes) {
	for i := range some {
		c.Add(&some[i])
	}
	return c
}

// Len is the number of changes.
func (c Changes) Len() int {
	if c.changes == nil {
		return 0
	}
	return len(c.list)
}

// Err is the first failure to store or to read a change.
func (c Changes) Err() error {
	if c.changes == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.Err()
}

// Action is what the i-th change does.
func (c Changes) Action(i int) Action { return Action(c.pack.words.list[c.list[i].action]) }

// Type is that of the i-th change's value.
func (c Changes) Type(i int) string { return c.pack.words.list[c.list[i].typ] }

// Reason is why the i-th change is planned.
func (c Changes) Reason(i int) Reason { return Reason(c.pack.words.list[c.list[i].reason]) }

// Kind is that of the i-th change's rule.
func (c Changes) Kind(i int) Kind { return c.list[i].kind }

// At reads the i-th change. One that cannot be read is empty, and an Err.
func (c Changes) At(i int) *Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.pack.change(c.store.Get(c.list[i].at)); c.store.Err() == nil {
		return ch
	}
	return &Change{}
}

// All reads the changes, one after the other.
func (c Changes) All() iter.Seq2[int, *Change] {
	return func(yield func(int, *Change) bool) {
		for i := range c.Len() {
			if !yield(i, c.At(i)) {
				return
			}
		}
	}
}

// Add appends a change.
func (c *Changes) Add(ch *Change) {
	if c.changes == nil {
		store := spool.New()
		c.changes = &changes{store: store}
		runtime.AddCleanup(c.changes, func(s *spool.Spool) { _ = s.Close() }, store) // whoever holds a plan need not think of it
	}
	c.list = append(c.list, c.put(ch))
	next := placeOf(ch)
	c.loose = c.loose || c.Len() > 1 && c.last.compare(next) > 0
	c.last = next
}

// Set puts a change in the place of the i-th. It keeps the order: what it is sorted by is the same.
func (c Changes) Set(i int, ch *Change) { c.list[i] = c.put(ch) }

func (c Changes) put(ch *Change) step {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.pack.words
	s := step{action: w.of(string(ch.Action)), typ: w.of(ch.Type), reason: w.of(string(ch.Reason)), kind: ch.Kind}
	s.at = c.store.Put(c.pack.record(ch))
	return s
}

// Drop takes out those that out says.
func (c Changes) Drop(out func(i int) bool) {
	if c.changes == nil {
		return
	}
	kept := c.list[:0]
	for i, s := range c.list {
		if !out(i) {
			kept = append(kept, s)
		}
	}
	if c.list = kept; len(kept) > 0 {
		c.last = placeOf(c.At(len(kept) - 1))
	}
}

// place is where a change stands in printed order: by action, and then by what names its rule.
type place struct {
	action int
	kind   Kind
	name   string
}

func placeOf(ch *Change) place {
	const next = "\x00" // sorts before all that may stand in its place
	return place{slices.Index(Actions, ch.Action), ch.Kind, ch.Type + next + ch.Value + next + ch.Name + next + ch.ID + next + string(ch.Key[:])}
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.action, o.action), cmp.Compare(p.kind, o.kind), cmp.Compare(p.name, o.name))
}

// sort brings the changes into printed order.
func (c Changes) sort() {
	if c.Len() == 0 || !c.loose {
		return
	}
	type placed struct {
		step
		place
	}
	all := make([]placed, c.Len())
	for i, ch := range c.All() {
		all[i] = placed{c.list[i], placeOf(ch)}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return a.place.compare(b.place) })
	for i := range all {
		c.list[i] = all[i].step
	}
	c.loose, c.last = false, all[len(all)-1].place
}

// MarshalJSONTo writes the changes one after the other.
func (c Changes) MarshalJSONTo(to *jsontext.Encoder) error {
	return WriteArray(to, func(yield func(*Change) bool) {
		for _, ch := range c.All() {
			if !yield(ch) {
				return
			}
		}
	}, c.Err)
}

// MarshalJSON is MarshalJSONTo for encoding/json.
func (c Changes) MarshalJSON() ([]byte, error) { return json.Marshal(c, v1.DefaultOptionsV1()) }

// UnmarshalJSON is UnmarshalJSONFrom for encoding/json.
func (c *Changes) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, c, v1.DefaultOptionsV1())
}

// WriteArray writes an array of what is read one after the other, unless reading it has failed.
func WriteArray[T any](to *jsontext.Encoder, all iter.Seq[T], failed func() error) error {
	if err := to.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for v := range all {
		if err := json.MarshalEncode(to, v); err != nil {
			return err
		}
	}
	return cmp.Or(failed(), to.WriteToken(jsontext.EndArray))
}

// UnmarshalJSONFrom reads what MarshalJSONTo wrote.
func (c *Changes) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	*c = Changes{}
	if from.PeekKind() != '[' {
		return from.SkipValue()
	}
	if _, err := from.ReadToken(); err != nil {
		return err
	}
	for from.PeekKind() != ']' {
		var ch Change
		if err := json.UnmarshalDecode(from, &ch); err != nil {
			return err
		}
		c.Add(&ch)
	}
	_, err := from.ReadToken()
	return cmp.Or(c.Err(), err)
}
