package reconcile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// Readback is what a row, read again after a write, says about that write.
type Readback struct {
	Problem string // why the write cannot be counted as done; empty when it can
	Note    *Body  // when set, one more write that notes what the server made of our text
	Status  bool   // the maturity came back otherwise and is to be patched once
	Enable  bool   // a global state was sent alone, by a manager that knows none, and the rule is out of force
	Unkept  []Unkept
	// Unmarked says that the server does not keep our marker: the rule is there and cannot be managed,
	// and trying again changes nothing.
	Unmarked bool
}

// Plain says that the row is as it was sent.
func (r Readback) Plain() bool {
	return r.Problem == "" && r.Note == nil && !r.Status && !r.Enable && len(r.Unkept) == 0
}

// Unkept is a field of a mapping that the server does not hold as it was asked to. It is noted, and not sent again.
type Unkept struct{ Field, Asked, Held string }

// Verify compares a row read after a change with what the change wanted. row is nil when it is not
// there; canon folds the spellings of an IOC value. second is true after the Note was written.
func (ch *Change) Verify(row *Row, own Identity, canon func(typ, value string) string, second bool) Readback {
	wanted, asked, ok := parseSent(ch.Sent)
	inState := !second && asked.Has(marker.State) && ch.outOfForce(row)
	if problem, done := ch.verifyPlain(row, inState); done {
		return Readback{Problem: problem}
	}
	r := Rows{own: own, canon: canon}
	e := r.judge(row)
	if e.whose != ours {
		return Readback{Unmarked: true, Problem: "HarfangLab did not keep our marker, so the rule could not be managed; look at its limits for comments and contents"}
	}
	if !ok {
		return Readback{Problem: "the plan names no digest for it"}
	}
	back := Readback{Enable: inState, Status: !second && (ch.Action == Create || slices.Contains(ch.Fields, "hl_status")) && row.HLStatus != ch.After.HLStatus}
	respelled := ch.Kind == IOC && e.key != ch.Key
	text := e.text == wanted || e.stored && e.sent == wanted
	kept := back.compare(row, &e, asked)
	if !respelled && text && len(back.Unkept) == 0 {
		return back
	}
	if second {
		return Readback{Problem: "HarfangLab holds other content than was sent when read again"}
	}
	var err error // a text that was kept is noted, too: a longer note may be cut where this one was not
	if back.Note, err = ch.withNote(row, e.text, kept, respelled); err != nil {
		return Readback{Problem: err.Error()}
	}
	return back
}

// outOfForce says that a rule that is to be in force is not.
func (ch *Change) outOfForce(row *Row) bool {
	return row != nil && ch.After != nil && ch.After.Enabled && !row.Enabled
}

// verifyPlain is what of a row can be judged without its marker, and whether that is all there is to judge.
func (ch *Change) verifyPlain(row *Row, inState bool) (problem string, done bool) {
	texts := func(field string) bool { return field == "name" || field == "description" || field == "hl_status" }
	switch {
	case ch.Action == "":
		return "the plan cannot be read again, so nobody knows whether it is as planned", true
	case ch.Action == Delete && row == nil:
		return "", true
	case ch.Action == Delete:
		return "HarfangLab still holds it after the delete", true
	case row == nil:
		return "HarfangLab does not hold it when read again", true
	case row.Enabled != ch.After.Enabled && !inState:
		return fmt.Sprintf("HarfangLab holds it with enabled %t when read again, wanted %t", row.Enabled, ch.After.Enabled), true
	case ch.Sent == PromoteSent && row.HLStatus != ch.After.HLStatus:
		return "HarfangLab holds it as " + row.HLStatus + " when read again", true
	case ch.Sent == PromoteSent:
		return "", true
	case ch.Action == Disable && !slices.ContainsFunc(ch.Fields, texts): // only a restore writes these along
		return "", true
	case ch.Action != Disable && ch.Sent != "":
		return "", false
	case !ch.restored(row): // to the very texts of the dump
		return "HarfangLab holds other content than the dump's when read again", true
	}
	return "", true
}

// parseSent reads what sentOf wrote.
func parseSent(s string) (text uint64, asked marker.Fields, ok bool) {
	digits, letters, mapped := strings.Cut(s, "-")
	text, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || !mapped {
		return text, asked, err == nil
	}
	asked, ok = marker.ParseFields(letters)
	return text, asked, ok
}

// compare notes the fields that the row does not hold as asked, but for those that its marker knows already. kept is
// what the marker is to know from now on.
func (r *Readback) compare(row *Row, e *entry, asked marker.Fields) (kept marker.Fields) {
	for i := range asked {
		if !asked.Has(i) || e.has[i] == asked[i] {
			continue
		}
		kept[i] = e.has[i]
		if e.asked[i] != asked[i] || e.kept[i] != e.has[i] {
			r.Unkept = append(r.Unkept, Unkept{fieldNames[i], marker.Word(i, asked[i]), *row.field(i)})
		}
	}
	return whole(kept)
}

// restored says whether a row says what a restore wrote, in the server's own form or in ours.
func (ch *Change) restored(row *Row) bool {
	b := ch.After
	if b.SameAs(row) {
		return true
	}
	if strings.TrimSpace(deref(b.Name)) != strings.TrimSpace(row.Name) {
		return false
	}
	switch ch.Kind {
	case IOC:
		return marker.Normal(deref(b.Description)) == marker.Normal(row.Description) && marker.Normal(deref(b.Comment)) == marker.Normal(row.Comment)
	case Sigma:
		a, err := marker.ReadSigma(deref(b.Content))
		z, err2 := marker.ReadSigma(row.Content)
		return err == nil && err2 == nil && a.Class == z.Class && a.Ref == z.Ref && marker.SigmaText("", a) == marker.SigmaText("", z)
	}
	return marker.NormalYARA(deref(b.Content)) == marker.NormalYARA(row.Content)
}

// withNote is the change's wanted state with a marker that knows what the server made of it in row.
func (ch *Change) withNote(row *Row, stored uint64, kept marker.Fields, respelled bool) (*Body, error) {
	b := *ch.After
	switch ch.Kind {
	case IOC:
		m, _ := marker.ParseIOC(deref(b.Comment))
		now, _ := marker.ParseIOC(row.Comment)
		m.Applied.Stored, m.Applied.Kept = marker.IOCText(row.Description, now.StandardID, nil), kept
		if respelled {
			m.Key, m.Spelling = ch.Key, marker.SpellingOf(row.Type, row.Value)
		}
		b.Comment = ptr(m.Comment())
	case Sigma:
		rule, err := marker.ReadSigma(deref(b.Content))
		if err != nil {
			return nil, err
		}
		ref := rule.Ref
		ref.Applied.Stored, ref.Applied.Kept = stored, kept
		text, err := rule.Render("", ref)
		if err != nil {
			return nil, err
		}
		b.Content = &text
	case YARA:
		l, _, _ := marker.SplitYARA(deref(b.Content))
		l.Applied.Stored, l.Applied.Kept = stored, kept
		b.Content = ptr(marker.MarkYARA(deref(b.Content), l))
	}
	return &b, nil
}

// ShortComment is a comment of ours in the next shorter form, and whether there is one: the winner
// alone, and then no more than what keeps the row ours.
func ShortComment(comment string) (string, bool) {
	m, class := marker.ParseIOC(comment)
	if class != marker.Ours {
		return comment, false
	}
	for _, short := range []string{m.Short(), m.Tiny()} {
		if len(short) < len(comment) {
			return short, true
		}
	}
	return comment, false
}

var lengthNamed = regexp.MustCompile(`(\d{2,5}) char`)

// ShortDescription is a description cut to the length that a refusal names, or else to a quarter of
// what is sent at most, and whether that makes it shorter.
func ShortDescription(description, words string) (string, bool) {
	most := marker.MaxText / 4
	if m := lengthNamed.FindStringSubmatch(words); m != nil {
		most, _ = strconv.Atoi(m[1])
	}
	runes := []rune(description)
	if len(runes) <= most {
		return description, false
	}
	return strings.TrimSpace(string(runes[:most])), true
}

// SameAs says whether a row still looks as it did when the change was planned.
func (b *Body) SameAs(row *Row) bool {
	now := beside(row, b)
	for i := range fieldNames {
		if deref(*b.field(i)) != deref(*now.field(i)) {
			return false
		}
	}
	return b.Enabled == now.Enabled && b.HLStatus == now.HLStatus &&
		marker.Normal(deref(b.Description)) == marker.Normal(deref(now.Description)) &&
		deref(b.Comment) == deref(now.Comment) && deref(b.Content) == deref(now.Content) &&
		strings.TrimSpace(deref(b.Name)) == strings.TrimSpace(deref(now.Name))
}

// Whose tells whether a row carries our marker, another's, or none, and the key of the rule it is.
func Whose(row *Row, own Identity, canon func(typ, value string) string) (mine, others bool, key Key) {
	r := Rows{own: own, canon: canon}
	e := r.judge(row)
	return e.whose == ours || e.whose == taken, e.whose == foreign, e.key
}

// Row is the rule that a change wants to exist, ready to be created.
func (ch *Change) Row() Row {
	r := ch.rowOf(ch.After)
	for i := range fieldNames {
		*r.field(i) = deref(*ch.After.field(i))
	}
	return r
}

// RowBefore is the row as it was before the change.
func (ch *Change) RowBefore() Row { return ch.rowOf(ch.Before) }

func (ch *Change) rowOf(b *Body) Row {
	r := Row{Kind: ch.Kind, ID: ch.ID, Type: ch.Type, Value: ch.Value, Enabled: b.Enabled, HLStatus: b.HLStatus,
		Description: deref(b.Description), Comment: deref(b.Comment), Name: deref(b.Name), Content: deref(b.Content)}
	if ch.Kind == Sigma {
		if rule, err := marker.ReadSigma(r.Content); err == nil {
			r.RuleID = rule.ID
		}
	}
	return r
}
