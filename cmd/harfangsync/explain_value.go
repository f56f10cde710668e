package main

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// match is how a rule hits a value that is asked for.
type match string

const (
	same   match = "same"   // of that very value
	inside match = "inside" // the value lies in what it blocks: a network, or the host of a URL
	part   match = "part"   // it blocks a part of the value: a URL on the domain, an address in the network
)

var matchWords = map[match]string{inside: "which the value lies in", part: "which is a part of it"}

// question is a value as it is asked for.
type question struct {
	typed     string
	spellings []reconcile.Value
	entries   []reconcile.Unblock // what hits it, as an unblock of the same would
	of        func(reconcile.Kind, reconcile.Value, []string) int
	url       bool
	network   netip.Prefix // of an address or a network
}

func questionOf(typed string) *question {
	q := &question{typed: pattern.Refang(typed), spellings: pattern.Spellings(typed)}
	q.entries = []reconcile.Unblock{{Value: q.typed}}
	if q.url = strings.Contains(q.typed, "://"); q.url {
		q.entries = append(q.entries, reconcile.Unblock{Value: q.host()})
	}
	q.network, _ = pattern.ParseAddress(q.typed)
	q.of = exclude.Unblocked(q.entries)
	return q
}

// value is the value in its canonical spelling.
func (q *question) value() string {
	for _, v := range q.spellings {
		return v.Value
	}
	return q.typed
}

// broad says whether it is a network that is broader than a rule, or an unblock, may be.
func (q *question) broad() bool {
	_, err := pattern.Canonical(pattern.BothIP, q.value())
	return q.network.IsValid() && err != nil
}

// host is the host of a URL, in its canonical spelling.
func (q *question) host() string {
	host := pattern.Host(q.typed)
	for _, v := range pattern.Spellings(host) {
		return v.Value
	}
	return host
}

// match says how a rule hits the value; "" is not at all.
func (q *question) match(v reconcile.Value) match {
	switch {
	case slices.Contains(q.spellings, v):
		return same
	case q.of(reconcile.IOC, v, nil) < 0, q.url && v.Type == pattern.URL:
		return ""
	case v.Type == pattern.URL:
		return part
	}
	if p, ok := pattern.ParseAddress(v.Value); ok && q.network.IsValid() && p.Bits() > q.network.Bits() {
		return part
	}
	if q.network.IsValid() || q.url {
		return inside
	}
	return same // a file name in another case
}

// finding is what both sides have of one value that is asked for.
type finding struct {
	*status
	q    *question
	ids  []string        // of the indicators that give it
	rows []reconcile.Row // in the order of status.Rows, once that is made
	off  bool            // our list is switched off
}

// findings are values that are asked for together, so that both sides are read once for all of them.
type findings struct {
	all   []*finding
	may   func(reconcile.Kind, reconcile.Value, []string) int // what a rule may hit; none below 0
	exact map[reconcile.Value]bool
}

func findingsOf(statuses ...*status) *findings {
	fs, entries := &findings{exact: map[reconcile.Value]bool{}}, []reconcile.Unblock{}
	for _, s := range statuses {
		q := questionOf(s.Input)
		fs.all = append(fs.all, &finding{status: s, q: q})
		entries = append(entries, q.entries...)
		for _, v := range q.spellings {
			fs.exact[v] = true
		}
	}
	fs.may = exclude.Unblocked(entries)
	return fs
}

// hit gives those that a rule hits.
func (fs *findings) hit(v reconcile.Value, give func(*finding)) {
	if !fs.exact[v] && fs.may(reconcile.IOC, v, nil) < 0 {
		return
	}
	for _, f := range fs.all {
		if f.q.match(v) != "" {
			give(f)
		}
	}
}

// statusOfValue names every indicator that gives a rule which hits a value, and every row that does.
func (t *target) statusOfValue(ctx context.Context, s *status) error {
	return t.find(ctx, findingsOf(s), t.planner(ctx))
}

// find fills in what both sides have of values, and the verdict on each.
func (t *target) find(ctx context.Context, fs *findings, plan planner) error {
	given, unread, err := t.givers(ctx, fs)
	if err != nil {
		return err
	}
	if err := t.eachRow(ctx, reconcile.IOC, func(row *reconcile.Row, v reconcile.Value) {
		fs.hit(v, func(f *finding) { f.rows = append(f.rows, *row) })
	}); err != nil {
		return err
	}
	off, err := t.switchedOff(ctx, reconcile.IOC)
	if err != nil {
		return err
	}
	for _, f := range fs.all {
		f.off = off
		for _, id := range f.ids {
			f.Indicators = append(f.Indicators, given[id])
		}
		for _, v := range f.q.spellings {
			if f.Excluded == "" {
				f.Excluded, _ = t.cfg.Sync.Excluded.Match(v)
			}
		}
		t.addFound(f, maps.Clone(unread))
		if f.conclusion, err = t.verdictOf(f, plan); err != nil {
			return err
		}
	}
	return nil
}

// addFound adds the rows, those of the very value first, and the indicators that OpenCTI cannot give.
func (t *target) addFound(f *finding, unread map[string]*reconcile.Indicator) {
	matchOf := func(row *reconcile.Row) match {
		return f.q.match(reconcile.Value{Type: row.Type, Value: canonical(row.Type, row.Value)})
	}
	slices.SortStableFunc(f.rows, func(a, b reconcile.Row) int {
		rest := map[bool]int{true: 1}
		return cmp.Compare(rest[matchOf(&a) != same], rest[matchOf(&b) != same])
	})
	for i := range f.rows {
		st := t.rowStatusOf(&f.rows[i])
		st.Match = matchOf(&f.rows[i])
		f.Rows = append(f.Rows, st)
		for _, id := range ownerIDs(&f.rows[i]) {
			if ind := unread[id]; ind != nil {
				f.Indicators = append(f.Indicators, t.statusOf(ind, true))
				delete(unread, id)
			}
		}
	}
	f.Unread = slices.Sorted(maps.Keys(unread))
}

// givers reads the indicators that give rules which hit the values, and those that OpenCTI cannot give.
func (t *target) givers(ctx context.Context, fs *findings) (map[string]indicatorStatus, map[string]*reconcile.Indicator, error) {
	// Everything is read, not only what the filter lets through: "why not" is asked as often as "why".
	byID, unread, ids := map[string]*reconcile.Indicator{}, map[string]*reconcile.Indicator{}, []string{}
	every := opencti.Source{Client: t.octi, Filter: opencti.Group(opencti.Eq("pattern_type", "stix", "sigma", "yara")), Observables: t.cfg.Sync.Observables()}
	_, err := every.Read(ctx, t.now(), func(page []reconcile.Indicator, _ int) error {
		for i := range page {
			ind := &page[i]
			if ind.Unread != "" {
				unread[ind.ID] = ind
				continue
			}
			delete(unread, ind.ID)
			given := false
			t.eachGiven(ind, fs, func(f *finding) {
				given = true
				if !slices.Contains(f.ids, ind.ID) {
					f.ids = append(f.ids, ind.ID)
				}
			})
			if given {
				if byID[ind.ID] == nil {
					ids = append(ids, ind.ID)
				}
				byID[ind.ID] = ind
			}
		}
		return nil
	})
	statuses, matching := map[string]indicatorStatus{}, map[string]bool{}
	if err != nil || len(ids) == 0 {
		return statuses, unread, err
	}
	answer, err := t.job.Source.Ask(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range answer.Found {
		matching[f.Asked] = f.Passes
	}
	for _, id := range ids {
		statuses[id] = t.statusOf(byID[id], matching[id])
	}
	return statuses, unread, nil
}

// eachGiven gives the values that an indicator's rules hit, and those that its pattern names where something of it is skipped.
func (t *target) eachGiven(ind *reconcile.Indicator, fs *findings, give func(*finding)) {
	st := t.statusOf(ind, true)
	for _, r := range st.Rules {
		fs.hit(reconcile.Value{Type: r.Type, Value: r.Value}, give)
	}
	if len(st.Skipped) == 0 {
		return
	}
	for _, f := range fs.all {
		if slices.ContainsFunc(f.q.spellings, func(v reconcile.Value) bool { return strings.Contains(ind.Pattern, v.Value) }) {
			give(f)
		}
	}
}

// eachRow gives the rows of our list of a kind, each with its value in the canonical spelling; that of a Sigma rule is its id.
func (t *target) eachRow(ctx context.Context, k reconcile.Kind, give func(*reconcile.Row, reconcile.Value)) error {
	list, err := t.job.Sink.FindList(ctx, k, t.cfg.HarfangLab.ListName)
	if err != nil || list == nil {
		return err
	}
	_, err = t.job.Sink.Rows(ctx, k, list.ID, func(page []reconcile.Row, _ int) error {
		for i := range page {
			v := reconcile.Value{Type: page[i].Type, Value: page[i].RuleID}
			if k == reconcile.IOC {
				v.Value = canonical(page[i].Type, page[i].Value)
			}
			give(&page[i], v)
		}
		return nil
	})
	return err
}

// switchedOff says whether our list of a kind is switched off in the console, so that its rules detect nothing.
func (t *target) switchedOff(ctx context.Context, k reconcile.Kind) (bool, error) {
	list, err := t.job.Sink.FindList(ctx, k, t.cfg.HarfangLab.ListName)
	return list != nil && list.Enabled != nil && !*list.Enabled, err
}

// ownerIDs are the internal ids of the indicators that a row names.
func ownerIDs(row *reconcile.Row) (ids []string) {
	for _, o := range reconcile.OwnersOf(row) {
		if o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}
