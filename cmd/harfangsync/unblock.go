package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/help"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

func inFile(where string) bool { return strings.HasPrefix(where, config.InFile) }

// unblock takes a value out of force: in the state, so that nothing brings it back, and then in the lists.
func (p *program) unblock(ctx context.Context, u *unblocking, t *target) error {
	entry, gives, err := t.unblockOf(ctx, u)
	if err != nil {
		return err
	}
	planned, err := t.job.PlanUnblock(ctx, entry, gives)
	if err != nil {
		return exit.Unproven(err)
	}
	doubt, err := t.doubt(ctx, u, &entry, planned.Plan)
	if err != nil {
		return err
	}
	question := "Take it out of force?"
	if doubt != "" {
		question = "Note it all the same?"
	}
	p.showUnblock(ctx, t, &entry, planned.Plan, doubt)
	if err := p.approve(ctx, u, question); err != nil {
		return err
	}
	err = t.job.Keeper.Insist(ctx, func(d *state.Document) error {
		if err := d.Unblock(entry); err != nil {
			return exit.Usagef("%v; unblock --list names what is unblocked, block ends it", err)
		}
		return nil
	}, func(d *state.Document) bool { return d.Noted(entry) })
	if err != nil {
		return err
	}
	p.reporter.say(entry.Words() + " is unblocked.")
	return p.takeOut(ctx, t, &entry, gives)
}

// takeOut disables the rules of what was unblocked. A run that is at work may write one of them at the same time: then
// they are looked at again.
func (p *program) takeOut(ctx context.Context, t *target, entry *reconcile.Unblock, gives []reconcile.Value) error {
	const attempts = 4
	out := 0
	for attempt := 1; ; attempt++ {
		planned, err := t.job.PlanUnblock(ctx, *entry, gives)
		if err != nil {
			return fmt.Errorf("%s is unblocked, and the next run takes it out of force; this command could not: %w", entry.Value, exit.Unproven(err))
		}
		done, err := t.job.Apply(ctx, planned, false)
		if err != nil {
			return err
		}
		out += done.Count(run.Applied, "")
		switch {
		case done.Clean():
			return p.unblocked(ctx, t, entry, planned.Plan, out)
		case attempt == attempts || ctx.Err() != nil:
			return p.notOut(entry, done)
		}
	}
}

// unblocked says that none of our rules of it is in force any more, and what blocks it all the same.
func (p *program) unblocked(ctx context.Context, t *target, entry *reconcile.Unblock, plan *reconcile.Plan, out int) error {
	wider, err := t.hostRules(ctx, entry)
	if err != nil {
		return err
	}
	still := []string{}
	for _, rule := range wider {
		still = append(still, "still blocked: "+rule)
	}
	if left := stillBlocks(plan); len(left) > 0 {
		still = append(still, "still in force, since they are not ours: "+strings.Join(left, "; ")+"; disable them in HarfangLab's console")
	}
	how := "out of force"
	if len(still) > 0 {
		how = "unblocked"
	}
	fmt.Fprintf(p.stdout, "%s is %s until %s; %s disabled.\n", render.Escape(entry.Value), how, entry.Until.Format(time.RFC3339), rulesWord(out))
	p.reporter.say(fmt.Sprintf("%s went out of force.", rulesWord(out)))
	for _, words := range still {
		p.say(slog.LevelError, render.Escape(words))
		p.reporter.say(strings.ToUpper(words[:1]) + words[1:] + ".")
	}
	if len(still) > 0 {
		return exit.With(exit.Partly)
	}
	return nil
}

// hostRules are the rules in force that block the host of an unblocked URL, each with what takes it out of force.
func (t *target) hostRules(ctx context.Context, entry *reconcile.Unblock) ([]string, error) {
	q := questionOf(entry.Value)
	if !q.url {
		return nil, nil
	}
	var said []string
	err := t.eachRow(ctx, reconcile.IOC, func(row *reconcile.Row, v reconcile.Value) {
		r := t.rowStatusOf(row)
		if !r.Enabled || q.match(v) != inside {
			return
		}
		way := "harfangsync unblock " + inQuotes(q.host()) + " --reason TEXT takes that out of force"
		if r.Whose != ours {
			way = "it is not ours, disable it in HarfangLab's console"
		}
		said = append(said, fmt.Sprintf("%s %s blocks all of its host: %s", r.Type, r.Value, way))
	})
	return said, err
}

// notOut says which rules could not be taken out of force.
func (p *program) notOut(entry *reconcile.Unblock, done *run.Report) error {
	for i := range done.Items {
		if it := &done.Items[i]; it.Outcome != run.Applied {
			p.say(slog.LevelError, render.Escape(fmt.Sprintf("%s: %s: %s", done.Changes.At(i).Label(), it.Outcome, it.Error)))
		}
	}
	for _, problem := range done.Problems {
		p.say(slog.LevelError, render.Escape(problem))
	}
	p.say(slog.LevelError, render.Escape(entry.Value+" is unblocked, and not all of its rules could be disabled; the next run tries it again, and so does this command"))
	switch {
	case done.Stopped == run.ErrInterrupted:
		return run.ErrInterrupted
	case done.Unreachable != nil:
		return exit.With(exit.Side)
	}
	return exit.With(exit.Partly)
}

func rulesWord(n int) string {
	if n == 1 {
		return "1 rule"
	}
	return fmt.Sprintf("%d rules", n)
}

// stillBlocks are the rules of others that block an unblocked value.
func stillBlocks(plan *reconcile.Plan) []string {
	var left []string
	for _, h := range plan.Held.All() {
		left = append(left, fmt.Sprintf("%s (%s, row %s)", h.Label(), h.Reason, h.ID))
	}
	return left
}

// showUnblock says what goes out of force, and what does not.
func (p *program) showUnblock(ctx context.Context, t *target, entry *reconcile.Unblock, plan *reconcile.Plan, doubt string) {
	wider, err := t.hostRules(ctx, entry) // an error comes again at the end, and keeps no rule in force here
	names := t.ownerNames(ctx, plan)
	fmt.Fprintln(p.stdout, render.Escape(entry.Words()))
	for _, ch := range plan.Changes.All() {
		owners := make([]string, len(ch.Owners))
		for j, o := range ch.Owners {
			owners[j] = cmp.Or(o.ID, o.StandardID)
			if name := names[owners[j]]; name != "" {
				owners[j] = `"` + name + `"`
			}
		}
		fmt.Fprintln(p.stdout, render.Escape(fmt.Sprintf("%s %s  %s", ch.Action.Symbol(), ch.Label(), strings.Join(owners, "; "))))
	}
	switch {
	case doubt != "":
		fmt.Fprintln(p.stdout, render.Escape(doubt))
	case plan.Changes.Len()+len(wider) == 0 && err == nil:
		fmt.Fprintln(p.stdout, "No rule of ours blocks it now; until then none will.")
	}
	for _, rule := range wider {
		fmt.Fprintln(p.stdout, render.Escape("? "+rule))
	}
	for _, left := range stillBlocks(plan) {
		fmt.Fprintln(p.stdout, render.Escape("? "+left+": not ours, and left in force"))
	}
}

// ownerNames are the names of the indicators that want rules, by id; none of those that OpenCTI does not give now.
func (t *target) ownerNames(ctx context.Context, plan *reconcile.Plan) map[string]string {
	var ids []string
	for _, ch := range plan.Changes.All() {
		for _, o := range ch.Owners {
			if id := cmp.Or(o.ID, o.StandardID); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	names := map[string]string{}
	if len(ids) == 0 || t.away != nil {
		return names
	}
	answer, err := t.job.Source.Ask(ctx, ids)
	if err != nil {
		return names // that it is blocked counts more than by whom
	}
	for _, f := range answer.Found {
		names[f.Asked] = f.Name
	}
	return names
}

// unblockOf is what a person means: a value in its canonical spelling, or an indicator with what it gives.
func (t *target) unblockOf(ctx context.Context, u *unblocking) (entry reconcile.Unblock, gives []reconcile.Value, err error) {
	now := t.job.Now().Truncate(time.Second)
	entry = reconcile.Unblock{Reason: inUTF8(u.reason), By: inUTF8(cmp.Or(u.by, whoami())), At: now, Until: now.Add(u.span)}
	if id, named := idOf(u.typed); named {
		entry.Value, gives, err = t.indicatorOf(ctx, id)
		return entry, gives, err
	}
	spellings := pattern.Spellings(u.typed)
	if len(spellings) == 0 {
		return entry, nil, exit.Usagef("%q can be no value of a rule", u.typed)
	}
	entry.Value = spellings[0].Value
	if _, err := pattern.Canonical(spellings[0].Type, entry.Value); err != nil {
		return entry, nil, exit.Usagef("%s: %v, and holds what nobody looked at; unblock an address or a narrower network in it, which takes networks that hold it out of force as well", entry.Value, err)
	}
	return entry, nil, nil
}

// inUTF8 is a text of a terminal that may speak Latin-1 as JSON keeps it.
func inUTF8(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// mostRules is how many rules one value may take out of force without a word about their number.
const mostRules = 100

// doubt refuses what is no value of a rule and what takes too many rules out of force, and says of a value that no rule is
// of that it may be a slip; "" is none.
func (t *target) doubt(ctx context.Context, u *unblocking, entry *reconcile.Unblock, plan *reconcile.Plan) (string, error) {
	if n := plan.Changes.Len(); n > mostRules && n != u.acceptRules {
		return "", exit.Usagef("%s takes %d rules out of force, more than %d: nothing was changed; if that is right, pass --accept-rules %d", entry.Value, n, mostRules, n)
	}
	if plan.Changes.Len()+plan.Held.Len() > 0 {
		return "", nil
	}
	near, ruled, err := t.near(ctx, entry.Value)
	if err != nil || ruled {
		return "", exit.Unproven(err)
	}
	meant, asked := "", ""
	if len(near) > 0 {
		words := "id you mean " + strings.Join(near, " or ") + "?"
		meant, asked = "; d"+words, " D"+words
	}
	_, id := idOf(u.typed)
	switch name := strings.Trim(entry.Value, "."); {
	case exclude.PublicSuffix(strings.ToLower(name)):
		return "", exit.Usagef("%s is a public suffix, covers no name below it, and no rule is of it: nothing was changed%s", name, meant)
	case !id && !pattern.Telling(u.typed):
		return "", exit.Usagef("%q is no domain, address, network, URL, hash, path, file name with an extension or id, and no rule is of it: nothing was changed%s", u.typed, meant)
	}
	return fmt.Sprintf("No rule of ours blocks it; is it spelled right?%s Noted all the same, no run will deploy it until %s.", asked, entry.Until.Format(time.RFC3339)), nil
}

// near are the values of rules in force that are spelled most like one, unless ruled says that there are rules of it,
// in force or not.
func (t *target) near(ctx context.Context, value string) (near []string, ruled bool, err error) {
	q, values := questionOf(value), []string{}
	err = t.eachRow(ctx, reconcile.IOC, func(row *reconcile.Row, v reconcile.Value) {
		ruled = ruled || q.match(v) != ""
		if row.Enabled {
			values = append(values, v.Value)
		}
	})
	slices.Sort(values)
	const most = 3
	return help.Near(value, values, most), ruled, err
}

// idOf says whether a text is an id: internal, or of a Sigma rule, as a UUID; or standard.
func idOf(typed string) (id string, named bool) {
	id = strings.ToLower(strings.TrimSpace(typed))
	bare, _ := strings.CutPrefix(id, "indicator--")
	return id, uuid.Validate(bare) == nil && len(bare) == len(uuid.Nil.String())
}

// indicatorOf looks an id up: what is no indicator's internal id may be a Sigma rule's, or that of an indicator that is gone.
func (t *target) indicatorOf(ctx context.Context, id string) (internal string, gives []reconcile.Value, err error) {
	standard := strings.HasPrefix(id, "indicator--")
	if t.away != nil && !standard {
		return id, nil, nil
	}
	answer, err := t.job.Source.Ask(ctx, []string{id})
	if err != nil {
		return "", nil, err
	}
	if len(answer.Found) == 0 && standard {
		return "", nil, exit.Usagef("OpenCTI knows no indicator %s", id)
	}
	if len(answer.Found) == 0 {
		return id, nil, nil
	}
	ind := &answer.Found[0].Indicator
	if ind.Unread != "" {
		t.job.Log.Warn("OpenCTI cannot give the indicator: a rule that does not name it stays in force until its value is unblocked", "indicator", id, "error", ind.Unread)
		return ind.ID, nil, nil
	}
	given := t.job.Meaning(ind)
	return ind.ID, given.Identities(ind), nil
}

// whoami is who runs this command.
func whoami() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// block ends an unblock.
func (p *program) block(ctx context.Context, u *unblocking, t *target) error {
	values := []string{}
	for _, v := range pattern.Spellings(u.typed) {
		values = append(values, v.Value)
	}
	var gives []reconcile.Value
	if id, named := idOf(u.typed); named {
		internal, given, err := t.indicatorOf(ctx, id)
		if err != nil {
			return err
		}
		values, gives = append(values, internal), given
	}
	now := t.job.Now().Truncate(time.Second)
	at := slices.IndexFunc(t.job.Keeper.Unblocked(), func(e reconcile.Unblock) bool { return e.Active(now) && slices.Contains(values, e.Value) })
	if at < 0 {
		return exit.Usagef("%q is not unblocked; unblock --list names what is", u.typed)
	}
	entry := t.job.Keeper.Unblocked()[at]
	fmt.Fprintln(p.stdout, render.Escape(entry.Words()))
	if err := p.approve(ctx, u, "End it now?"); err != nil {
		return err
	}
	err := t.job.Keeper.Insist(ctx, func(d *state.Document) error {
		if _, found := d.Block(entry.Value, now); !found && !ended(d, entry.Value, now) {
			return exit.Usagef("%s is not unblocked any more", entry.Value)
		}
		return nil
	}, func(d *state.Document) bool { return ended(d, entry.Value, now) })
	if err != nil {
		return err
	}
	p.reporter.say(entry.Value + " is not unblocked any more.")
	still, err := t.stillOut(ctx, entry, gives)
	switch {
	case err != nil:
		return fmt.Errorf("%s is not unblocked any more; whether another unblock keeps it out is not known: %w", entry.Value, err)
	case len(still) > 0:
		fmt.Fprintf(p.stdout, "%s: this unblock is over, and others keep it or a part of it out of force.\n", render.Escape(entry.Value))
		for _, words := range still {
			p.say(slog.LevelError, render.Escape("still out of force: "+words))
			p.reporter.say("Still out of force: " + words + ".")
		}
		return exit.With(exit.Partly)
	}
	ask := "plan"
	switch _, named := idOf(entry.Value); {
	case !named:
		ask = "explain --value " + inQuotes(entry.Value)
	case len(gives) > 0:
		ask = "explain --indicator " + entry.Value
	}
	fmt.Fprintf(p.stdout, "%s is not unblocked any more: the next run judges it like any other, and a tail that is at work does so within two minutes. harfangsync %s says what comes of that.\n",
		render.Escape(entry.Value), render.Escape(ask))
	return nil
}

// stillOut says what fell under an unblock that is over, or is given by its indicator, and falls under another one.
func (t *target) stillOut(ctx context.Context, over reconcile.Unblock, gives []reconcile.Value) (words []string, err error) {
	was, seen := t.job.Unblocks([]reconcile.Unblock{over}), map[string]bool{}
	for _, k := range t.job.Policy.Included() {
		holds, out := t.unblocks(k)
		if len(holds) == 0 {
			return nil, nil
		}
		note := func(label string, u *reconcile.Unblock) {
			if u != nil && !seen[u.Value] {
				seen[u.Value] = true
				words = append(words, fmt.Sprintf("%s falls under %s; harfangsync block %s ends that", label, u.Words(), inQuotes(u.Value)))
			}
		}
		for _, v := range slices.Concat(pattern.Spellings(over.Value), gives) {
			note(joined(v.Type, v.Value), out(v))
		}
		if err := t.eachRow(ctx, k, func(row *reconcile.Row, v reconcile.Value) {
			if owners := ownerIDs(row); was(k, v, owners) >= 0 {
				note(joined(row.Type, cmp.Or(row.Value, row.Name)), out(v, owners...))
			}
		}); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// ended says whether nothing keeps a value out of force.
func ended(d *state.Document, value string, now time.Time) bool {
	return !slices.ContainsFunc(d.Unblocked, func(e reconcile.Unblock) bool { return e.Value == value && e.Active(now) })
}
