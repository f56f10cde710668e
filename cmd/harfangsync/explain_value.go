package main

import (
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
	of        func(reconcile.Kind, reconcile.Value, []string) int
	url       bool
	network   netip.Prefix // of an address or a network
}

func questionOf(typed string) *question {
	q := &question{typed: pattern.Refang(typed), spellings: pattern.Spellings(typed)}
	list := []reconcile.Unblock{{Value: q.typed}}
	if q.url = strings.Contains(q.typed, "://"); q.url {
		list = append(list, reconcile.Unblock{Value: q.host()})
	}
	q.network, _ = pattern.ParseAddress(q.typed)
	q.of = exclude.Unblocked(list)
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

// statusOfValue names every indicator that gives a rule which hits a value, and every row that does.
func (t *target) statusOfValue(ctx context.Context, s *status) error {
	q := questionOf(s.Input)
	for _, v := range q.spellings {
		if s.Excluded == "" {
			s.Excluded, _ = t.cfg.Sync.Excluded.Match(v)
		}
	}
	// Everything is read, not only what the filter lets through: "why not" is asked as often as "why".
	var ids []string
	byID, unread := map[string]*reconcile.Indicator{}, map[string]*reconcile.Indicator{}
	every := opencti.Source{Client: t.octi, Filter: opencti.Group(opencti.Eq("pattern_type", "stix", "sigma", "yara")), Observables: t.cfg.Sync.Observables()}
	_, err := every.Read(ctx, t.now(), func(page []reconcile.Indicator, _ int) error {
		for i := range page {
			if page[i].Unread != "" {
				unread[page[i].ID] = &page[i]
				continue
			}
			delete(unread, page[i].ID)
			if t.gives(&page[i], q) {
				if byID[page[i].ID] == nil {
					ids = append(ids, page[i].ID)
				}
				byID[page[i].ID] = &page[i]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	matching := map[string]bool{}
	if len(ids) > 0 {
		answer, err := t.job.Source.Ask(ctx, ids)
		if err != nil {
			return err
		}
		for _, f := range answer.Found {
			matching[f.Asked] = f.Passes
		}
	}
	for _, id := range ids {
		s.Indicators = append(s.Indicators, t.statusOf(byID[id], matching[id]))
	}
	rows, err := t.rowsOf(ctx, q)
	if err != nil {
		return err
	}
	for i := range rows {
		st := t.rowStatusOf(&rows[i])
		st.Match = q.match(reconcile.Value{Type: rows[i].Type, Value: canonical(rows[i].Type, rows[i].Value)})
		s.Rows = append(s.Rows, st)
		for _, o := range reconcile.OwnersOf(&rows[i]) {
			if ind := unread[o.ID]; ind != nil {
				s.Indicators = append(s.Indicators, t.statusOf(ind, true))
				delete(unread, o.ID)
			}
		}
	}
	s.Unread = slices.Sorted(maps.Keys(unread))
	s.conclusion, err = t.verdictOf(s, q, rows, t.planner(ctx))
	return err
}

// gives says whether an indicator's rules hit a value, or whether its pattern names it and something of it is skipped.
func (t *target) gives(ind *reconcile.Indicator, q *question) bool {
	st := t.statusOf(ind, true)
	for _, r := range st.Rules {
		if q.match(reconcile.Value{Type: r.Type, Value: r.Value}) != "" {
			return true
		}
	}
	return len(st.Skipped) > 0 && slices.ContainsFunc(q.spellings, func(v reconcile.Value) bool { return strings.Contains(ind.Pattern, v.Value) })
}

// rowsOf are the rows of our list that hit a value: those of the very value first.
func (t *target) rowsOf(ctx context.Context, q *question) ([]reconcile.Row, error) {
	var rows, others []reconcile.Row
	err := t.eachRow(ctx, reconcile.IOC, func(row *reconcile.Row, v reconcile.Value) {
		switch q.match(v) {
		case same:
			rows = append(rows, *row)
		case inside, part:
			others = append(others, *row)
		}
	})
	return append(rows, others...), err
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

// ownerIDs are the internal ids of the indicators that a row names.
func ownerIDs(row *reconcile.Row) (ids []string) {
	for _, o := range reconcile.OwnersOf(row) {
		if o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}
