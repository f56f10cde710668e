package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/harfangsync/harfangsync/reconcile/run"
)

// bars shows a run's progress on a terminal. Two reads may go on at once, so readings share a line.
type bars struct {
	p  *program
	mu sync.Mutex

	read    map[string]int
	order   []string
	reading *progressbar.ProgressBar
	writing *progressbar.ProgressBar
}

// progress is nil unless a person is watching.
func (p *program) progress() run.Progress {
	if p.quiet || p.records != nil || !terminal(p.stderr) {
		return nil
	}
	return &bars{p: p, read: map[string]int{}}
}

func (b *bars) Reading(what string, done int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reading == nil {
		b.reading = b.bar(-1)
	}
	if _, known := b.read[what]; !known {
		b.order = append(b.order, what)
	}
	b.read[what] = done
	line := "reading"
	for _, w := range b.order {
		line += fmt.Sprintf("  %d %s", b.read[w], w)
	}
	b.reading.Describe(line)
	_ = b.reading.Add(1)
}

func (b *bars) Writing(done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writing == nil {
		b.writing = b.bar(total)
		b.writing.Describe("writing")
	}
	_ = b.writing.Set(done)
}

func (b *bars) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bar := range []*progressbar.ProgressBar{b.reading, b.writing} {
		if bar != nil {
			_ = bar.Clear()
		}
	}
	b.reading, b.writing = nil, nil
}

// bar draws only when it is told something: a bar that turns by itself would draw over what is printed
// next.
func (b *bars) bar(total int) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(b.p.stderr), progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(24), progressbar.OptionSetPredictTime(total > 0), progressbar.OptionSetSpinnerChangeInterval(0),
	}
	if total > 0 {
		options = append(options, progressbar.OptionShowCount())
	}
	return progressbar.NewOptions(total, options...)
}

// read says that the reading part of a run is over.
func (t *target) read() {
	if t.job.Progress != nil {
		t.job.Progress.Done()
	}
}
