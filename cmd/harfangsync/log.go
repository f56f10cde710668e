package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"log/slog"
	"strings"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// setLog makes the logger: to stderr, at the level of the flag or else of the settings.
func (p *program) setLog(level string) error {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "warning": slog.LevelWarn, "error": slog.LevelError}
	l, known := levels[strings.ToLower(cmp.Or(p.logLevel, level, "info"))]
	if !known {
		return exit.Usagef("--log-level %q: want debug, info, warn or error", p.logLevel)
	}
	if p.quiet {
		l = slog.LevelError
	}
	switch cmp.Or(p.logForm, "text") {
	case "text":
		p.log, p.records = slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: l, ReplaceAttr: withoutDate})), nil
	case "json":
		p.log = slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: l}))
		p.records = slog.New(slog.NewJSONHandler(p.stderr, nil))
	default:
		return exit.Usagef("--log-format %q: want text or json", p.logForm)
	}
	return nil
}

// withoutDate keeps log lines for people short; a log collector uses the JSON form.
func withoutDate(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.String(slog.TimeKey, a.Value.Time().UTC().Format("15:04:05Z"))
	}
	return a
}

// say prints a line for a person on stderr, at any log level; under --log-format json it is a record, with attributes
// that the line names in words.
func (p *program) say(level slog.Level, line string, attributes ...any) {
	line = render.EscapeLines(line)
	if p.records == nil {
		for row := range strings.SplitSeq(line, "\n") {
			fmt.Fprintln(p.stderr, render.Fit(row, p.look(p.stderr).Width))
		}
		return
	}
	p.records.Log(context.Background(), level, line, attributes...)
}

// complain prints an error, which may be several problems, one a line, unless the output has said everything, or nobody
// reads it.
func (p *program) complain(err error) {
	if !exit.Unsaid(err) || unread(err) {
		return
	}
	if p.records == nil {
		p.say(slog.LevelError, "harfangsync: "+err.Error())
		if p.code(err) == exit.Unexpected {
			p.say(slog.LevelError, "harfangsync: nothing is claimed about what was done; "+exit.Remedy(exit.Unexpected))
		}
		return
	}
	for _, problem := range exit.Problems(err) {
		side, request, remedy := exit.About(problem)
		attributes := []any{"code", p.code(err)}
		for _, a := range []slog.Attr{slog.String("side", side), slog.String("request", request), slog.String("remedy", cmp.Or(remedy, exit.Remedy(p.code(err))))} {
			if a.Value.String() != "" {
				attributes = append(attributes, a)
			}
		}
		p.say(slog.LevelError, problem.Error(), attributes...)
	}
}

// tellOthersToo lets a panic, and what libraries print by themselves, appear in the form of the log.
func (p *program) tellOthersToo() {
	told := crash.Tell
	crash.Tell = func(panicked any, stack []byte) {
		if p.records == nil {
			told(panicked, stack)
			return
		}
		p.say(slog.LevelError, fmt.Sprintf("panic: %v", panicked), "code", exit.Unexpected, "remedy", exit.Remedy(exit.Unexpected), "stack", string(stack))
	}
	log.SetFlags(0)
	log.SetOutput(printed(func(line string) { p.log.Warn(line) }))
}

// printed is a writer of lines.
type printed func(line string)

func (f printed) Write(b []byte) (int, error) {
	f(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
