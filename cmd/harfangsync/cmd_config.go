package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
)

func (p *program) configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "check, print or describe the settings",
		Subcommands: []*cli.Command{
			{
				Name: "validate", Usage: "report all problems at once", Flags: p.settingFlags(),
				Action: func(*cli.Context) error {
					if _, err := p.load(config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance); err != nil {
						return err
					}
					_, err := fmt.Fprintln(p.stdout, "The settings are valid.")
					return err
				},
			},
			{
				Name: "print", Usage: "print the effective settings with their origin, secrets masked", Flags: p.settingFlags(),
				Action: func(*cli.Context) error {
					cfg, err := p.load()
					if err != nil {
						return err
					}
					return config.Print(p.stdout, cfg)
				},
			},
			{
				Name: "schema", Usage: "print the JSON Schema of config.yml",
				Action: func(*cli.Context) error {
					_, err := p.stdout.Write(config.Schema())
					return err
				},
			},
		},
	}
}
