package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// conclusion is the verdict in one line, and how to change what it says.
type conclusion struct {
	Verdict string   `json:"verdict"`
	Blocked bool     `json:"blocked"`
	Ways    []string `json:"ways"`
}

// after is a conclusion whose verdict begins with a word on how the value or the rule stands.
func (v *conclusion) after(word string) *conclusion {
	v.Verdict = word + v.Verdict
	return v
}

const (
	blocked    = "BLOCKED"
	notBlocked = "NOT BLOCKED"
)

// standing is what the verdict on a value is made of.
type standing struct {
	*finding
	wants   map[reconcile.Value][]string                        // the rules that would block it, each with the wanted indicators that give it
	stopped map[reconcile.Key]bool                              // rules that we disabled and could not mark
	holds   []reconcile.Unblock                                 // all that hold
	out     func(reconcile.Value, ...string) *reconcile.Unblock // of those the one that a rule falls under, by its owners too; nil for none
}

// verdictOf sums up how a value stands. What the next run does is asked of a plan, where the verdict depends on it.
func (t *target) verdictOf(f *finding, plan planner) (*conclusion, error) {
	doc := t.job.Keeper.Document()
	x := &standing{finding: f, stopped: doc.Memory().Stopped}
	x.want()
	x.holds, x.out = t.unblocks(reconcile.IOC)
	v := x.inForce()
	switch {
	case x.off && (v != nil || len(x.wants) > 0):
		return offVerdict(reconcile.IOC).after(notBlocked), nil
	case v != nil:
		return v, nil
	}
	if len(x.wants) > 0 {
		if ends := x.ends(); len(ends) > 0 {
			return unblockedBy(x.q.value(), ends).after(notBlocked), nil
		}
		planned, err := plan()
		if err != nil {
			return nil, err
		}
		if v, err = nextOf(planned, len(x.wantedBy()), x.isIts); err != nil {
			return nil, err
		}
		return v.after(notBlocked), nil
	}
	for _, judge := range []func() *conclusion{x.inAdvance, x.excluded, x.disabled, x.partly} {
		if v := judge(); v != nil {
			return v, nil
		}
	}
	return x.unwanted(), nil
}

// unblocks are what persons took out of force and holds now, and the one that a rule of a kind falls under.
func (t *target) unblocks(k reconcile.Kind) ([]reconcile.Unblock, func(reconcile.Value, ...string) *reconcile.Unblock) {
	all := reconcile.Unblocks{List: t.job.Keeper.Unblocked()}
	holds := all.At(t.job.Now())
	of := t.job.Unblocks(holds)
	return holds, func(v reconcile.Value, owners ...string) *reconcile.Unblock {
		if at := of(k, v, owners); at >= 0 {
			return &holds[at]
		}
		return nil
	}
}

// want notes the rules of the very value, or of what it lies in, that wanted indicators give.
func (x *standing) want() {
	x.wants = map[reconcile.Value][]string{}
	for i := range x.Indicators {
		for _, r := range x.Indicators[i].Rules {
			v := reconcile.Value{Type: r.Type, Value: r.Value}
			if m := x.q.match(v); x.Indicators[i].Wanted && r.Kind == reconcile.IOC.String() && (m == same || m == inside) {
				x.wants[v] = append(x.wants[v], x.Indicators[i].ID)
			}
		}
	}
}

// wantedBy are the wanted indicators that give such a rule.
func (x *standing) wantedBy() (ids []string) {
	for _, by := range x.wants {
		ids = append(ids, by...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// isIts says whether a plan's line is about a rule that would block the value.
func (x *standing) isIts(k reconcile.Kind, v reconcile.Value, _ string, _ []reconcile.Owner) bool {
	return k == reconcile.IOC && x.wants[v] != nil
}

// ends are what keep all wanted rules out of force; none where they do not keep out one of them.
func (x *standing) ends() (ends []*reconcile.Unblock) {
	for v, owners := range x.wants {
		u := x.out(v, owners...)
		if u == nil {
			return nil
		}
		ends = append(ends, u)
	}
	slices.SortFunc(ends, func(a, b *reconcile.Unblock) int { return cmp.Compare(a.Value, b.Value) })
	return slices.Compact(ends)
}

// leaves says whether the next run takes a row in force out of it: one of ours that is unblocked, by those that want its
// rule, or by those that it names where nobody does.
func (x *standing) leaves(row *reconcile.Row, r *rowStatus) bool {
	v := reconcile.Value{Type: r.Type, Value: canonical(r.Type, r.Value)}
	owners, wanted := x.wants[v]
	if !wanted {
		owners = ownerIDs(row)
	}
	return x.out(v, owners...) != nil
}

// direct is what the value itself falls under; nil for nothing.
func (x *standing) direct() *reconcile.Unblock {
	for _, v := range x.q.spellings {
		if u := x.out(v); u != nil {
			return u
		}
	}
	return nil
}

func inQuotes(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// force is what blocks a value.
type force struct {
	since, whose string
	by           map[string]bool // owners
	onHost       bool            // a rule blocks all of the URL's host
	stays        bool            // one of ours does that no unblock is of
	theirs       bool            // one does that is not ours
}

// force is nil for a value that no rule blocks.
func (x *standing) force() *force {
	f := &force{by: map[string]bool{}}
	for i := range x.rows {
		r := &x.Rows[i]
		if !r.Enabled || r.Match == part {
			continue
		}
		f.onHost = f.onHost || x.q.url && r.Match == inside
		if created := x.rows[i].Created; f.since == "" || created < f.since {
			f.since = created
		}
		for _, o := range reconcile.OwnersOf(&x.rows[i]) {
			f.by[o.ID+o.StandardID] = true
		}
		mine := r.Whose == ours || oldRow(&x.rows[i]) // by the next run
		f.theirs = f.theirs || !mine
		f.stays = f.stays || mine && !x.leaves(&x.rows[i], r)
		switch {
		case mine:
			f.whose = ours
		case f.whose != ours:
			f.whose = r.Whose
		}
	}
	if f.whose == "" {
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, f.since); err == nil {
		f.since = at.UTC().Format(time.RFC3339)
	} else {
		f.since = "a time that HarfangLab does not tell"
	}
	return f
}

// inForce is of a value that a rule blocks.
func (x *standing) inForce() *conclusion {
	f := x.force()
	if f == nil {
		return nil
	}
	v := &conclusion{Blocked: true, Verdict: fmt.Sprintf("%s since %s by %s", blocked, f.since, reconcile.Count(len(f.by), "indicator"))}
	switch {
	case f.whose != ours:
		v.Verdict = fmt.Sprintf("%s since %s by a rule that is not ours (%s)", blocked, f.since, f.whose)
		v.Ways = []string{"To change it: disable the rule in HarfangLab's console; it is none of ours."}
	case !f.stays && f.theirs:
		v.Verdict += ", although it is unblocked: the next run takes our rule out of force, and one that is not ours stays"
		v.Ways = []string{"To change it: harfangsync run, and disable the other rule in HarfangLab's console."}
	case !f.stays:
		v.Verdict += ", although it is unblocked: the next run takes it out of force"
		v.Ways = []string{"To change it: harfangsync run, or unblock it again to take it out at once."}
	default:
		if f.onHost && x.direct() != nil {
			v.Verdict += ", although it is unblocked: a rule blocks all of its host"
		}
		v.Ways = x.waysOut(f.onHost)
	}
	return v
}

// oldRow says whether a row is an old connector's, which the next run adopts.
func oldRow(row *reconcile.Row) bool {
	_, class := marker.ParseIOC(row.Comment)
	return class == marker.Old
}

// waysOut are how a value goes out of force, for a URL with all of its host where a rule blocks that.
func (x *standing) waysOut(onHost bool) []string {
	value, all := x.q.value(), ""
	switch {
	case onHost:
		value, all = x.q.host(), ", with all of its host"
	case x.q.broad():
		value = x.q.network.Addr().String() // and with it the networks that hold it
	}
	forGood := "To take it out for good: revoke its indicators in OpenCTI, or list it in a file of sync.exclusions."
	switch {
	case len(x.wantedBy()) > 0:
	case slices.ContainsFunc(x.Indicators, func(st indicatorStatus) bool { return st.Reason == reconcile.Unreadable }):
		forGood = "Its indicator cannot be read, and its rule stays until it can: open it in OpenCTI."
	default:
		forGood = "No indicator wants it any more: harfangsync plan says what the next run does about it, and what holds it."
	}
	return []string{"To take it out of force now, for a time" + all + ": harfangsync unblock " + inQuotes(value) + " --reason TEXT", forGood}
}

// inAdvance is of a value that is unblocked and that no wanted indicator gives.
func (x *standing) inAdvance() *conclusion {
	if u := x.direct(); u != nil {
		return unblockedBy(x.q.value(), []*reconcile.Unblock{u}).after(notBlocked)
	}
	return nil
}

// unblockedBy is of what persons took out of force, each with how to end that.
func unblockedBy(value string, ends []*reconcile.Unblock) *conclusion {
	v := &conclusion{}
	words := []string{}
	for _, u := range ends {
		what := ""
		if u.Value != value {
			what = " (" + u.Value + ")"
		}
		words = append(words, fmt.Sprintf("unblocked%s until %s by %s: %s", what, u.Until.UTC().Format(time.RFC3339), u.By, u.Reason))
		v.Ways = append(v.Ways, "To end that: harfangsync block "+inQuotes(u.Value))
	}
	v.Verdict = ": " + strings.Join(words, "; ")
	return v
}

func (x *standing) excluded() *conclusion {
	if x.Excluded == "" {
		return nil
	}
	way := "To change it: take the entry out of the file of sync.exclusions."
	if strings.Contains(x.Excluded, "built-in list") {
		way = "To change it: sync.builtin_exclusions: false, which drops the whole built-in list."
	}
	return &conclusion{Verdict: notBlocked + ": excluded by " + x.Excluded, Ways: []string{way}}
}

// disabled is of a value that nobody wants and whose rule is there, disabled by others than us.
func (x *standing) disabled() *conclusion {
	for i := range x.rows {
		r := &x.Rows[i]
		if r.Enabled || r.Match == part {
			continue
		}
		m, class := marker.ParseIOC(x.rows[i].Comment)
		switch {
		case r.Whose != ours && class != marker.Old:
			return theirRule(r.Whose).after(notBlocked)
		case m.Disabled != "" || x.stopped[reconcile.KeyOf(reconcile.IOC, r.Type, canonical(r.Type, r.Value))]:
			return nil // what its indicators say is the reason
		case class == marker.Old:
			return pinned("disabled before its adoption").after(notBlocked)
		}
		return pinned("disabled in the console").after(notBlocked)
	}
	return nil
}

// partly is of a value of which rules block parts alone.
func (x *standing) partly() *conclusion {
	n := 0
	for _, r := range x.Rows {
		if r.Enabled && r.Match == part {
			n++
		}
	}
	if n == 0 || len(x.wantedBy()) > 0 {
		return nil
	}
	way := "To take these out of force, for a time: harfangsync unblock " + inQuotes(x.q.value()) + " --reason TEXT"
	if x.q.broad() {
		way = "To take one of these out of force, for a time: harfangsync unblock ITS-VALUE --reason TEXT"
	}
	return &conclusion{Verdict: fmt.Sprintf("%s as a whole: parts of it are, by %s", notBlocked, rulesWord(n)), Ways: []string{way}}
}

// unwanted is of a value that no wanted indicator gives.
func (x *standing) unwanted() *conclusion {
	if len(x.Indicators) == 0 {
		return &conclusion{Verdict: notBlocked + ": no indicator in OpenCTI gives it", Ways: []string{"To block it: make an indicator of it in OpenCTI."}}
	}
	why := []string{}
	for i := range x.Indicators {
		st := &x.Indicators[i]
		word := string(st.Reason)
		for _, s := range st.Skipped {
			if st.Wanted {
				word = string(s.Reason)
			}
		}
		if word != "" && !slices.Contains(why, word) {
			why = append(why, word)
		}
	}
	return &conclusion{Verdict: fmt.Sprintf("%s: none of its indicators is wanted, or can be said (%s)", notBlocked, strings.Join(why, ", ")),
		Ways: []string{"To block it: change what the indicator says in OpenCTI, or the settings that leave it out; the reasons above say which."}}
}
