package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// tuneMemory lets some MB gather before the first collection, as most commands end before it; each of the
// many of a small heap takes a millisecond. From then on it trades a little CPU for a smaller heap: a plan
// of a million rules holds its digests for the whole run, and the collector would otherwise let as much
// garbage gather beside them.
func tuneMemory() {
	const first, percent = 400, 40 // of 4 MB, and of what is in use
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(first)
		runtime.AddCleanup(new(*int), func(percent int) { debug.SetGCPercent(percent) }, percent)
	}
}

// untilSignal is done at the first SIGINT, SIGTERM or, except under nohup, SIGHUP. A second SIGINT or SIGTERM kills as
// usual; a closed terminal may send several SIGHUP. That nobody reads the output is an error of writing it, no signal.
func (p *program) untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan os.Signal, 1)
	signal.Ignore(syscall.SIGPIPE)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(ch, syscall.SIGHUP)
	}
	go func() {
		defer crash.Exit()
		select {
		case s := <-ch:
			if n, ok := s.(syscall.Signal); ok {
				p.signalled.Store(int32(n))
			}
			if !p.serving.Load() {
				p.log.Warn("interrupted: finishing what is in flight; a second signal ends at once")
			}
			signal.Ignore(syscall.SIGHUP)
			signal.Stop(ch)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(ch); cancel() }
}

// within does work within sync.deadline; 0 is none.
func within(ctx context.Context, limit time.Duration, work func(context.Context) error) error {
	if limit == 0 {
		return work(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, run.ErrDeadline)
	defer cancel()
	err := work(ctx)
	if errors.Is(context.Cause(ctx), run.ErrDeadline) && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w (sync.deadline, %s): %w", run.ErrDeadline, limit, err)
	}
	return err
}
