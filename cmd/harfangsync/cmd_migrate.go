package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/migrate"
)

func (p *program) migrateCommand() *cli.Command {
	var out string
	var force bool
	var services cli.StringSlice
	return &cli.Command{
		Name:      "migrate",
		Usage:     "turn an old connector's files into settings and a checklist",
		ArgsUsage: "FILE...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "the `DIR` to write into", Destination: &out},
			&cli.StringSliceFlag{Name: "service", Usage: "of compose files, take this service alone (repeatable)", Destination: &services},
			&cli.BoolFlag{Name: "force", Usage: "replace what is there of the files that it writes", Destination: &force},
		},
		Action: func(c *cli.Context) error {
			switch {
			case c.NArg() == 0:
				return exit.Usagef("migrate needs an old connector's docker-compose.yml, env file or config.yml")
			case out == "":
				return exit.Usagef("migrate needs --out, the directory to write into")
			}
			res, err := migrate.Read(migrate.Options{Files: c.Args().Slice(), Services: services.Value(), Env: p.env, Now: time.Now()})
			if err != nil {
				return exit.Usagef("%v", err)
			}
			return p.writeMigration(res, out, force)
		},
	}
}

// writeMigration writes what old connectors become, and says what that is.
func (p *program) writeMigration(res *migrate.Result, out string, force bool) error {
	names, lacking, err := res.Write(out, force)
	if err != nil {
		return exit.Usagef("%v", err)
	}
	p.stdout.works()
	say := func(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }
	say("Taken over: %s.", res.Names())
	if len(res.Ignored) > 0 {
		say("Left alone, no connector of HarfangLab's: %s.", strings.Join(res.Ignored, ", "))
	}
	say("Written to %s: %s.", out, strings.Join(names, ", "))
	for _, note := range res.Notes {
		say("  note: %s", note)
	}
	open := append(res.Open, lacking...)
	for _, o := range open {
		say("  to decide: %s", o)
	}
	say("%s has the steps. The first:\n\n  set -a; . %s; set +a\n  harfangsync doctor", filepath.Join(out, migrate.Checklist), filepath.Join(out, migrate.Env))
	if len(open) > 0 {
		return exit.With(exit.Usage)
	}
	return nil
}
