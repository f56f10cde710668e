package main

import (
	"cmp"
	"log/slog"
	"strings"

	"harfangsync/cmd/harfangsync/exit"
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
		p.log = slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: l, ReplaceAttr: withoutDate}))
	case "json":
		p.log = slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: l}))
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
