package main

import (
	"context"
	"embed"
	"fmt"

	"github.com/urfave/cli/v2"

	"harfangsync/sinks/hlsim"
	"harfangsync/sources/octisim"
)

//go:embed samples
var samples embed.FS

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "the whole job against built-in simulators; needs no settings and no network",
		Action: func(c *cli.Context) error {
			s, err := startSimulators(&simOptions{octiAddr: "127.0.0.1:0", hlAddr: "127.0.0.1:0"})
			if err != nil {
				return err
			}
			defer s.close()
			d := demo{p: p, sims: s}
			return d.play(c.Context)
		},
	}
}

// demo plays the job's story: a first load, a change on each side, and what the next plan makes of it.
type demo struct {
	p    *program
	sims *simulators
}

func (d *demo) play(ctx context.Context) error {
	if err := d.prepare(); err != nil {
		return err
	}
	steps := []struct {
		title string
		act   func() error
		args  []string
	}{
		{"The first plan: what HarfangLab would get from OpenCTI. Nothing is written.", nil, []string{"plan"}},
		{"Apply it.", nil, []string{"apply", "--auto-approve"}},
		{"A change on each side, then the next plan with its reasons:\n" +
			"  OpenCTI     a new indicator, one revoked, one of two owners of a domain deleted\n" +
			"  HarfangLab  somebody edited a rule, somebody else disabled one", d.change, []string{"plan"}},
		{"Apply that as well.", nil, []string{"run"}},
		{"And once more: nothing is left to do.", nil, []string{"plan"}},
		{"Why is half of an AND not blocked?", nil, []string{"explain", "--pattern", "[ipv4-addr:value = '198.51.100.77' AND network-traffic:dst_port = 4444]"}},
	}
	for i, s := range steps {
		fmt.Fprintf(d.p.stdout, "\n=== %d. %s\n\n", i+1, s.title)
		if s.act != nil {
			if err := s.act(); err != nil {
				return err
			}
		}
		fmt.Fprintf(d.p.stdout, "$ harfangsync %s\n", printable(s.args))
		args := append([]string{"harfangsync"}, s.args...)
		if err := d.command(ctx, args); err != nil {
			return fmt.Errorf("demo step %d: %w", i+1, err)
		}
	}
	fmt.Fprintf(d.p.stdout, "\nThat was the whole job. `harfangsync simulate --env FILE` serves the same platforms to try things by hand.\n")
	return nil
}

// command runs one command line with the simulators' settings.
func (d *demo) command(ctx context.Context, args []string) error {
	q := newProgram(d.p.stdin, d.p.stdout, d.p.stderr, d.sims.env())
	q.noColor, q.noConfig = d.p.noColor, true
	return q.app().RunContext(ctx, append(args[:2:2], append([]string{"--log-level", "warn"}, args[2:]...)...))
}

// prepare gives HarfangLab a past: a rule of the old connector and one made by a person.
func (d *demo) prepare() error {
	list, err := d.sims.hl.AddSource("ioc", "from_OpenCTI")
	if err != nil {
		return err
	}
	for _, r := range []hlsim.Rule{
		{SourceID: list, Type: "ip_both", Value: "198.51.100.23", Enabled: true, HLStatus: "stable", Description: "Exfiltration server",
			Comment: `{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "indicator_score": 70, "indicator_platforms": ["windows"]}`},
		{SourceID: list, Type: "domain_name", Value: "watched.by.hand.example", Enabled: true, HLStatus: "stable", Description: "made in the console"},
	} {
		d.sims.hl.Add("ioc", r)
	}
	return nil
}

// change is the day between the two plans.
func (d *demo) change() error {
	var revoked, second string
	for _, ind := range d.sims.octi.Indicators() {
		switch ind.Name {
		case "Download page":
			revoked = ind.ID
		case "Loader C2, seen by a second team":
			second = ind.ID
		}
	}
	d.sims.octi.Edit(revoked, func(i *octisim.Indicator) { i.Revoked = true })
	d.sims.octi.Delete(second)
	d.sims.octi.Put(octisim.Indicator{Name: "New exfiltration server", Pattern: "[ipv4-addr:value = '198.51.100.99']", PatternType: "stix"})
	for _, r := range d.sims.hl.Rules("ioc") {
		switch r.Value {
		case "203.0.113.7":
			d.sims.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Description = "edited in the console" })
		case "192.0.2.80":
			d.sims.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Enabled = false })
		}
	}
	return nil
}

func printable(args []string) string {
	out := ""
	for i, a := range args {
		if i > 0 {
			out += " "
		}
		for _, r := range a {
			if r == ' ' || r == '[' {
				a = `"` + a + `"`
				break
			}
		}
		out += a
	}
	return out
}
