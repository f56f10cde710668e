// Package state remembers what one run must know of the runs before it: the last good run, what the
// server refused, what persons took out of force, where reading stopped, and who is at work. It is one small JSON document, kept in
// OpenCTI's connector state so that a pod needs no volume, or in a file.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
)

// MostBytes is the largest document: the size of OpenCTI's connector state is not documented, so it
// is kept small (contract opencti-api 6.2).
const MostBytes = 32_000

const shape = "harfangsync/1"

// Document is everything that is remembered.
type Document struct {
	Shape     string              `json:"shape"`
	LastGood  reconcile.LastGood  `json:"last_good"`
	Window    reconcile.Window    `json:"window,omitzero"` // what the gates count
	Refused   []reconcile.Refusal `json:"refused,omitempty"`
	Stopped   []reconcile.Key     `json:"stopped,omitempty"`   // rules that we disabled and could not mark, oldest first
	Verdicts  Verdicts            `json:"verdicts,omitempty"`  // refusals that are not kept in full
	Unblocked []reconcile.Unblock `json:"unblocked,omitempty"` // what persons took out of force, oldest first
	Leases    map[string]Lease    `json:"leases,omitempty"`    // by what the lock is for: two platforms and their lists
	Pull      Pull                `json:"pull,omitzero"`
	Stream    Stream              `json:"stream,omitzero"`
	Impact    impact.Controls     `json:"impact,omitzero"` // what was proven of HarfangLab's telemetry
	// RecoverUntil is what an old connector left behind: alerts before it need not be read.
	RecoverUntil time.Time `json:"-"`

	dropped int                        // refusals of the last Remember that it had no room for
	foreign map[string]json.RawMessage // members that are not ours, recover_until among them; never changed
}

// Parse reads a stored document. A document of another shape, such as an old connector's, is empty but for the
// members that we do not know: Text gives these back as they are, since an old connector that is started again needs
// its own. No document at all is empty. A *DamagedError says of text that is not JSON that it is lost, and of a document
// which of its members are.
func Parse(text string) (Document, error) {
	if text == "" || text == "null" {
		return Document{}, nil
	}
	if !json.Valid([]byte(text)) {
		return Document{}, &DamagedError{}
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(text), &members) // what is no object has none
	var d Document
	lost := d.take(members)
	for name := range ownMembers {
		delete(members, name)
	}
	if len(members) > 0 {
		d.foreign = members
	}
	var until string
	_ = json.Unmarshal(members["recover_until"], &until)
	if t, err := time.Parse(time.RFC3339Nano, until); err == nil {
		d.RecoverUntil = t.UTC()
	}
	if len(lost) > 0 {
		return d, &DamagedError{Members: lost}
	}
	return d, nil
}

// take reads our own members, if they are of our shape, and names those that it cannot read, which stay empty.
func (d *Document) take(members map[string]json.RawMessage) (lost []string) {
	var theirs string
	if _ = json.Unmarshal(members["shape"], &theirs); theirs != shape {
		return nil
	}
	for name, at := range ownMembers {
		field := reflect.ValueOf(d).Elem().FieldByIndex(at)
		if raw, there := members[name]; there && json.Unmarshal(raw, field.Addr().Interface()) != nil {
			field.SetZero()
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	return lost
}

// ownMembers are our members by name, each with the place of its field.
var ownMembers = func() map[string][]int {
	places := map[string][]int{}
	for f := range reflect.TypeFor[Document]().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			places[name] = f.Index
		}
	}
	return places
}()

// encode is the document as it stands, with the members that are not ours.
func (d *Document) encode() []byte {
	b, err := json.Marshal(d)
	if err == nil && len(d.foreign) > 0 {
		all := maps.Clone(d.foreign)
		if err = json.Unmarshal(b, &all); err == nil {
			b, err = json.Marshal(all)
		}
	}
	if err != nil {
		panic(err) // strings, numbers, times and what was read as JSON always encode
	}
	return b
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// Memory is the document in the form that Compute takes.
func (d Document) Memory() reconcile.Memory {
	m := reconcile.Memory{LastGood: d.LastGood, Window: d.Window, Refusals: make(map[reconcile.Key]reconcile.Refusal, len(d.Refused)), Stopped: make(map[reconcile.Key]bool, len(d.Stopped))}
	for _, r := range d.Refused {
		m.Refusals[r.Key] = r
	}
	for _, key := range d.Stopped {
		m.Stopped[key] = true
	}
	m.Verdicts = d.Verdicts.all()
	return m
}

// Store keeps the text of a document, one call at a time. Save replaces it whole or not at all, and may be
// repeated; ErrReset says that somebody emptied the state meanwhile, and ErrChanged that it is not what was loaded or saved
// last, as far as the store can tell. Load answers "" where nothing was saved.
type Store interface {
	Load(ctx context.Context) (string, error)
	Save(ctx context.Context, text string) error
}

// ErrReset says that an administrator reset the state: what was sent is not stored, and what was
// known before does not hold any more (contract opencti-api 6.2).
var ErrReset = errors.New("the state was reset")

// ErrChanged says that what was sent is not stored, since what it was made from is not there any more.
var ErrChanged = errors.New("another process changed it meanwhile")

// DamagedError says that a stored text is no document, or which of a document's members cannot be read. What they held is
// lost, and the next Update replaces them.
type DamagedError struct{ Members []string }

func (e *DamagedError) Error() string {
	if len(e.Members) == 0 {
		return "the state is not JSON"
	}
	return "of the state, what stands under these members has another form: " + strings.Join(e.Members, ", ")
}

// Keeper holds the document while a run lasts. It is safe for concurrent use.
type Keeper struct {
	Log   *slog.Logger  // set before use; nil says nothing
	Renew time.Duration // how often a lease is renewed; default 10 s of the 30 s it holds, and a minute of the 90 s of a tail

	store   Store
	lapsing lapsing // guarded by mu

	turn  chan struct{} // holds one token: whoever has it may read and replace what is stored
	mu    sync.Mutex    // guards what follows, and is never held while the store answers
	doc   Document
	noted []func(*Document) // changes of doc that are not stored yet
	turns int               // how often doc was read or stored
	heard time.Time         // when doc was read along with something else; zero if it was not, or is not that any more
	lock  *Lock             // that is held in the document, nil for none

	damage string // of what was read last
}

// Open reads the document from store; a nil store remembers nothing, and a nil log says nothing.
func Open(ctx context.Context, store Store, log *slog.Logger) (*Keeper, error) {
	k := Unread(store)
	k.Log = log
	return k, k.Reload(ctx)
}

// Unread leaves it to Lock, which has to read anyway, to read the document from store.
func Unread(store Store) *Keeper {
	k := Forgetful()
	k.store = store
	return k
}

// Forgetful remembers nothing beyond this run.
func Forgetful() *Keeper {
	k := &Keeper{turn: make(chan struct{}, 1), lapsing: lapsing{regained: make(chan struct{}, 1)}}
	k.turn <- struct{}{}
	return k
}

// alone runs work while nobody else reads or replaces what is stored: what one writes is then never made
// from a document that another has replaced meanwhile. Where another process has done so, work begins anew, a few times.
func (k *Keeper) alone(ctx context.Context, work func() error) error {
	const rounds = 5
	select {
	case <-k.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { k.turn <- struct{}{} }()
	for round := 1; ; round++ {
		if err := work(); round == rounds || !errors.Is(err, ErrChanged) {
			return err
		}
		k.unhear()
	}
}

func (k *Keeper) reload(ctx context.Context) error {
	return k.alone(ctx, func() error { return k.load(ctx) })
}

// load replaces the document by what is stored. What is damaged of that is lost, with a warning. The caller is alone.
func (k *Keeper) load(ctx context.Context) error {
	text, err := k.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	doc, damage := Parse(text)
	if doc.LastGood.At.After(time.Now().Add(tailLeaseFor)) { // by a clock that was wrong: no run would be later
		doc.LastGood.At = time.Unix(0, 0).UTC()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if doc.Shape == "" { // reset: what was noted before is over
		k.noted = nil
	}
	for _, change := range k.noted {
		change(&doc)
	}
	k.set(doc)
	k.lament(damage)
	return nil
}

// lament says once what is lost of the state. The caller holds mu.
func (k *Keeper) lament(damage error) {
	before := k.damage
	if k.damage = ""; damage == nil {
		return
	}
	if k.damage = damage.Error(); k.damage == before {
		return
	}
	text := "the state cannot be read and counts as empty"
	if k.doc.Shape != "" {
		text = "parts of the state cannot be read and count as empty"
	}
	k.warn(text, "error", damage)
}

// set takes over a document that is stored. The caller holds mu.
func (k *Keeper) set(doc Document) {
	k.doc, k.heard = doc, time.Time{}
	k.turns++
}

// Turn counts how often the document was read or stored.
func (k *Keeper) Turn() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.turns
}

// Heard takes over what is stored as it was read along with something else since a Turn, unless that is over. An Update
// that follows at once need not read it again.
func (k *Keeper) Heard(turn int, text string) {
	doc, err := Parse(text)
	if err != nil || doc.Shape == "" { // to be read by whoever wants to know
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.turns != turn {
		return
	}
	for _, change := range k.noted {
		change(&doc)
	}
	k.set(doc)
	k.heard = time.Now()
}

// atOnce is how soon after it was heard a document counts as read just now: well within the time after which who changes
// it beside us looks whether that stands (Insist).
const atOnce = settle / 2

// unhear makes the next change read the document.
func (k *Keeper) unhear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heard = time.Time{}
}

func (k *Keeper) fresh() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.heard.IsZero() && time.Since(k.heard) < atOnce
}

// Reload reads the document again, after a wait in which another run may have changed it, unless it was heard just now.
func (k *Keeper) Reload(ctx context.Context) error {
	if k.store == nil || k.fresh() {
		return nil
	}
	return k.reload(ctx)
}

// Document is a copy of what is remembered.
func (k *Keeper) Document() Document {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.doc.clone()
}

func (d Document) clone() Document {
	d.Refused, d.Stopped, d.Unblocked = slices.Clone(d.Refused), slices.Clone(d.Stopped), slices.Clone(d.Unblocked)
	d.Leases = maps.Clone(d.Leases)
	d.Pull = d.Pull.clone()
	return d
}

// Unblocked is what is remembered of unblocked values. It is not to be changed.
func (k *Keeper) Unblocked() []reconcile.Unblock {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.doc.Unblocked
}

// Update changes the document as it is stored now, and stores it: what another command wrote beside a run stays. After a
// reset the change is applied to an empty one. Updates happen one after the other, each upon the one before it. Once a lock that was held in the document is lost,
// another run may have replaced it, and an Update is a *LostError; while it has lapsed, ErrLapsed.
func (k *Keeper) Update(ctx context.Context, change func(*Document)) error {
	return k.alone(ctx, func() error {
		k.mu.Lock()
		l := k.lock
		k.mu.Unlock()
		if l != nil {
			if err := l.Check(); err != nil {
				return fmt.Errorf("save state: %w", err)
			}
		}
		return k.amend(ctx, change)
	})
}

// amend changes what is stored now. The caller is alone.
func (k *Keeper) amend(ctx context.Context, change func(*Document)) error {
	if k.store == nil {
		return k.save(ctx, change)
	}
	if file, shared := k.store.(exclusive); shared {
		release, err := file.Alone(ctx)
		if err != nil {
			return fmt.Errorf("save state: %w", err)
		}
		defer release()
	}
	leases := k.Document().Leases
	if !k.fresh() {
		if err := k.load(ctx); err != nil {
			return fmt.Errorf("save state: %w", err)
		}
	}
	return k.save(ctx, func(d *Document) {
		if d.Shape == "" { // reset since: our lease holds all the same
			d.Leases = leases
		}
		change(d)
	})
}

// exclusive is a store that other processes can be kept out of while one of them reads and replaces a document.
type exclusive interface {
	Alone(ctx context.Context) (release func(), err error)
}

// Note is an Update that is stored with the next one, at the latest when the lease is renewed; at once where none is held.
// A process that is killed before that has not said it.
func (k *Keeper) Note(ctx context.Context, change func(*Document)) error {
	k.mu.Lock()
	leased := k.lock != nil
	if leased {
		doc := k.doc.clone()
		change(&doc)
		k.doc, k.noted = doc, append(k.noted, change)
	}
	k.mu.Unlock()
	if leased {
		return nil
	}
	return k.Update(ctx, change)
}

func (k *Keeper) hold(l *Lock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lock = l
}

// save changes the document and stores it. The caller is alone.
func (k *Keeper) save(ctx context.Context, change func(*Document)) error {
	k.mu.Lock()
	before, told := k.doc.clone(), len(k.noted)
	k.mu.Unlock()
	next := before.clone()
	change(&next)
	if k.store == nil {
		k.stored(next, told)
		return nil
	}
	err := k.store.Save(ctx, next.Text())
	for again := 0; errors.Is(err, ErrReset) && again < 2; again++ { // the answer that told of it first may have been lost
		next = Document{Leases: before.Leases}
		change(&next)
		err = k.store.Save(ctx, next.Text())
	}
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	k.stored(next, told)
	return nil
}

// stored takes over a document that was stored together with so many notes.
func (k *Keeper) stored(doc Document, told int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noted = k.noted[told:]
	for _, change := range k.noted { // meanwhile
		change(&doc)
	}
	k.set(doc)
}

// Stored says whether anything is remembered beyond this run.
func (k *Keeper) Stored() bool { return k.store != nil }
