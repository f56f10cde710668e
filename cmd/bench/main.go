// Command bench measures harfangsync against its budgets: both simulators in a process of their own
// at 20 ms a request, the binary as a user runs it. It prints a table, or writes that of its README, and ends
// non-zero when a budget is exceeded.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	work, budget, measured string
	over                   bool
}

type bench struct {
	dir, binary, self string
	small             bool
	rows              []row
	costs             map[string]cost // of a smaller size, by work
}

func main() {
	small := flag.Bool("small", false, "a hundredth of the sizes, to try the bench itself")
	only := flag.String("only", "", "measure this alone: startup, load, curve, ceiling, plan, million, stream, pull, decision or patterns")
	folder := flag.String("generate", "", "write sample data to this folder and do nothing else: what the bench asks itself to do, so that its own memory stays small")
	n, held := flag.Int("n", 0, "with -generate: so many indicators"), flag.Bool("held", false, "with -generate: and rows that equal them")
	page := flag.String("page", "", "write the measurements into the table of this file: those that it has in their place, others below")
	drop := flag.Bool("discard", false, "read both sides of the environment, drop what comes and do nothing else: what a plan is held against")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *folder != "":
		err = generate(filepath.Join(*folder, indicatorsFile), filepath.Join(*folder, rulesFile), *n, *held)
	case *drop:
		err = discard(ctx)
	default:
		err = run(ctx, *small, *only, *page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, small bool, only, page string) error {
	dir, err := os.MkdirTemp("", "harfangsync-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{dir: dir, binary: filepath.Join(dir, "harfangsync"), self: self, small: small, costs: map[string]cost{}}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s", "-o", b.binary, "./cmd/harfangsync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, m := range []struct {
		name    string
		n       int // indicators on the platform
		held    bool
		measure func(ctx context.Context, p *platform, n int) error
	}{
		{"startup", 0, true, b.startup}, {"load", 5000, false, b.firstLoad}, {"curve", 10_000, false, b.curve}, {"curve", 100_000, false, b.curve}, {"ceiling", 300, false, b.ceiling}, {"plan", 100_000, true, b.plan100k}, {"million", 1_000_000, true, b.plan1M},
		{"stream", 5000, true, b.stream}, {"pull", 5000, true, b.pull}, {"decision", 0, false, b.decision}, {"patterns", 0, false, b.patterns},
	} {
		if only != "" && m.name != only {
			continue
		}
		if err := b.on(ctx, b.size(m.n), m.held, m.measure); err != nil {
			return err
		}
	}
	if len(b.rows) == 0 {
		return fmt.Errorf("-only %s: there is no such measurement", only)
	}
	if page != "" {
		if err := b.write(page); err != nil {
			return err
		}
	}
	return b.print()
}

// on measures on a platform of its own.
func (b *bench) on(ctx context.Context, n int, held bool, measure func(context.Context, *platform, int) error) error {
	p, err := b.serve(ctx, n, held)
	if err != nil {
		return err
	}
	defer p.stop()
	return measure(ctx, p, n)
}

// size is n, or a hundredth of it for a trial of the bench itself.
func (b *bench) size(n int) int {
	if b.small {
		return n / 100
	}
	return n
}

func (b *bench) add(work, budget, measured string, ok bool) {
	b.rows = append(b.rows, row{work, budget, measured, !ok})
	fmt.Fprintf(os.Stderr, "%-60s %s\n", work, measured)
}

// String is the row as Markdown.
func (r row) String() string {
	note := ""
	if r.over {
		note = " **over**"
	}
	return fmt.Sprintf("| %s | %s | %s%s |", r.work, r.budget, r.measured, note)
}

func (b *bench) print() error {
	fmt.Printf("Measured on %d cores (%s/%s, %s), simulators on the same machine, 20 ms a request.\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Println("| work | budget | measured |")
	fmt.Println("| --- | --- | --- |")
	over := []string{}
	for _, r := range b.rows {
		if r.over {
			over = append(over, r.work)
		}
		fmt.Println(r)
	}
	if len(over) > 0 {
		return fmt.Errorf("over budget: %s", strings.Join(over, "; "))
	}
	return nil
}

// write puts the rows into the table at the end of a page: each in the place of the one for the same work, new ones last.
func (b *bench) write(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for _, r := range b.rows {
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "| "+r.work+" |") })
		if at < 0 {
			lines = append(lines, r.String())
		} else {
			lines[at] = r.String()
		}
	}
	return os.WriteFile(page, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
