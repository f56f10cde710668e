package main

import (
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

const (
	blocked    = "BLOCKED"
	notBlocked = "NOT BLOCKED"
)

// standing is what the verdict on a value is made of.
type standing struct {
	*status
	q       *question
	rows    []reconcile.Row // in the order of status.Rows
	memory  reconcile.Memory
	unblock *reconcile.Unblock // that holds, nil for none
	out     reconcile.Unblocks // all that hold
}

// verdictOf sums up how a value stands.
func (t *target) verdictOf(s *status, q *question, rows []reconcile.Row) *conclusion {
	doc := t.job.Keeper.Document()
	x := &standing{status: s, q: q, rows: rows, memory: doc.Memory()}
	all := reconcile.Unblocks{List: doc.Unblocked}
	holds := all.At(t.job.Now())
	x.out = reconcile.Unblocks{List: holds, Of: t.job.Unblocks(holds)}
	for i := range holds {
		u := reconcile.Unblocks{List: holds[i : i+1]}
		u.Of = t.job.Unblocks(u.List)
		if slices.ContainsFunc(q.spellings, func(v reconcile.Value) bool { return u.Of(reconcile.IOC, v, x.wantedBy()) >= 0 }) {
			x.unblock = &holds[i]
		}
	}
	for _, judge := range []func() *conclusion{x.inForce, x.unblocked, x.excluded, x.disabled, x.refused, x.partly, x.wanted} {
		if v := judge(); v != nil {
			return v
		}
	}
	return x.unwanted()
}

// wantedBy are the wanted indicators that give a rule of the very value, or one that it lies in.
func (x *standing) wantedBy() (ids []string) {
	for i := range x.Indicators {
		st := &x.Indicators[i]
		if st.Wanted && slices.ContainsFunc(st.Rules, func(r explainedRule) bool {
			m := x.q.match(reconcile.Value{Type: r.Type, Value: r.Value})
			return m == same || m == inside
		}) {
			ids = append(ids, st.ID)
		}
	}
	return ids
}

func inQuotes(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// inForce is of a value that a rule blocks.
func (x *standing) inForce() *conclusion {
	since, by, whose := "", map[string]bool{}, ""
	onHost, stays := false, false // a rule blocks all of the URL's host; one does that no unblock is of
	for i := range x.rows {
		r := &x.Rows[i]
		if !r.Enabled || r.Match == part {
			continue
		}
		onHost = onHost || x.q.url && r.Match == inside
		stays = stays || !x.out.Cover(&x.rows[i], canonical(r.Type, r.Value))
		if created := x.rows[i].Created; since == "" || created < since {
			since = created
		}
		for _, o := range reconcile.OwnersOf(&x.rows[i]) {
			by[o.ID+o.StandardID] = true
		}
		if _, class := marker.ParseIOC(x.rows[i].Comment); whose != ours {
			if whose = r.Whose; class == marker.Old {
				whose = ours // by the next run
			}
		}
	}
	if whose == "" {
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, since); err == nil {
		since = at.UTC().Format(time.RFC3339)
	} else {
		since = "a time that HarfangLab does not tell"
	}
	v := &conclusion{Blocked: true, Verdict: fmt.Sprintf("%s since %s by %s", blocked, since, reconcile.Count(len(by), "indicator"))}
	switch {
	case whose != ours:
		v.Verdict = fmt.Sprintf("%s since %s by a rule that is not ours (%s)", blocked, since, whose)
		v.Ways = []string{"To change it: disable the rule in HarfangLab's console; it is none of ours."}
	case x.unblock != nil && !stays:
		v.Verdict += ", although it is unblocked: the next run takes it out of force"
		v.Ways = []string{"To change it: harfangsync run, or unblock it again to take it out at once."}
	default:
		if x.unblock != nil {
			v.Verdict += ", although it is unblocked: a rule blocks all of its host"
		}
		v.Ways = x.waysOut(onHost)
	}
	return v
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

func (x *standing) unblocked() *conclusion {
	if x.unblock == nil {
		return nil
	}
	u := x.unblock
	return &conclusion{Verdict: fmt.Sprintf("%s: unblocked until %s by %s: %s", notBlocked, u.Until.UTC().Format(time.RFC3339), u.By, u.Reason),
		Ways: []string{"To block it again: harfangsync block " + inQuotes(u.Value)}}
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

// disabled is of a value whose rule is there and out of force.
func (x *standing) disabled() *conclusion {
	for i := range x.rows {
		r := &x.Rows[i]
		if r.Enabled || r.Match == part {
			continue
		}
		m, class := marker.ParseIOC(x.rows[i].Comment)
		key := reconcile.KeyOf(reconcile.IOC, r.Type, canonical(r.Type, r.Value))
		stopped := m.Disabled != "" || x.memory.Stopped[key]
		switch {
		case r.Whose != ours && class != marker.Old:
			return &conclusion{Verdict: fmt.Sprintf("%s: its rule is disabled, and not ours (%s)", notBlocked, r.Whose), Ways: []string{"To change it: enable the rule in HarfangLab's console."}}
		case stopped && len(x.wantedBy()) > 0:
			return &conclusion{Verdict: notBlocked + ": we disabled its rule (" + m.Disabled + "), and the next run brings it back", Ways: []string{"To block it now: harfangsync run"}}
		case stopped:
			return nil // what its indicators say is the reason
		case class == marker.Old:
			return &conclusion{Verdict: notBlocked + ": pinned by a person: disabled before its adoption", Ways: []string{pinnedWay}}
		}
		return &conclusion{Verdict: notBlocked + ": pinned by a person: disabled in the console", Ways: []string{pinnedWay}}
	}
	return nil
}

const pinnedWay = "To block it: enable the rule in HarfangLab's console, or take all such rules into force once with harfangsync run --analyst-disable revert."

func (x *standing) refused() *conclusion {
	for _, v := range x.q.spellings {
		if r, known := x.memory.Refusals[reconcile.KeyOf(reconcile.IOC, v.Type, v.Value)]; known && len(x.wantedBy()) > 0 {
			return &conclusion{Verdict: notBlocked + ": refused by the manager: " + r.Words, Ways: []string{"To change it: correct the indicator in OpenCTI; what the manager refused is sent again when it is another text."}}
		}
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

func (x *standing) wanted() *conclusion {
	n := len(x.wantedBy())
	if n == 0 {
		return nil
	}
	return &conclusion{Verdict: fmt.Sprintf("%s yet: %d of its indicators want it, and no rule does so", notBlocked, n),
		Ways: []string{"To block it: harfangsync plan says what the next run does about it, and what holds it; harfangsync run does it."}}
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
