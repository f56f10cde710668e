package pull

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// await waits until a work that was handed over at some time is complete and what must be there is there.
// A work on which nothing moves for long stays pending. One that is old already gets a short look: were
// it given the whole of that again, runs with a deadline would never get past a bundle that was lost.
func (p *pull) await(ctx context.Context, since time.Time, work string, must []due) error {
	const first, most, look = 100 * time.Millisecond, 10 * time.Second, time.Minute
	now := p.Clock()
	deadline, before := since.Add(p.patience), -1
	if soon := now.Add(min(look, p.patience)); deadline.Before(soon) {
		deadline = soon
	}
	for delay := first; ; delay = min(delay*3/2, most) {
		seen := before >= 0
		done, moved, err := p.look(ctx, work, must, &before)
		if err != nil || done {
			return err
		}
		if moved && seen {
			deadline = p.Clock().Add(p.patience)
		}
		if p.Clock().After(deadline) {
			return ErrPending
		}
		if err := p.Wait(ctx, delay); err != nil {
			return fmt.Errorf("%w (%w)", ErrPending, err)
		}
	}
}

// withdraw takes back a bundle of which nothing was counted for a while, of a run that ended before it was seen to be
// handed over: a work does not tell one that never was from one that waits in a long queue. Once it can no longer
// come in, it is sent again; the *importError says so.
func (p *pull) withdraw(ctx context.Context, pending *state.Pending) error {
	const grace, every = 10 * time.Second, time.Second
	for pending.Work != "" && !pending.Handed {
		w, err := p.Knowledge.Work(ctx, pending.Work)
		if err != nil || w == nil || w.Complete || w.Expected+w.Processed+len(w.Errors) > 0 {
			return p.interrupted(ctx, err)
		}
		left := pending.At.Add(min(grace, p.patience)).Sub(p.Clock())
		if left <= 0 {
			gone, err := p.Knowledge.Withdraw(ctx, pending.Work)
			if err == nil && gone {
				err = &importError{"OpenCTI had taken up nothing of it, and does not any more"}
			}
			return p.interrupted(ctx, err)
		}
		if err := p.Wait(ctx, min(left, every)); err != nil {
			return fmt.Errorf("%w (%w)", ErrPending, err)
		}
	}
	return nil
}

// look says whether a work is through, or at least moved.
func (p *pull) look(ctx context.Context, work string, must []due, before *int) (done, moved bool, err error) {
	if work == "" {
		missing, err := p.missing(ctx, must, true)
		moved = len(missing) != *before
		*before = len(missing)
		return err == nil && len(missing) == 0, moved, p.unknown(ctx, err)
	}
	w, err := p.Knowledge.Work(ctx, work)
	if err != nil {
		return false, false, p.interrupted(ctx, err)
	}
	if w == nil {
		return false, false, &importError{"OpenCTI deleted the work before it was complete"}
	}
	if !w.Complete {
		moved = w.Processed != *before
		*before = w.Processed
		return false, moved, nil
	}
	if len(w.Errors) > 0 {
		return false, false, &importError{wordsOf(w.Errors)}
	}
	missing, err := p.missing(ctx, must, false)
	switch {
	case err != nil:
		return false, false, p.unknown(ctx, err)
	case len(missing) > 0 && w.Processed > 0:
		return false, false, &importError{fmt.Sprintf("OpenCTI reports success, but %d of %d objects are not there, such as %s", len(missing), len(must), missing[0])}
	}
	return len(missing) == 0, false, nil
}

// unknown takes a bundle for not imported whose objects cannot be looked up, while other things can: each alert of it
// goes alone then.
func (p *pull) unknown(ctx context.Context, err error) error {
	if err != nil && p.alone(ctx, settling, err) {
		return &importError{err.Error()}
	}
	return p.interrupted(ctx, err)
}

// interrupted keeps a bundle pending whose fate cannot be asked for now.
func (p *pull) interrupted(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrPending) {
		return err
	}
	if ctx.Err() != nil || reconcile.FaultOf(err).Side {
		return fmt.Errorf("%w (%w)", ErrPending, err)
	}
	return err
}

func wordsOf(errs []WorkError) string {
	const most = 3
	var words []string
	for _, e := range errs {
		if w := strings.TrimSpace(e.Message); !slices.Contains(words, w) && len(words) < most {
			words = append(words, w)
		}
	}
	return fmt.Sprintf("OpenCTI reports %s: %s", reconcile.Count(len(errs), "error"), strings.Join(words, "; "))
}

// missing are those of some objects that OpenCTI does not have; exact takes those for missing too that
// show another status, where no work tells whether a change came in.
func (p *pull) missing(ctx context.Context, must []due, exact bool) ([]string, error) {
	ids := map[string][]string{}
	for _, d := range must {
		kind, _, _ := strings.Cut(d.id, "--")
		ids[kind] = append(ids[kind], d.id)
	}
	found := map[string]*Stored{}
	for kind, ask := range map[string]func(context.Context, []string) ([]Stored, error){"incident": p.Knowledge.Incidents, "case-incident": p.Knowledge.Cases, "note": p.Knowledge.Notes} {
		more, err := there(ctx, ask, ids[kind])
		if err != nil {
			return nil, err
		}
		maps.Copy(found, more)
	}
	var missing []string
	p.stripped = nil
	for _, d := range must {
		have := found[d.id]
		if have != nil && p.bare(&have.Whose) {
			p.stripped = append(p.stripped, d.id)
		}
		if have == nil {
			missing = append(missing, d.id)
		} else if facts, _ := p.Importer.Read(have.Description); exact && d.status != "" && facts.Status != d.status {
			missing = append(missing, d.id)
		}
	}
	return missing, nil
}
