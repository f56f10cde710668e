package reconcile

import (
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// after is the wanted state of a rule, with the winner's record and all owners. row is what holds the
// rule now, and e the same as Compute knows it; both are nil when none does.
func (c *computation) after(group []want, win want, row *Row, e *entry) (*Body, wantRecord, []Owner) {
	rec, owners := c.describe(group, win)
	applied := marker.Applied{Known: true, Sent: win.text, Maturity: c.maturity(win), Source: c.w.sources[win.at]}
	b := &Body{Enabled: true}
	c.ask(b, &applied, win, e)
	switch win.kind {
	case IOC:
		ids := ownerIDsOf(owners)
		m := marker.IOC{StandardID: rec.Owner.StandardID, Score: rec.Owner.Score, Platforms: rec.Platforms,
			Owners: ids[:min(len(ids), marker.MaxOwners)], Count: len(ids), Digest: marker.OwnersDigest(ids...), Instance: c.p.Own.Instance, Applied: applied}
		if row != nil && KeyOf(IOC, row.Type, c.rows.canon(row.Type, row.Value)) != win.key {
			m.Key = win.key
		}
		b.Description, b.Comment = ptr(marker.Normal(rec.Body)), ptr(m.Comment())
	case Sigma:
		rule, err := marker.ReadSigma(rec.Body)
		if err != nil {
			c.fail(rec.Owner.ID, err)
			break
		}
		id := rec.Value
		if row != nil && c.w.derived[win.at] && row.RuleID != "" {
			id = row.RuleID // the server never lets an id change
		}
		ref := marker.SigmaRef{Base: c.p.Base, Owner: rec.Owner.ID, Instance: c.p.Own.Instance, Applied: applied}
		text, err := rule.Render(sigmaID(rule, id), ref)
		if err != nil {
			c.fail(rec.Owner.ID, err)
		}
		b.Name, b.Content = ptr(rec.Name), &text
	case YARA:
		b.Name = ptr(rec.Name)
		b.Content = ptr(marker.MarkYARA(rec.Body, marker.YARALine{Owners: []string{rec.Owner.ID}, Instance: c.p.Own.Instance, Applied: applied}))
	}
	return b, rec, owners
}

// ask fills in what a mapping asks for: in the body what has to be sent, in the marker's note all of it, with
// what the server is known to hold instead.
func (c *computation) ask(b *Body, applied *marker.Applied, win want, e *entry) {
	m := c.w.mapped(win)
	applied.Asked = m.fields()
	send := applied.Asked
	if e != nil {
		send = c.pending(e, win)
		for i := range send {
			if applied.Asked.Has(i) && !send.Has(i) && e.has[i] != applied.Asked[i] {
				applied.Kept[i] = e.has[i]
			}
		}
		applied.Kept = whole(applied.Kept)
	}
	for i, word := range []string{marker.Level: m.Level, marker.Confidence: m.Confidence, marker.State: m.State} {
		if send.Has(i) {
			*b.field(i) = &word
		}
	}
}

// whole is f with letters everywhere, or nothing at all.
func whole(f marker.Fields) marker.Fields {
	if f == (marker.Fields{}) {
		return f
	}
	for i := range f {
		if f[i] == 0 {
			f[i] = marker.Unset
		}
	}
	return f
}

// field is where a body holds a field of a mapping.
func (b *Body) field(at int) **string {
	return []**string{marker.Level: &b.Level, marker.Confidence: &b.Confidence, marker.State: &b.State}[at]
}

// Asked is what a body says of a field of a mapping, by the API's name; nil where it says nothing.
func (b *Body) Asked(name string) *string {
	if i := slices.Index(fieldNames[:], name); i >= 0 {
		return *b.field(i)
	}
	return nil
}

// field is where a row holds a field of a mapping.
func (r *Row) field(at int) *string {
	return []*string{marker.Level: &r.Level, marker.Confidence: &r.Confidence, marker.State: &r.State}[at]
}

// beside is the body of a row with the fields that another body has.
func beside(row *Row, other *Body) *Body {
	b := bodyOf(row)
	for i := range fieldNames {
		if *other.field(i) != nil {
			*b.field(i) = row.field(i)
		}
	}
	return b
}

// sigmaID is the id to set in a rule's YAML; a rule that has one keeps it as it is written.
func sigmaID(rule *marker.SigmaRule, id string) string {
	if rule.ID != "" {
		return ""
	}
	return id
}

func (ch *Change) nameFrom(row *Row, canon func(typ, value string) string) {
	if row.Kind == IOC {
		ch.Type, ch.Value = row.Type, canon(row.Type, row.Value)
		ch.storedAs(row)
		return
	}
	ch.Name = row.Name
}

// storedAs notes how the row to be changed spells its value.
func (ch *Change) storedAs(row *Row) {
	if ch.Stored = row.Value; row.Value == ch.Value {
		ch.Stored = ""
	}
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

// AsDisable is a delete as the disable that takes its place where the server refuses to delete.
func (ch *Change) AsDisable(p Policy) Change {
	d := *ch
	d.Action = Disable
	d.stop(&p)
	return d
}

// stop fills in what a disable leaves behind: the same rule, out of force, with a marker that says
// who did it and why.
func (ch *Change) stop(p *Policy) {
	if ch.Action != Disable {
		return
	}
	after := *ch.Before
	after.Enabled = false
	switch ch.Kind {
	case IOC:
		m, class := marker.ParseIOC(deref(ch.Before.Comment))
		if class != marker.Ours {
			m.Owners, m.Count = ownerIDsOf(ch.Owners), max(1, len(ch.Owners))
			m.Digest = marker.OwnersDigest(m.Owners...)
			m.Applied = marker.Applied{Known: true, Maturity: p.Maturity}
		}
		m.Instance, m.Disabled = p.Own.Instance, string(ch.Reason)
		after.Comment = ptr(m.Comment())
	case Sigma:
		rule, err := marker.ReadSigma(deref(ch.Before.Content))
		if err == nil {
			ref := rule.Ref
			if rule.Class != marker.Ours {
				ref.Owner, ref.Applied = firstOwner(ch.Owners), marker.Applied{Known: true, Maturity: p.Maturity}
			}
			ref.Base, ref.Instance, ref.Disabled = p.Base, p.Own.Instance, true
			if text, err := rule.Render("", ref); err == nil && ref.Owner != "" {
				after.Content = &text
			}
		} else if ref, ok := marker.FindRef(deref(ch.Before.Content)); ok {
			ref.Base, ref.Instance, ref.Disabled = p.Base, p.Own.Instance, true
			after.Content = ptr(marker.ReplaceRef(deref(ch.Before.Content), ref))
		}
	case YARA:
		l, _, class := marker.SplitYARA(deref(ch.Before.Content))
		if class != marker.Ours {
			l.Owners, l.Applied = []string{firstOwner(ch.Owners)}, marker.Applied{Known: true, Maturity: p.Maturity}
		}
		l.Instance, l.Disabled = p.Own.Instance, string(ch.Reason)
		if l.Owners[0] != "" {
			after.Content = ptr(marker.MarkYARA(deref(ch.Before.Content), l))
		}
	}
	ch.After = &after
	ch.Fields = differing(ch.Kind, ch.Before, ch.After)
}

// nameAlso has the marker that a change writes name, or at least count, owners beside those that want the rule. That of a Sigma
// rule has room for one.
func (ch *Change) nameAlso(further ...Owner) {
	if ch.Kind != IOC {
		return
	}
	m, _ := marker.ParseIOC(deref(ch.After.Comment))
	ids := ownerIDsOf(ch.Owners)
	for _, id := range append(m.Owners, ownerIDsOf(further)...) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	m.Owners, m.Count, m.Digest = ids[:min(len(ids), marker.MaxOwners)], m.Count+len(further), marker.OwnersDigest(ids...)
	ch.After.Comment = ptr(m.Comment())
	ch.Fields = differing(ch.Kind, ch.Before, ch.After)
}

// ownersAlone is an update without what is new of its content: the rule says the same as before, and its marker
// names who wants it now. ok is false where the marker needs no other names.
func (ch *Change) ownersAlone() (alone Change, ok bool) {
	if ch.Action != Update {
		return alone, false
	}
	alone = *ch
	before := *ch.Before
	before.Level, before.Confidence, before.State = nil, nil, nil
	after := before
	switch ch.Kind {
	case IOC:
		m, class := marker.ParseIOC(deref(before.Comment))
		next, _ := marker.ParseIOC(deref(ch.After.Comment))
		if class != marker.Ours || m.Partial {
			return alone, false
		}
		m.Owners, m.Count, m.Digest, m.Disabled = next.Owners, next.Count, next.Digest, ""
		after.Comment, alone.Sent = ptr(m.Comment()), sent(marker.IOCText(deref(before.Description), m.StandardID, m.Platforms), m.Applied.Asked)
	case Sigma:
		rule, err := marker.ReadSigma(deref(before.Content))
		next, err2 := marker.ReadSigma(deref(ch.After.Content))
		if err != nil || err2 != nil || rule.Class != marker.Ours || rule.Ref.Owner == next.Ref.Owner {
			return alone, false
		}
		ref := rule.Ref
		ref.Owner, ref.Disabled = next.Ref.Owner, false
		text, err := rule.Render("", ref)
		if err != nil {
			return alone, false
		}
		after.Content, alone.Sent = &text, sent(marker.SigmaText(deref(before.Name), rule), ref.Applied.Asked)
	case YARA: // has the one owner that its key names
		return alone, false
	}
	alone.Reason, alone.Cause, alone.Before, alone.After = OwnersChanged, SourceChanged, &before, &after
	alone.Fields = differing(ch.Kind, &before, &after)
	return alone, len(alone.Fields) > 0
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
	for i, name := range fieldNames {
		add(name, deref(*a.field(i)) != deref(*b.field(i)))
	}
	if k == IOC {
		add("description", marker.Normal(deref(a.Description)) != marker.Normal(deref(b.Description)))
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
