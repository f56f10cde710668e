package main

import (
	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/doctor"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

func (p *program) doctorCommand() *cli.Command {
	var asJSON bool
	purpose := doctor.ForRun
	return &cli.Command{
		Name:  "doctor",
		Usage: "try what a command needs and name each remedy; writes nothing",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "for", Value: purpose, Usage: "the `COMMAND` to come: plan, run, tail or pull", Destination: &purpose},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object", Destination: &asJSON},
		}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			needs := []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}
			switch purpose {
			case doctor.ForPlan, doctor.ForRun, doctor.ForTail:
			case doctor.ForPull:
				needs = append(needs, config.NeedImports)
			default:
				return exit.Usagef("--for %q: want plan, run, tail or pull", purpose)
			}
			cfg, problems := config.Inspect(p.sources(needs...))
			if err := p.setLog(cfg.Connector.LogLevel); err != nil {
				return err
			}
			d := doctor.New(doctor.Options{Config: cfg, Problems: problems, Log: p.log, For: purpose, Version: version(), RetryWait: p.retryWait})
			if err := d.Examine(c.Context); err != nil {
				return err
			}
			if err := d.Print(p.screen(asJSON), p.color(p.stdout), asJSON); err != nil {
				return err
			}
			return exit.With(d.Code())
		},
	}
}
