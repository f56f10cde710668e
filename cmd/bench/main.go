// Command bench measures harfangsync against its budgets: both simulators in a process of their own
// at 20 ms a request, the binary as a user runs it. It prints a table, or writes that of its README, and ends
// non-zero when a budget is exceeded.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
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
	small, short      bool
	rows              []row
	points            map[string]point // of a smaller size, by work
}

func main() {
	small := flag.Bool("small", false, "a hundredth of the sizes, to try the bench itself")
	short := flag.Bool("short", false, "without the first load of a million and the run after it, the rest of their curves begins with rows that are there; and with rates a quarter lower")
	only := flag.String("only", "", "measure this alone: startup, load, curve, ceiling, restart, slow, stream, pull, decision, patterns or hostile")
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
		err = run(ctx, &bench{small: *small, short: *short, points: map[string]point{}}, *only, *page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, only, page string) (err error) {
	if b.dir, err = os.MkdirTemp("", "harfangsync-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	b.binary = filepath.Join(b.dir, "harfangsync")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s", "-o", b.binary, "./cmd/harfangsync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, m := range b.measurements() {
		if only != "" && m.name != only {
			continue
		}
		if err := b.twice(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
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

// measurement is done on a platform with so many indicators, and as many rows if they are held.
type measurement struct {
	name    string
	rules   int
	held    bool
	measure func(ctx context.Context, p *platform, n int) error
}

func (b *bench) measurements() []measurement {
	all := []measurement{{"startup", 0, true, b.startup}, {"load", 5000, false, b.firstLoad}}
	for _, most := range sizes {
		all = append(all, measurement{"curve", most.rules, b.short && most.rules == million, b.curve(most)})
	}
	return append(all, []measurement{
		{"ceiling", 300, false, b.ceiling}, {"restart", 1000, false, b.restart}, {"slow", 100_000, true, b.slowPages}, {"stream", 5000, true, b.stream},
		{"pull", 5000, true, b.pull}, {"decision", 0, false, b.decision}, {"patterns", 0, false, b.patterns}, {"hostile", 0, false, b.hostile},
	}...)
}

// twice measures, and once more what is over: other work on the machine may have been in the way.
func (b *bench) twice(ctx context.Context, m measurement) error {
	rows, points := slices.Clone(b.rows), maps.Clone(b.points)
	err := b.on(ctx, b.size(m.rules), m.held, m.measure)
	if err != nil || len(over(b.rows)) == len(over(rows)) {
		return err
	}
	fmt.Fprintf(os.Stderr, "over budget, measured once more: %s\n", strings.Join(over(b.rows), "; "))
	b.rows, b.points = rows, points
	return b.on(ctx, b.size(m.rules), m.held, m.measure)
}

// over is the work that took more than it may.
func over(rows []row) []string {
	var list []string
	for _, r := range rows {
		if r.over {
			list = append(list, r.work)
		}
	}
	return list
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

// add puts a row behind those of the same work, so that its growth is seen.
func (b *bench) add(work, budget, measured string, ok bool) {
	same, _, _ := strings.Cut(work, ",")
	at := len(b.rows)
	for i, r := range b.rows {
		if strings.HasPrefix(r.work, same+",") {
			at = i + 1
		}
	}
	b.rows = slices.Insert(b.rows, at, row{work, budget, measured, !ok})
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
	for _, r := range b.rows {
		fmt.Println(r)
	}
	if over := over(b.rows); len(over) > 0 {
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
