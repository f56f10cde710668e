package reconcile

import (
	"cmp"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"

	"github.com/harfangsync/harfangsync/reconcile/spool"
)

// Series is what a plan lists of one sort, in printed order. There may be as many as there are indicators, so they wait
// in a spool, and memory holds a few bytes of each. The zero value is empty. A copy shares what it holds. What is read
// of it is a copy, which Set puts back. It is safe for concurrent reads; the spool's first failure stays and is Err.
type Series[T any, P member[T]] struct{ *series[T, P] }

// member is something that can be packed into a record.
type member[T any] interface {
	*T
	write(p *packer)
	read(p *packer, h head, d *spool.Decoder)
	// head is what is known of it without reading it.
	head(w *words) head
	// place orders it: by rank, then by name.
	place() place
}

type series[T any, P member[T]] struct {
	mu    sync.Mutex // of the spool
	store *spool.Spool
	list  []step
	pack  packer
	loose bool // the order is not proven
	last  place
}

type step struct {
	at int64 // in the spool
	head
}

type place struct {
	rank int
	name string
}

// placeName joins what something is sorted by.
func placeName(parts ...string) string {
	const next = "\x00" // sorts before all that may stand in its place
	return strings.Join(parts, next)
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.rank, o.rank), cmp.Compare(p.name, o.name))
}

// Len is how many there are.
func (s Series[T, P]) Len() int {
	if s.series == nil {
		return 0
	}
	return len(s.list)
}

// Err is the first failure to store or to read one.
func (s Series[T, P]) Err() error {
	if s.series == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.Err()
}

// word is one that many of them say.
func (s Series[T, P]) word(at word) string { return s.pack.words.list[at] }

// At reads the i-th. One that cannot be read is empty, and an Err.
func (s Series[T, P]) At(i int) *T { return s.read(s.list[i]) }

func (s Series[T, P]) read(one step) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := new(T)
	if P(v).read(&s.pack, one.head, s.store.Get(one.at)); s.store.Err() != nil {
		return new(T)
	}
	return v
}

// Read is At that says whether what it gives was read.
func (s Series[T, P]) Read(i int) (*T, error) {
	v := s.At(i)
	return v, s.Err()
}

// All reads them, one after the other.
func (s Series[T, P]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := range s.Len() {
			if !yield(i, s.At(i)) {
				return
			}
		}
	}
}

// Add appends one.
func (s *Series[T, P]) Add(v *T) {
	if s.series == nil {
		store := spool.New()
		s.series = &series[T, P]{store: store}
		runtime.AddCleanup(s.series, func(s *spool.Spool) { _ = s.Close() }, store) // whoever holds a plan need not think of it
	}
	s.list = append(s.list, s.put(v))
	next := P(v).place()
	s.loose = s.loose || s.Len() > 1 && s.last.compare(next) > 0
	s.last = next
}

// Set puts one in the place of the i-th. It keeps the order: what it is sorted by is the same.
func (s Series[T, P]) Set(i int, v *T) { s.list[i] = s.put(v) }

func (s Series[T, P]) put(v *T) step {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pack.enc.Reset()
	P(v).write(&s.pack)
	return step{s.store.Put(s.pack.enc.Bytes()), P(v).head(&s.pack.words)}
}

// Drop takes out those that out says.
func (s Series[T, P]) Drop(out func(i int) bool) {
	if s.series == nil {
		return
	}
	kept := s.list[:0]
	for i, one := range s.list {
		if !out(i) {
			kept = append(kept, one)
		}
	}
	if s.list = kept; len(kept) > 0 {
		s.last = P(s.At(len(kept) - 1)).place()
	}
}

// sorted is how many names are in memory at once while a series is sorted.
const sorted = 1 << 15

// sort brings them into printed order: part by part, and these together.
func (s Series[T, P]) sort() {
	if s.Len() == 0 || !s.loose {
		return
	}
	type placed struct {
		step
		place
	}
	var parts [][]step
	var next []place // of each part
	for part := range slices.Chunk(s.list, sorted) {
		all := make([]placed, len(part))
		for i := range part {
			all[i] = placed{part[i], P(s.read(part[i])).place()}
		}
		slices.SortStableFunc(all, func(a, b placed) int { return a.place.compare(b.place) })
		for i := range all {
			part[i] = all[i].step
		}
		parts, next = append(parts, part), append(next, all[0].place)
	}
	list := make([]step, 0, s.Len())
	for len(parts) > 0 {
		first := 0
		for k := range next {
			if next[k].compare(next[first]) < 0 {
				first = k
			}
		}
		list, s.last = append(list, parts[first][0]), next[first]
		if parts[first] = parts[first][1:]; len(parts[first]) > 0 {
			next[first] = P(s.read(parts[first][0])).place()
			continue
		}
		parts, next = slices.Delete(parts, first, first+1), slices.Delete(next, first, first+1)
	}
	s.list, s.loose = list, false
}

// MarshalJSONTo writes an array.
func (s Series[T, P]) MarshalJSONTo(to *jsontext.Encoder) error {
	return WriteArray(to, func(yield func(*T) bool) {
		for _, v := range s.All() {
			if !yield(v) {
				return
			}
		}
	}, s.Err)
}

// UnmarshalJSONFrom reads what MarshalJSONTo wrote.
func (s *Series[T, P]) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	*s = Series[T, P]{}
	begin, err := from.ReadToken()
	switch {
	case err != nil || begin.Kind() == 'n': // null is nothing, as it is of a slice
		return err
	case begin.Kind() != '[':
		return fmt.Errorf("%s where an array is due", begin.Kind())
	}
	for from.PeekKind() != ']' {
		v := new(T)
		if err := json.UnmarshalDecode(from, v); err != nil {
			return err
		}
		s.Add(v)
	}
	_, err = from.ReadToken()
	return cmp.Or(s.Err(), err)
}

// MarshalJSON is MarshalJSONTo for encoding/json.
func (s Series[T, P]) MarshalJSON() ([]byte, error) { return json.Marshal(s, v1.DefaultOptionsV1()) }

// UnmarshalJSON is UnmarshalJSONFrom for encoding/json.
func (s *Series[T, P]) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, s, v1.DefaultOptionsV1())
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
