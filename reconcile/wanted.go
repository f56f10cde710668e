package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/reconcile/spool"
)

// Value is one IOC that an indicator gives: a HarfangLab type and a canonical value.
type Value struct{ Type, Value string }

// Given is what an indicator gives: the values of a STIX pattern, or the text of its one rule, and what of
// it gives no rule.
type Given struct {
	Values  []Value
	Text    string   // of a Sigma or YARA rule as it is deployed; "" is as it is written
	Changes []string // what was changed of the rule, for people
	Notes   []string // which events the rule misses, and which it sees as well
	Skips   []Skip

	Excluded []Value    // what exclusions take away of it
	Compiled []Compiled // Sigma rules of ours for what a STIX pattern says and no value can
}

// Compiled is a Sigma rule that is made of a STIX pattern.
type Compiled struct {
	ID, Name, Text string
	Notes          []string
}

// Identities are the rules that an indicator gives, in the form of Finding's values.
func (g *Given) Identities(ind *Indicator) []Value {
	switch patternKind(ind.PatternType) {
	case IOC:
		ids := slices.Clone(g.Values)
		for _, c := range g.Compiled {
			if rule, err := marker.ParseSigma(c.Text); err == nil {
				ids = append(ids, Value{Value: rule.ID})
			}
		}
		return ids
	case Sigma, YARA:
		if rule, err := CheckRule(ind, g); err == nil && len(g.Skips) == 0 {
			return []Value{{Value: rule.key}}
		}
	}
	return nil
}

// Wanted is the whole set of rules that OpenCTI asks for. Add every indicator that was read, then
// Seal. Only digests stay in memory; the texts wait in a spool, whose first failure stays and is an
// error of Seal and of what is made of the set. It is not safe for concurrent use.
type Wanted struct {
	store     *spool.Spool
	wants     []want
	seen      []seen
	skips     []numberedSkip
	unread    []unread
	derived   map[int64]bool   // Sigma rules whose YAML carries no id
	ours      map[int64]bool   // Sigma rules that are compiled from STIX patterns
	sources   map[int64]uint64 // of rules that are deployed otherwise than they are written: the text's digest as it is written
	origins   []origin         // where indicators come from
	originAt  map[string]int
	pack      packer
	digest    string
	mapping   Mapping
	unblocks  Unblocks
	unblocked map[int64]int             // places in unblocks of what falls under one
	next      uint32                    // number of the next call of Add, Pass or Drop
	sealed    struct{ wants, seen int } // how many of each are sorted
}

// want is one (rule, owner) pair.
type want struct {
	key      Key
	owner    uint64 // marker.OwnersDigest of the internal id
	text     uint64
	at       int64
	created  int64
	seq      uint32 // the Add call that made it
	score    int8   // -1 when null
	kind     Kind
	mapEntry uint16 // of the mapping, counted from 1; 0 when none matches
}

// seen is one indicator that was read.
type seen struct {
	owner  uint64
	seq    uint32
	kind   Kind  // 0 when its pattern type gives no rule
	passed bool  // selected
	sigma  bool  // a STIX pattern that gives Sigma rules
	why    uint8 // index into skipCodes when it was not
	gone   bool  // not there any more
	gives  uint32
}

type numberedSkip struct {
	at  int64
	seq uint32
}

// unread is an indicator that the platform could not give.
type unread struct {
	id, standardID string
	seq            uint32
}

// skipCodes numbers the reasons for which a whole indicator is not selected.
var skipCodes = []Reason{"", Revoked, NotYetValid, Expired, DetectionOff, BelowThreshold, LabelFiltered, MarkingDenied, OutOfFilter, Unreadable}

// NewWanted makes an empty set.
func NewWanted() *Wanted {
	return &Wanted{
		store: spool.New(), derived: map[int64]bool{}, ours: map[int64]bool{}, sources: map[int64]uint64{},
		origins: []origin{{}}, originAt: map[string]int{"\x00": 0}, unblocked: map[int64]int{},
	}
}

// Expect makes room for n indicators in all: a set that grows bit by bit is in memory twice while it moves.
func (w *Wanted) Expect(n int) { w.wants, w.seen = room(w.wants, n), room(w.seen, n) }

// room is s with room for n elements in all and some more, of which memory holds what is used. What a
// platform counts may be wrong, so there is an end to it.
func room[T any](s []T, n int) []T {
	const most = 4 << 20
	if n = min(n, most); n <= cap(s) {
		return s
	}
	return append(make([]T, 0, n+n/16), s...)
}

// Close gives back the spool. Plans made from w stay valid.
func (w *Wanted) Close() error { return w.store.Close() }

// Err is the spool's first failure.
func (w *Wanted) Err() error { return w.store.Err() }

// Pass adds an indicator that was read and not selected.
func (w *Wanted) Pass(ind *Indicator, why Reason, detail string) {
	seq := w.number()
	code := max(0, slices.Index(skipCodes, why))
	w.seen = append(w.seen, seen{owner: marker.OwnersDigest(ind.ID), seq: seq, kind: patternKind(ind.PatternType), why: uint8(code)})
	if why != Revoked && why != OutOfFilter { // the server was asked to leave these out; they are no skips
		w.skip(seq, &Skip{Indicator: ind.ID, Name: ind.Name, Reason: why, Detail: detail})
	}
	if why == Unreadable {
		w.unread = append(w.unread, unread{ind.ID, ind.StandardID, seq})
	}
}

// Drop takes out an indicator that is not there any more.
func (w *Wanted) Drop(id string) {
	w.seen = append(w.seen, seen{owner: marker.OwnersDigest(id), seq: w.number(), gone: true})
}

func (w *Wanted) number() uint32 {
	w.next++
	return w.next - 1
}

// Add adds a selected indicator with what it gives. One that is added again replaces what it gave before.
func (w *Wanted) Add(ind *Indicator, g Given) {
	seq := w.number()
	kind := patternKind(ind.PatternType)
	w.seen = append(w.seen, seen{owner: marker.OwnersDigest(ind.ID), seq: seq, kind: kind, passed: true, sigma: len(g.Compiled) > 0, gives: uint32(len(g.Values) + len(g.Compiled))})
	for _, s := range g.Skips {
		s.Indicator, s.Name = ind.ID, ind.Name
		w.skip(seq, &s)
	}
	switch {
	case kind == IOC:
		text := marker.IOCText(ind.Description, ind.StandardID, ind.Platforms)
		for _, v := range g.Values {
			w.put(ind, seq, IOC, v, text, ind.Description, "", nil)
		}
		for i := range g.Compiled {
			w.addCompiled(ind, seq, &g.Compiled[i])
		}
	case len(g.Skips) > 0:
	case kind != 0:
		w.addRule(ind, seq, &g)
	}
}

func (w *Wanted) refuse(ind *Indicator, seq uint32, detail string) {
	w.skip(seq, &Skip{Indicator: ind.ID, Name: ind.Name, Reason: InvalidRule, Detail: detail})
}

func (w *Wanted) addRule(ind *Indicator, seq uint32, g *Given) {
	r, err := CheckRule(ind, g)
	if err != nil {
		language := map[Kind]string{Sigma: "Sigma", YARA: "YARA"}[patternKind(ind.PatternType)]
		w.refuse(ind, seq, language+": "+err.Error())
		return
	}
	if r.sigma == nil {
		w.put(ind, seq, YARA, Value{Value: r.key}, marker.YARAText(r.Name, r.text), r.text, r.Name, g.Notes)
		return
	}
	at := w.put(ind, seq, Sigma, Value{Value: r.key}, marker.SigmaText(r.Name, r.sigma), r.text, r.Name, g.Notes)
	if r.derived() {
		w.derived[at] = true
	}
	if r.text == ind.Pattern {
		return
	}
	if author, err := marker.ReadSigma(ind.Pattern); err == nil {
		if r.derived() {
			author = author.WithID(r.key)
		}
		w.sources[at] = marker.SigmaText(r.Name, author)
	}
}

func (w *Wanted) addCompiled(ind *Indicator, seq uint32, c *Compiled) {
	rule, err := marker.ParseSigma(c.Text)
	if err != nil {
		w.refuse(ind, seq, "compiled: "+err.Error())
		return
	}
	w.ours[w.put(ind, seq, Sigma, Value{Value: rule.ID}, marker.SigmaText(c.Name, rule), c.Text, c.Name, c.Notes)] = true
}

func ruleName(ind *Indicator, fallback string) string {
	if name := marker.Name(ind.Name, ind.ID); name != "" {
		return name
	}
	return marker.Name(fallback, ind.ID)
}

// DerivedSigmaID is the id given to a Sigma rule whose YAML has none: a UUIDv5 of the indicator's
// internal id, so that it is the same in every run.
func DerivedSigmaID(indicatorID string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("harfangsync:sigma:"+indicatorID)).String()
}

func patternKind(t string) Kind {
	switch strings.ToLower(t) {
	case "stix":
		return IOC
	case "sigma":
		return Sigma
	case "yara":
		return YARA
	}
	return 0
}

func (w *Wanted) put(ind *Indicator, seq uint32, k Kind, v Value, text uint64, body, name string, notes []string) (at int64) {
	e := &w.pack.enc
	e.Reset()
	e.String(v.Type)
	e.String(v.Value)
	e.String(name)
	e.String(body)
	e.Strings(ind.Platforms)
	e.String(ind.ID)
	e.String(ind.StandardID)
	e.String(ind.Name)
	score := int8(-1)
	if ind.Score != nil {
		score = int8(min(max(*ind.Score, 0), 100))
	}
	e.Int(int64(score))
	e.Strings(notes)
	e.Int(int64(w.originOf(ind)))
	at = w.store.Put(e.Bytes())
	if of := w.unblocks.of(k, v, ind.ID); of != none {
		w.unblocked[at] = of
	}
	_, entry := w.mapping.Match(ind, k, v.Type)
	w.wants = append(w.wants, want{
		key: KeyOf(k, v.Type, v.Value), owner: w.seen[len(w.seen)-1].owner, text: text, at: at,
		created: ind.CreatedAt.Unix(), seq: seq, score: score, kind: k, mapEntry: uint16(entry + 1),
	})
	return at
}

// wantRecord is the text of one want.
type wantRecord struct {
	Type, Value, Name string
	Body              string // description of an IOC, text of Sigma and YARA
	Platforms         []string
	Owner             Owner
	Notes             []string
	Origin            int // in Wanted.origins
}

// read is the text of a want, or nothing at all once the spool has failed.
func (w *Wanted) read(at int64) wantRecord {
	d := w.store.Get(at)
	r := wantRecord{Type: d.String(), Value: d.String(), Name: d.String(), Body: d.String(), Platforms: d.Strings()}
	r.Owner = Owner{ID: d.String(), StandardID: d.String(), Name: d.String()}
	if s := int(d.Int()); s >= 0 {
		r.Owner.Score = &s
	}
	if notes := d.Strings(); len(notes) > 0 {
		r.Notes = notes
	}
	r.Origin = int(d.Int())
	return r
}

// Seal ends the adding: earlier versions of indicators that came again are dropped, second Sigma
// rules with one id become skips, and everything is sorted. More may be added afterwards, and is sealed
// in turn; that costs about one pass over the set.
func (w *Wanted) Seal() error {
	w.seen = mergeTail(w.seen, w.sealed.seen, func(a, b seen) int { return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.seq, b.seq)) })
	stale, kept := map[uint32]bool{}, w.seen[:0]
	for i, s := range w.seen {
		if i+1 < len(w.seen) && w.seen[i+1].owner == s.owner {
			stale[s.seq] = true
			continue
		}
		if !s.gone {
			kept = append(kept, s)
		}
	}
	w.seen = kept
	sorted := w.sealed.wants
	if len(stale) > 0 {
		old := func(e want) bool { return stale[e.seq] }
		before := slices.DeleteFunc(w.wants[:sorted], old)
		w.wants = append(before, slices.DeleteFunc(w.wants[sorted:], old)...)
		sorted = len(before)
		w.skips = slices.DeleteFunc(w.skips, func(s numberedSkip) bool { return stale[s.seq] })
		w.unread = slices.DeleteFunc(w.unread, func(u unread) bool { return stale[u.seq] })
	}
	w.wants = mergeTail(w.wants, sorted, compareWants)
	w.wants = slices.CompactFunc(w.wants, func(a, b want) bool { return a.key == b.key && a.owner == b.owner })
	w.sealed.wants, w.sealed.seen = len(w.wants), len(w.seen)
	w.digest = w.digestOf()
	return w.Err()
}

// skipped are the skips as a plan lists them.
func (w *Wanted) skipped() (all AllSkipped) {
	for _, s := range w.skips {
		var one Skip
		one.read(&w.pack, head{}, w.store.Get(s.at))
		all.Add(&one)
	}
	return all
}

// longestDetail is how much of a cause is kept, in bytes: it may quote what came from outside.
const longestDetail = 1000

func (w *Wanted) skip(seq uint32, s *Skip) {
	if len(s.Detail) > longestDetail {
		s.Detail = strings.ToValidUTF8(s.Detail[:longestDetail], "") + "…"
	}
	w.pack.enc.Reset()
	s.write(&w.pack)
	w.skips = append(w.skips, numberedSkip{w.store.Put(w.pack.enc.Bytes()), seq})
}

// mergeTail sorts a slice whose first n elements are sorted already.
func mergeTail[T any](all []T, n int, compare func(a, b T) int) []T {
	if n == 0 || n < len(all)/2 {
		slices.SortFunc(all, compare)
		return all
	}
	tail := slices.Clone(all[n:])
	slices.SortFunc(tail, compare)
	for to, from := len(all)-1, n-1; len(tail) > 0; to-- {
		if last := tail[len(tail)-1]; from < 0 || compare(all[from], last) <= 0 {
			all[to], tail = last, tail[:len(tail)-1]
			continue
		}
		all[to] = all[from]
		from--
	}
	return all
}

// digestOf covers the rules and their owners. Within a rule owners come by themselves, because the
// order of the entries knows scores and times.
func (w *Wanted) digestOf() string {
	h := sha256.New()
	var buf [33]byte
	var group []want
	for from := 0; from < len(w.wants); from += len(group) {
		group = group[:0]
		for _, e := range w.wants[from:] {
			if e.key != w.wants[from].key {
				break
			}
			group = append(group, e)
		}
		slices.SortFunc(group, func(a, b want) int { return cmp.Compare(a.owner, b.owner) })
		for _, e := range group {
			copy(buf[:16], e.key[:])
			binary.BigEndian.PutUint64(buf[16:], e.owner)
			binary.BigEndian.PutUint64(buf[24:], e.text)
			buf[32] = byte(e.kind)
			h.Write(buf[:])
			if m := w.mapped(e); m != (Mapped{}) {
				fmt.Fprintf(h, "%q", m)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// compareWants sorts by rule, and within a rule the best owner first: by score, newest, id.
func compareWants(a, b want) int {
	return cmp.Or(a.key.Compare(b.key), cmp.Compare(b.score, a.score), cmp.Compare(b.created, a.created), cmp.Compare(a.owner, b.owner))
}

// lookup finds an indicator that was read.
func (w *Wanted) lookup(owner uint64) (seen, bool) {
	i, ok := slices.BinarySearchFunc(w.seen, owner, func(s seen, o uint64) int { return cmp.Compare(s.owner, o) })
	if !ok {
		return seen{}, false
	}
	return w.seen[i], true
}

// WasRead says whether the indicator with an internal id was among those read.
func (w *Wanted) WasRead(id string) bool {
	s, ok := w.lookup(marker.OwnersDigest(id))
	return ok && skipCodes[s.why] != Unreadable
}

// left says whether an indicator was among those read, and not selected.
func (w *Wanted) left(id string) bool {
	s, ok := w.lookup(marker.OwnersDigest(id))
	return ok && !s.passed && skipCodes[s.why] != Unreadable
}

// unreadOf is an indicator that could not be read and that is, or may be, one of some owners; "" for none. An owner without
// an id stands for those that a marker does not name.
func (w *Wanted) unreadOf(owners []Owner) string {
	for _, u := range w.unread {
		if slices.ContainsFunc(owners, func(o Owner) bool { return o.ask() == "" || o.ask() == u.id || o.ask() == u.standardID }) {
			return u.id
		}
	}
	return ""
}

// unseen says whether one of some owners was neither read nor found unreadable; one without an id is such an owner.
func (w *Wanted) unseen(owners []Owner) bool {
	return slices.ContainsFunc(owners, func(o Owner) bool {
		return o.ask() == "" || !w.WasRead(o.ID) && w.unreadOf([]Owner{o}) == ""
	})
}

// Witnesses are some wanted indicators, at most n, by internal id, that are none of those named.
func (w *Wanted) Witnesses(n int, but map[string]bool) ([]string, error) {
	const most = 100 // looked at
	var ids []string
	step := max(len(w.wants)/most, 1)
	for i := 0; i < len(w.wants) && len(ids) < n; i += step {
		if id := w.read(w.wants[i].at).Owner.ID; !but[id] && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, w.Err()
}

// Read is the number of indicators read, and Selected how many of each kind are wanted.
func (w *Wanted) Read() int { return len(w.seen) }

// Selected counts the wanted indicators of each kind.
func (w *Wanted) Selected() map[Kind]int {
	n := map[Kind]int{}
	for _, s := range w.seen {
		if s.passed && s.kind != 0 {
			n[s.kind]++
		}
		if s.passed && s.sigma {
			n[Sigma]++
		}
	}
	return n
}

// Digest covers the wanted rules and their owners, free of times and order. Valid after Seal.
func (w *Wanted) Digest() string { return w.digest }
