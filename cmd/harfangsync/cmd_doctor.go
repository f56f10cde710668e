package main

import (
	"github.com/urfave/cli/v2"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/doctor"
	"harfangsync/cmd/harfangsync/exit"
)

func (p *program) doctorCommand() *cli.Command {
	var asJSON bool
	return &cli.Command{
		Name:  "doctor",
		Usage: "try everything that a run needs, and name the remedy of each failure; writes nothing",
		Flags: append([]cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one JSON object", Destination: &asJSON}}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			cfg, problems := config.Inspect(p.sources(config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance))
			if err := p.setLog(cfg.Connector.LogLevel); err != nil {
				return err
			}
			d := doctor.New(doctor.Options{Config: cfg, Problems: problems, Log: p.log, Version: version(), RetryWait: p.retryWait})
			if err := d.Examine(c.Context); err != nil {
				return err
			}
			if err := d.Print(p.stdout, p.color(p.stdout), asJSON); err != nil {
				return err
			}
			return exit.With(d.Code())
		},
	}
}
