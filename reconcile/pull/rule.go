package pull

import (
	"context"
	"slices"
	"sync"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// firing is what a hint led to.
type firing struct {
	found  bool     // a rule; without owners it is of another list or instance, or nobody's
	owners []string // indicators by id of any kind
}

// question is what a hint asks of HarfangLab.
type question struct {
	kind                             reconcile.Kind
	ruleID, typ, value, name, inFile string
}

func askedBy(h alert.Hint) question {
	return question{h.Kind, h.RuleID, h.Type, h.Value, h.Name, h.YARARule}
}

// mostRules is how many look-ups of rules one pull remembers.
const mostRules = 20_000

// mostBlind is how many rule ids in a row may lead nowhere until they are not asked for any more:
// whether an alert of an IOC names its rule by id is not settled (contract harfanglab-api 7.4).
const mostBlind = 20

// attribute finds the owners of the rules that fired, and what they are called now. An owner that is
// gone gets no sighting.
func (p *pull) attribute(ctx context.Context, entries []*entry) error {
	named := make([][]string, len(entries))
	if err := p.findLists(ctx); err != nil {
		return err
	}
	if err := p.prefetch(ctx, entries); err != nil {
		return err
	}
	var mu sync.Mutex
	err := p.each(ctx, len(entries), func(ctx context.Context, i int) (err error) {
		named[i], err = p.fired(ctx, &mu, &entries[i].a)
		return err
	})
	if err != nil {
		return err
	}
	return p.name(ctx, entries, named)
}

// findLists finds our lists, once a pull.
func (p *pull) findLists(ctx context.Context) error {
	if p.lists != nil {
		return nil
	}
	found := map[reconcile.Kind]*reconcile.List{}
	for _, k := range reconcile.Kinds {
		l, err := p.Alerts.FindList(ctx, k, p.List)
		if err != nil {
			return err
		}
		found[k] = l
	}
	p.lists = found
	return nil
}

// name gives entries their owners, by ids of any kind, as OpenCTI calls them now.
func (p *pull) name(ctx context.Context, entries []*entry, named [][]string) error {
	now, err := p.called(ctx, slices.Concat(named...))
	if err != nil {
		return err
	}
	for i, e := range entries {
		e.owners = e.owners[:0]
		for _, id := range named[i] {
			if o, there := now[id]; there && !slices.Contains(e.owners, o) {
				e.owners = append(e.owners, o)
			}
		}
	}
	return nil
}

// called is what OpenCTI calls indicators now, by the id that they are asked for with.
func (p *pull) called(ctx context.Context, ids []string) (map[string]owner, error) {
	now := map[string]owner{}
	found, err := there(ctx, p.Knowledge.Indicators, distinct(ids))
	for id, i := range found {
		if len(i.IDs) > 1 {
			now[id] = owner{i.IDs[0], i.IDs[1]}
		}
	}
	return now, err
}

// distinct are ids without repeats.
func distinct(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// fired goes through what an alert says of its rules, the surest first: all that the first clue leads
// to. Rules of other lists end the search: the alert is not ours to attribute.
func (p *pull) fired(ctx context.Context, mu *sync.Mutex, a *alert.Alert) ([]string, error) {
	var owners []string
	var by alert.Clue  // the clue that led to a rule
	elsewhere := false // the alert names rules, and so far none of our lists
	for _, h := range p.Importer.Fired(a) {
		switch {
		case by != "" && h.From != by, by == "" && elsewhere && h.From != alert.ByMatch:
			return owners, nil
		case h.From == alert.ByMatch && p.otherList(h):
			elsewhere = true
			continue
		}
		f, err := p.follow(ctx, mu, h)
		if err != nil {
			if reconcile.FaultOf(err).Side || ctx.Err() != nil {
				return nil, err
			}
			p.Log.Debug("a rule cannot be looked up", "alert", a.ID, "error", err)
			continue
		}
		if f.found {
			owners, by = append(owners, f.owners...), h.From
		}
	}
	return owners, nil
}

// otherList says that a hint names a list that is not ours.
func (p *pull) otherList(h alert.Hint) bool {
	list := p.lists[h.Kind]
	return h.SourceID != "" && (list == nil || h.SourceID != list.ID) || h.Source != "" && h.Source != p.List
}

func (p *pull) follow(ctx context.Context, mu *sync.Mutex, h alert.Hint) (firing, error) {
	if h.Direct() {
		if h.Instance != "" && h.Instance != p.Own.Instance && h.Instance != p.Own.TakeOver {
			return firing{found: true}, nil
		}
		if len(h.Owners) > 0 {
			return firing{found: true, owners: h.Owners}, nil
		}
		return firing{found: true, owners: []string{h.Standard}}, nil
	}
	k, list := h.Kind, p.lists[h.Kind]
	byItem := k == reconcile.IOC && h.RuleID != ""
	mu.Lock()
	f, known := p.rules[askedBy(h)]
	blind := byItem && p.blind >= mostBlind
	mu.Unlock()
	if rows := p.held.named(mu, h.RuleID); byItem && rows != nil {
		return p.judge(rows, list, h), nil
	}
	switch {
	case known || blind:
		return f, nil
	case list == nil || p.otherList(h):
		return firing{}, nil
	}
	rows, err := p.rows(ctx, mu, k, list, h)
	if err != nil {
		return firing{}, err
	}
	f = p.judge(rows, list, h)
	mu.Lock()
	defer mu.Unlock()
	if byItem {
		p.blind++
		if f.found {
			p.blind = -mostRules // rule ids are worth asking for
		}
	}
	if len(p.rules) < mostRules {
		p.rules[askedBy(h)] = f
	}
	return f, nil
}

// rows are the rules that a hint leads to.
func (p *pull) rows(ctx context.Context, mu *sync.Mutex, k reconcile.Kind, list *reconcile.List, h alert.Hint) ([]reconcile.Located, error) {
	switch {
	case k == reconcile.IOC && h.RuleID != "":
		row, err := p.Alerts.Rule(ctx, k, h.RuleID)
		if err != nil || row == nil {
			return nil, err
		}
		return []reconcile.Located{*row}, nil
	case k == reconcile.IOC:
		return p.blocking(ctx, mu, list.ID, reconcile.Value{Type: h.Type, Value: h.Value})
	case k == reconcile.Sigma && h.RuleID != "":
		return p.Alerts.Lookup(ctx, k, "", reconcile.Query{RuleID: h.RuleID})
	case k == reconcile.YARA && h.YARARule != "":
		return p.Alerts.YARAByRule(ctx, list.ID, h.YARARule)
	case k == reconcile.Sigma && h.Name != "":
		return p.Alerts.Lookup(ctx, k, list.ID, reconcile.Query{Title: h.Name})
	case h.Name != "":
		return p.Alerts.Lookup(ctx, k, list.ID, reconcile.Query{Name: h.Name})
	}
	return nil, nil
}

// judge reads the owners of the rules that a hint led to: of all that block a value, since the alert may be of
// any of them. Namesakes that are not one and the same rule prove nothing.
func (p *pull) judge(rows []reconcile.Located, list *reconcile.List, h alert.Hint) firing {
	var f firing
	byName := h.RuleID == "" && h.Value == ""
	for i := range rows {
		r := &rows[i]
		if r.List != "" && r.List != list.ID {
			f.found = true
			continue
		}
		if len(rows) > 1 && byName {
			return firing{}
		}
		mine, foreign, _ := reconcile.Whose(&r.Row, p.Own, p.Canon)
		owners := reconcile.OwnersOf(&r.Row)
		if foreign || !mine && len(owners) == 0 { // an old connector's rule is ours before it is adopted
			f.found = true
			continue
		}
		f.found = true
		for _, o := range owners {
			if o.ID != "" {
				f.owners = append(f.owners, o.ID)
			} else if o.StandardID != "" {
				f.owners = append(f.owners, o.StandardID)
			}
		}
		if h.Value == "" {
			return f
		}
	}
	return f
}
