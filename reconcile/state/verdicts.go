package state

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Verdicts are refusals of which no more is kept than a digest and a day, ten bytes each, oldest first: what a document
// has no room for in full. The same text is not sent again, and what the server said of it is forgotten.
type Verdicts []byte

const (
	verdictSize = 10
	elsewhere   = 1 << 15 // beside the day
)

// add notes a refusal, in place of what was noted of the same text.
func (v Verdicts) add(r reconcile.Refusal) Verdicts {
	digest := reconcile.VerdictOf(r.Key, r.Sent)
	day := uint16(max(r.At.Unix(), 0) / (24 * 60 * 60) &^ elsewhere)
	if r.Elsewhere {
		day |= elsewhere
	}
	v = v.without(map[uint64]bool{digest: true})
	v = binary.BigEndian.AppendUint64(v, digest)
	return binary.BigEndian.AppendUint16(v, day)
}

// len is how many there are.
func (v Verdicts) len() int { return len(v) / verdictSize }

// all are the verdicts by digest.
func (v Verdicts) all() map[uint64]reconcile.Verdict {
	m := make(map[uint64]reconcile.Verdict, v.len())
	for one := range slices.Chunk(v[:v.len()*verdictSize], verdictSize) {
		day := binary.BigEndian.Uint16(one[8:])
		m[binary.BigEndian.Uint64(one)] = reconcile.Verdict{Elsewhere: day&elsewhere != 0, At: time.Unix(int64(day&^elsewhere)*24*60*60, 0).UTC()}
	}
	return m
}

// without is v but for some digests.
func (v Verdicts) without(gone map[uint64]bool) Verdicts {
	var out Verdicts
	for one := range slices.Chunk(v[:v.len()*verdictSize], verdictSize) {
		if !gone[binary.BigEndian.Uint64(one)] {
			out = append(out, one...)
		}
	}
	return out
}

// Text is the document's stored form. Where it would grow over MostBytes, the oldest refusals are reduced to verdicts, and
// then the oldest of these go.
func (d Document) Text() string {
	d.Shape = shape
	d.Refused = slices.Clone(d.Refused)
	slices.SortStableFunc(d.Refused, func(a, b reconcile.Refusal) int {
		return cmp.Or(b.At.Compare(a.At), a.Key.Compare(b.Key))
	})
	words := 300
	for {
		b := d.encode()
		switch {
		case len(b) <= MostBytes || len(d.Refused)+len(d.Verdicts) == 0:
			return string(b)
		case words > 0: // a verdict counts without the server's words
			words -= 100
			for i := range d.Refused {
				d.Refused[i].Words = firstRunes(d.Refused[i].Words, words)
			}
		case len(d.Refused) > 0:
			d.reduce(len(d.Refused) * 9 / 10)
		default:
			d.Verdicts = d.Verdicts[(d.Verdicts.len()+9)/10*verdictSize:]
		}
	}
}

// reduce keeps so many refusals in full. They are sorted, the newest first.
func (d *Document) reduce(keep int) {
	for _, r := range slices.Backward(d.Refused[keep:]) {
		d.Verdicts = d.Verdicts.add(r)
	}
	d.Refused = d.Refused[:keep]
}

// Forgets is how many refusals there is no room for.
func (d Document) Forgets() int {
	stored, err := Parse(d.Text())
	if err != nil {
		return d.dropped
	}
	return d.dropped + len(d.Refused) + d.Verdicts.len() - len(stored.Refused) - stored.Verdicts.len()
}

// Remember forgets what is over for some rules, and notes new verdicts in place of earlier ones and rules
// that we disabled and could not mark. Of too many the oldest go.
func (d *Document) Remember(over []reconcile.Key, refused []reconcile.Refusal, stopped []reconcile.Key) {
	const mostWords, mostRefused, mostStopped = 300, 3000, 100
	d.dropped = max(0, len(refused)-mostRefused)
	refused = refused[d.dropped:]
	gone := make(map[reconcile.Key]bool, len(over)+len(refused))
	ended := map[uint64]bool{}
	for _, key := range over {
		gone[key] = true
		ended[reconcile.VerdictOf(key, reconcile.DeleteSent)], ended[reconcile.VerdictOf(key, reconcile.NotMarked)] = true, true
	}
	d.Stopped = slices.DeleteFunc(d.Stopped, func(key reconcile.Key) bool { return gone[key] || slices.Contains(stopped, key) })
	d.Stopped = append(d.Stopped, stopped...)
	for _, r := range refused {
		gone[r.Key] = true
		ended[reconcile.VerdictOf(r.Key, r.Sent)] = true
	}
	d.Refused = slices.DeleteFunc(d.Refused, func(r reconcile.Refusal) bool { return gone[r.Key] })
	d.Verdicts = d.Verdicts.without(ended)
	for _, key := range d.Stopped[:max(0, len(d.Stopped)-mostStopped)] {
		d.Verdicts = d.Verdicts.add(reconcile.Refusal{Key: key, Sent: reconcile.NotMarked})
	}
	d.Stopped = d.Stopped[max(0, len(d.Stopped)-mostStopped):]
	for _, r := range refused {
		r.Words = firstRunes(r.Words, mostWords)
		d.Refused = append(d.Refused, r)
	}
}
