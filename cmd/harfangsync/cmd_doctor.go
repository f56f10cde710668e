package main

import (
	"net"
	"time"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/config"
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
			if err := p.setLog(cfg.Connector.LogLevel, ""); err != nil {
				return err
			}
			d := &doctor{cfg: cfg, problems: problems, log: p.log, version: version(), retryWait: p.retryWait, lookup: net.DefaultResolver.LookupHost, now: time.Now}
			if err := d.examine(c.Context); err != nil {
				return err
			}
			if err := d.print(p.stdout, p.color(p.stdout), asJSON); err != nil {
				return err
			}
			return exit.With(d.code())
		},
	}
}
