package planfile

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	stream "github.com/go-json-experiment/json"
	v1 "github.com/go-json-experiment/json/v1"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// MostBytes is the size above which a file is not taken for a plan.
const MostBytes = 4 << 30

// unusableError says why a saved plan, or a dump, cannot be applied here and now.
type unusableError struct{ text string }

func (e *unusableError) Error() string { return remote.OneLine(e.text, 2000) }

// Unusable says whether an error is about a saved plan that cannot be applied here and now.
func Unusable(err error) bool {
	_, ok := errors.AsType[*unusableError](err)
	return ok
}

func damaged(why string) error {
	return &unusableError{"the plan file is damaged: " + why + "; plan again"}
}

func stale(why string) error { return &unusableError{"the plan is stale: " + why + "; plan again"} }

func refused(why string) error { return &unusableError{"the plan cannot be applied: " + why} }

// Foreign is the error of something that was made for another manager, list or source.
func Foreign(what, of, want string) error {
	return &unusableError{fmt.Sprintf("%s is for %s, not for %s; plan again with these settings", what, of, want)}
}

// Encode writes a document.
func Encode(w io.Writer, d *Document) error {
	return encode(w, d)
}

// Write stores a *Document, *Report or *PullReport in a file of mode 0600, in one step.
func Write(path string, v any) error {
	return state.Replace(path, func(f *os.File) error {
		b := bufio.NewWriter(f)
		return cmp.Or(encode(b, v), b.Flush())
	})
}

// Read reads a file that Write made. A file that cannot be read is an *fs.PathError.
func Read(path string) (*Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if most := mostBytes(); info.Size() > most {
		return nil, refused(fmt.Sprintf("its file holds %d MiB, and the memory here is enough for one of %d MiB; give it more, or apply without a file", info.Size()>>20, most>>20))
	}
	return Decode(f)
}

// mostBytes is how large a plan may be in the memory that this process may use: to read one, and to prove its digest, takes
// several times its size.
func mostBytes() int64 {
	return min(MostBytes, debug.SetMemoryLimit(-1)/times)
}

const times = 4

// weight is how much memory the elements of a JSON text may take beside its texts: an object of three bytes may stand for a
// change of half a kilobyte.
func weight(text []byte) (bytes int64) {
	const change, owner, word = 1200, 100, 32
	lists := 0                                      // that are open
	for i, quoted := 0, false; i < len(text); i++ { // what is no JSON is found out later
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			if quoted = !quoted; quoted {
				bytes += word
			}
		case quoted:
		case c == '[':
			lists++
		case c == ']':
			lists--
		case c == '{' && lists > 1:
			bytes += owner
		case c == '{':
			bytes += change
		}
	}
	return bytes
}

// Decode reads a document and proves that it is whole.
func Decode(r io.Reader) (*Document, error) {
	b, err := io.ReadAll(io.LimitReader(r, MostBytes))
	if err != nil {
		return nil, err
	}
	if weight(b)+times*int64(len(b)) > debug.SetMemoryLimit(-1) {
		return nil, refused("it has more elements than the memory here is enough for; give it more, or apply without a file")
	}
	var head struct {
		FormatVersion *string `json:"format_version"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.FormatVersion == nil {
		return nil, damaged("it is not a plan in JSON")
	}
	if *head.FormatVersion != FormatVersion {
		return nil, &unusableError{fmt.Sprintf("the plan file has format %q and this program reads %q; plan again with this version", *head.FormatVersion, FormatVersion)}
	}
	var d Document
	if err := stream.Unmarshal(b, &d, v1.DefaultOptionsV1(), stream.RejectUnknownMembers(true)); err != nil {
		return nil, damaged(err.Error())
	}
	if d.Digest != d.digest() {
		return nil, damaged("its digest does not fit its content")
	}
	for _, ch := range d.Changes.All() {
		if err := check(ch); err != nil {
			return nil, err
		}
	}
	for _, h := range d.Held.All() {
		if h.Change != nil {
			if err := check(h.Change); err != nil {
				return nil, err
			}
		}
	}
	return &d, nil
}

// check refuses changes that no plan has, so that applying them cannot go wrong half way.
func check(c *reconcile.Change) error {
	ok := slices.Contains(reconcile.Kinds, c.Kind) && slices.Contains(reconcile.Actions, c.Action) && c.Key != (reconcile.Key{})
	before, after := whole(c, c.Before), whole(c, c.After)
	switch c.Action {
	case reconcile.Create:
		ok = ok && c.ID == "" && c.Before == nil && after
	case reconcile.Delete:
		ok = ok && c.ID != "" && before && c.After == nil
	default:
		ok = ok && c.ID != "" && before && after && (c.Action != reconcile.Disable || !c.After.Enabled)
	}
	if !ok {
		return damaged("change " + c.Label() + " is not one that a plan makes")
	}
	return nil
}

// whole says whether a change of a rule to or from a body has every text of its kind.
func whole(c *reconcile.Change, b *reconcile.Body) bool {
	switch {
	case b == nil:
		return false
	case c.Kind == reconcile.IOC:
		return c.Type != "" && c.Value != "" && b.Description != nil && b.Comment != nil
	}
	return b.Name != nil && b.Content != nil
}

// Expect is what a saved plan must agree with before it is applied (gate G6).
type Expect struct {
	SourceURL, TargetURL, ListName string
	SettingsDigest                 string
	Now                            time.Time
	MaxAge                         time.Duration
	Digest                         string // that was approved; empty accepts any
	Overrides                      reconcile.Overrides
	Held                           bool // what gates hold stays held, and the rest is applied
}

// mostAhead is how far clocks may differ.
const mostAhead = 5 * time.Minute

// Check says why a document must not be applied here and now, or nil. Gates that refused are judged
// again with the flags given now; what G1 or G3 refused can never be applied.
func (d *Document) Check(want Expect) error {
	if want.Digest != "" && want.Digest != d.Digest {
		return Foreign("the plan file", "digest "+d.Digest, "the approved digest "+want.Digest)
	}
	if d.Target.URL != want.TargetURL {
		return Foreign("the plan file", d.Target.URL, want.TargetURL)
	}
	if d.Source.URL != want.SourceURL {
		return Foreign("the plan file", d.Source.URL, want.SourceURL)
	}
	for _, l := range d.Target.Lists {
		if l.Name != want.ListName {
			return Foreign("the plan file", "list "+l.Name, "list "+want.ListName)
		}
	}
	if d.SettingsDigest != want.SettingsDigest {
		return stale("settings that shape plans have changed since it was made")
	}
	what, at := "it", d.Timestamp
	if s := d.Source.Snapshot; s != nil {
		what, at = "its snapshot", s.Time // a plan knows nothing newer
	}
	for _, of := range []time.Time{d.Timestamp, at} {
		if ahead := of.Sub(want.Now); ahead > mostAhead {
			return &unusableError{fmt.Sprintf("the plan file is of %s, %s ahead of the clock here: it was made elsewhere, or a clock is wrong; plan again",
				of.UTC().Format(time.RFC3339), ahead.Round(time.Second))}
		}
	}
	if age := want.Now.Sub(at); want.MaxAge > 0 && age > want.MaxAge {
		return stale(fmt.Sprintf("%s is %s old, at most %s is allowed", what, age.Round(time.Second), want.MaxAge))
	}
	if d.AsOf != nil {
		return refused("it was made with --as-of")
	}
	if !d.Complete {
		return refused("a side was not read to the end; plan again")
	}
	return d.gates(want)
}

func (d *Document) gates(want Expect) error {
	against := false
	for _, g := range d.Gates {
		if g.OK {
			continue
		}
		against = true
		if !(g.Hold && want.Held) && !want.Overrides.Accept(g.Override) {
			return refused(fmt.Sprintf("gate %s refused it: %s", g.ID, g.Message))
		}
	}
	if !d.Applyable && !against {
		return refused("it says so itself")
	}
	return nil
}

// Accept turns the gates that refused a plan, once Check has found that the flags accept them, and puts back
// what they held. After an error the document is of no use.
func (d *Document) Accept() error {
	for i := range d.Gates {
		if g := &d.Gates[i]; !g.OK {
			g.OK, g.Hold, g.Message = true, false, "accepted by "+g.Override+": "+g.Message
		}
	}
	p := reconcile.Plan{Changes: d.Changes, Held: d.Held, Skipped: d.Skipped, Unchanged: d.Summary.ByAction["unchanged"]}
	err := p.Release()
	d.Changes, d.Held, d.Summary = p.Changes, p.Held, p.Summary()
	return err
}

// Enabled is the number of enabled rules of ours, by kind, as the gates saw it.
func (d *Document) Enabled() map[reconcile.Kind]int {
	n := map[reconcile.Kind]int{}
	for _, k := range reconcile.Kinds {
		for _, g := range d.Gates {
			if g.ID == "G4" && g.Kind == k {
				n[k] = g.Base
			}
		}
	}
	return n
}

// Within says whether the limits still let a plan pass, given what was done since it was made, or why not.
func (d *Document) Within(done reconcile.Tally) error {
	for _, g := range d.Gates {
		if g.OK && g.Override == "" && g.Planned > 0 && g.Limit > 0 && g.Value <= g.Limit && g.Planned+done[g.Name] > g.Limit {
			return refused(fmt.Sprintf("gate %s (%s) refuses it now: %d planned and %d done within the window, limit %d; plan again", g.ID, strings.ReplaceAll(g.Name, "_", " "), g.Planned, done[g.Name], g.Limit))
		}
	}
	return nil
}
