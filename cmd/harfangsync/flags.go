package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
)

func (p *program) globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "settings `FILE` (default: $HARFANGSYNC_CONFIG, then config.yml if present)", Destination: &p.configPath},
		&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error", Destination: &p.logLevel},
		&cli.StringFlag{Name: "log-format", Usage: "text or json", Destination: &p.logForm},
		&cli.BoolFlag{Name: "quiet", Usage: "no log lines but errors, no progress", Destination: &p.quiet},
		&cli.BoolFlag{Name: "no-color", Usage: "no colours (also: NO_COLOR)", Destination: &p.noColor},
		helpFlag(),
		&cli.BoolFlag{Name: "help-all", Usage: "show help with every flag and exit code", Destination: &p.helpAll, DisableDefaultText: true},
	}
}

func (p *program) printHelp(text string) error {
	_, err := io.WriteString(p.stdout, text)
	return err
}

// helpFlag is a flag for each command; the library's own is a variable that all programs of a process
// would share.
func helpFlag() cli.Flag {
	return &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help", DisableDefaultText: true}
}

// settingFlags are the flags that stand for settings. What the user gives goes into p.flags.
func (p *program) settingFlags() []cli.Flag {
	var flags []cli.Flag
	for _, f := range config.Flags() {
		flags = append(flags, &cli.GenericFlag{Name: f.Name, Usage: f.Usage, Category: "settings", Value: &settingFlag{p, f.Setting, f.Bool}})
	}
	return flags
}

// settingFlag hands a flag's text to config, which knows how to read it.
type settingFlag struct {
	p       *program
	setting string
	bool    bool
}

func (f *settingFlag) Set(v string) error { f.p.flags[f.setting] = v; return nil }

func (f *settingFlag) String() string { return "" }

func (f *settingFlag) IsBoolFlag() bool { return f.bool }
