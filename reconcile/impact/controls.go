package impact

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Controls are what was proven of a manager's telemetry, and is believed for a day.
type Controls struct {
	At      time.Time        `json:"at"`
	Days    int              `json:"days"` // that History is about
	Streams [streams]Control `json:"streams"`
}

// Control is what was proven of a stream.
type Control struct {
	Sent     bool           `json:"sent,omitempty"`     // it has new rows
	History  bool           `json:"history,omitempty"`  // and some that are as old as is looked back
	Negation bool           `json:"negation,omitempty"` // rows of an endpoint can be left out
	Filters  [Fields]Filter `json:"filters"`
}

// Filter is what was proven of a filter.
type Filter struct {
	Works bool `json:"works,omitempty"` // it finds what is there, and nothing else
	Cased bool `json:"cased,omitempty"` // in the very spelling alone
	Lists bool `json:"lists,omitempty"` // commas part several values
}

// at is what still holds.
func (c Controls) at(now time.Time, days int) Controls {
	if age := now.Sub(c.At); age < 0 || age > believed || c.Days != days {
		return Controls{At: now.Truncate(time.Second), Days: days}
	}
	return c
}

// failing is why a place cannot be asked.
type failing struct {
	status reconcile.ImpactStatus
	why    string
}

// streamCheck is what this plan found out about a stream.
type streamCheck struct {
	asked   bool
	failing *failing
	rows    []Row
	since   time.Time // of the rows
	filters [Fields]*failing
}

// check runs the controls of a place that were not run (contract harfanglab-telemetry 6). It says why the place tells
// nothing, nil where it does.
func (a *asking) check(ctx context.Context, p place) (*failing, error) {
	s, c := &a.checked[p.Stream], &a.controls.Streams[p.Stream]
	if c.Filters[p.Field].Works {
		return nil, nil
	}
	if !s.asked {
		bad, err := a.checkStream(ctx, p.Stream)
		if err != nil {
			return nil, err
		}
		s.asked, s.failing = true, bad
	}
	if s.failing != nil {
		return s.failing, nil
	}
	if s.filters[p.Field] == nil {
		bad, err := a.checkFilter(ctx, p)
		if err != nil {
			return nil, err
		}
		s.filters[p.Field] = bad
	}
	return s.filters[p.Field], nil
}

// fails is what an error of a control means; an error that ends the asking stays one.
func (a *asking) fails(ctx context.Context, err error) (*failing, error) {
	if errors.Is(err, errOver) || ctx.Err() != nil {
		return nil, err
	}
	u := unanswered(err)
	return &failing{u.status, u.why}, nil
}

const sampleRows = 20

// checkStream asks for the newest rows, for some that cannot be, for old ones, and for those of others than one
// endpoint.
func (a *asking) checkStream(ctx context.Context, stream Stream) (*failing, error) {
	s, c := &a.checked[stream], &a.controls.Streams[stream]
	s.since = a.now.AddDate(0, 0, -1).Truncate(time.Second)
	page, err := a.rows(ctx, Query{Stream: stream, Since: s.since, Limit: sampleRows})
	if err == nil && len(page.Rows) == 0 && stream == Drivers { // few machines load one every day
		s.since = a.since
		page, err = a.rows(ctx, Query{Stream: stream, Since: s.since, Limit: sampleRows})
	}
	if err != nil {
		return a.fails(ctx, err)
	}
	if len(page.Rows) == 0 {
		return &failing{reconcile.ImpactUnknown, fmt.Sprintf("endpoints send no %s", stream)}, nil
	}
	s.rows = page.Rows
	ahead := a.now.AddDate(0, 0, 1).Truncate(time.Second)
	none, err := a.rows(ctx, Query{Stream: stream, Since: ahead, Limit: 1})
	switch {
	case err != nil:
		return a.fails(ctx, err)
	case slices.ContainsFunc(none.Rows, func(r Row) bool { return r.At.Before(ahead) }):
		return &failing{reconcile.ImpactUnsupported, fmt.Sprintf("this manager ignores the time of %s", stream)}, nil
	}
	old, err := a.rows(ctx, Query{Stream: stream, Until: a.since, Limit: 1})
	if err != nil {
		return a.fails(ctx, err)
	}
	c.Sent, c.History = true, old.Count > 0 && len(old.Rows) > 0 && !old.Rows[0].At.After(a.since)
	first := page.Rows[0].Agent
	for _, r := range page.Rows {
		if first == "" || r.Agent == first {
			continue
		}
		others, err := a.rows(ctx, Query{Stream: stream, Since: s.since, Except: []string{uuid.NewString(), first}, Limit: sampleRows})
		if errors.Is(err, errOver) || ctx.Err() != nil {
			return nil, err
		}
		c.Negation = err == nil && len(others.Rows) > 0
		for _, o := range others.Rows {
			c.Negation = c.Negation && o.Agent != first
		}
		break
	}
	return nil, nil
}

// checkFilter asks for a value that is there, in other letters where case should make no difference, for one that is
// not, and for both.
func (a *asking) checkFilter(ctx context.Context, p place) (*failing, error) {
	s := &a.checked[p.Stream]
	value := ""
	for i := range s.rows {
		if v := s.rows[i].Values[p.Field]; v != "" && !strings.Contains(v, ",") && len(v) < 300 {
			value = v
			break
		}
	}
	if value == "" {
		return &failing{reconcile.ImpactUnknown, fmt.Sprintf("the filter of the %s cannot be proven: no row shows such a value", p.Stream)}, nil
	}
	finds := func(values ...string) (bool, error) {
		page, err := a.rows(ctx, Query{Stream: p.Stream, Field: p.Field, Values: values, Since: s.since, Limit: 1})
		return err == nil && page.Count > 0 && len(page.Rows) > 0, err
	}
	f := Filter{}
	asked := p.folded(value)
	found, err := finds(asked)
	if err == nil && !found && asked != value {
		f.Cased, asked = true, value
		found, err = finds(asked)
	}
	if reconcile.FaultOf(err).Verdict {
		return &failing{reconcile.ImpactUnsupported, "this manager does not take the filter: " + words(err)}, nil
	}
	if err != nil {
		return a.fails(ctx, err)
	}
	if !found {
		return &failing{reconcile.ImpactUnsupported, fmt.Sprintf("the filter of the %s does not find what is there", p.Stream)}, nil
	}
	ignored, err := finds(p.random())
	if err != nil {
		return a.fails(ctx, err)
	}
	if ignored {
		return &failing{reconcile.ImpactUnsupported, fmt.Sprintf("this manager ignores the filter of the %s", p.Stream)}, nil
	}
	if f.Lists, err = finds(p.random(), asked, p.random()); errors.Is(err, errOver) || ctx.Err() != nil {
		return nil, err
	}
	f.Works = true
	a.controls.Streams[p.Stream].Filters[p.Field] = f
	return nil, nil
}

// folded is a value as it would be asked for, or where case makes no difference in other letters.
func (p place) folded(value string) string {
	switch p.Field {
	case Source, Target:
		if addr, err := netip.ParseAddr(value); err == nil {
			return addr.Unmap().String()
		}
	case MD5, SHA1, SHA256:
		return strings.ToLower(value)
	case Name, Path:
		if p.Stream == Resolutions {
			value = strings.TrimSuffix(value, ".")
		}
		return strings.Map(func(r rune) rune {
			if up := unicode.ToUpper(r); up != r {
				return up
			}
			return unicode.ToLower(r)
		}, value)
	}
	return value
}

// random is a value that no row has.
func (p place) random() string {
	n := rand.Uint64()
	switch p.Field {
	case MD5:
		return fmt.Sprintf("%032x", n)
	case SHA1:
		return fmt.Sprintf("%040x", n)
	case SHA256:
		return fmt.Sprintf("%064x", n)
	case Source, Target: // reserved for ever
		return fmt.Sprintf("%d.%d.%d.%d", 240+n%15, byte(n>>8), byte(n>>16), 1+byte(n>>24)%250)
	}
	return fmt.Sprintf("control-%016x.invalid", n)
}

// lacks is what a number from a place leaves out.
func (a *asking) lacks(p place) string {
	c, f := &a.controls.Streams[p.Stream], a.fleet
	var out []string
	switch whole := f.whole[p.Stream]; {
	case f.policies == 0:
		out = append(out, "which endpoints send their telemetry is not known")
	case whole < f.policies:
		out = append(out, fmt.Sprintf("%d of %d policies send all %s", whole, f.policies, p.Stream))
	}
	if !c.History {
		out = append(out, fmt.Sprintf("the history is shorter than %d days", a.o.Days))
	}
	if c.Filters[p.Field].Cased {
		out = append(out, "other spellings, in capital letters or with a dot at the end, are not counted")
	}
	return join(out...)
}
