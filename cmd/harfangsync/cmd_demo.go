package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sinks/hlsim/evaluate"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

//go:embed samples
var samples embed.FS

func (p *program) demoCommand() *cli.Command {
	var tail bool
	return &cli.Command{
		Name:  "demo",
		Usage: "the whole job against built-in simulators; needs no settings and no network",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "tail", Usage: "show the lists following the live stream instead", Destination: &tail}},
		Action: func(c *cli.Context) error {
			s, err := startSimulators(&simOptions{octiAddr: "127.0.0.1:0", hlAddr: "127.0.0.1:0"})
			if err != nil {
				return err
			}
			defer s.close()
			d := demo{p: p, sims: s}
			if err := d.sims.oldRules(); err != nil {
				return err
			}
			if tail {
				return d.follow(c.Context)
			}
			return d.play(c.Context)
		},
	}
}

// demo plays the job's story: a first load, a change on each side and what the next plan makes of it,
// and an alert that finds its way back.
type demo struct {
	p     *program
	sims  *simulators
	alert string // id of the alert that the agent raised
}

func (d *demo) play(ctx context.Context) error {
	steps := []struct {
		title string
		act   func() error
		args  []string
		after func()
		code  int
	}{
		{"The first plan: what HarfangLab would get from OpenCTI. Nothing is written.", nil, []string{"plan"}, nil, exit.OK},
		{"Apply it.", nil, []string{"apply", "--auto-approve"}, nil, exit.OK},
		{"A change on each side, then the next plan with its reasons:\n" +
			"  OpenCTI     a new indicator, one revoked, one of two owners of a domain deleted\n" +
			"  HarfangLab  somebody edited a rule, somebody else disabled one", d.change, []string{"plan"}, nil, exit.OK},
		{"Apply that as well. The job also brings alerts back; there are none yet.", nil, []string{"run"}, nil, exit.OK},
		{"An agent sees a domain of OpenCTI's: HarfangLab raises an alert. Bring it back.", d.see, []string{"pull"}, d.showSightings, exit.OK},
		{"An analyst takes it for a false positive. Bring that back too.", d.triage, []string{"pull"}, d.showSightings, exit.OK},
		{"And once more: nothing is left to do, and nothing that was imported became a rule.", nil, []string{"plan"}, nil, exit.OK},
		{"An agent that knew only Sysmon's words would have ignored this Sigma rule. It fires, because it was said in HarfangLab's.", d.seeRule,
			[]string{"explain", "--indicator", sysmonRule}, nil, exit.OK},
		{"A feed names what a dozen computers talk to every day, beside what one has met. The plan asks HarfangLab's telemetry,\n" +
			"says so, and the run holds that one alone (gate G15, code 4).", d.feel, []string{"run", "--impact"}, nil, exit.Refused},
		{"A person looks at it, and accepts it by name.", nil, []string{"run", "--impact", "--accept-impact", feltValue}, nil, exit.OK},
		{"Why is half of an AND not blocked?", nil, []string{"explain", "--pattern", "[ipv4-addr:value = '198.51.100.77' AND network-traffic:dst_port = 4444]"}, nil, exit.OK},
	}
	for i, s := range steps {
		fmt.Fprintf(d.p.stdout, "\n=== %d. %s\n\n", i+1, s.title)
		if s.act != nil {
			if err := s.act(); err != nil {
				return err
			}
		}
		fmt.Fprintf(d.p.stdout, "$ harfangsync %s\n", printable(s.args))
		if err := d.command(ctx, "warn", s.args, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true"); exit.Code(err, 0) != s.code {
			return fmt.Errorf("demo step %d: it ended with code %d, not %d: %w", i+1, exit.Code(err, 0), s.code, err)
		}
		if s.after != nil {
			s.after()
		}
	}
	fmt.Fprintf(d.p.stdout, "\nThat was the whole job. `harfangsync demo --tail` shows the live stream; `harfangsync simulate --env FILE`\nserves the same platforms to try things by hand.\n")
	return nil
}

// command runs one command line with the simulators' settings and some more.
func (d *demo) command(ctx context.Context, level string, args []string, env ...string) error {
	q := newProgram(d.p.stdin, d.p.stdout.w, d.p.stderr, append(d.sims.env(), env...))
	q.noColor, q.noConfig = d.p.noColor, true
	return q.app().RunContext(ctx, slices.Concat([]string{"harfangsync", args[0], "--log-level", level, "--log-format", cmp.Or(d.p.logForm, "text")}, args[1:]))
}

// see lets an agent meet a value that is blocked.
func (d *demo) see() error {
	ids, err := d.sims.hl.Saw(hlsim.Sighting{Value: "c2.loader.example", Host: "WKS-042", User: `EXAMPLE\mallory`, Process: `C:\Windows\explorer.exe`})
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return fmt.Errorf("the agent raised %d alerts, not one", len(ids))
	}
	d.alert = ids[0]
	return nil
}

// sysmonRule is the sample with a Sigma rule that no agent knows as it is written.
const sysmonRule = "1f0a4c62-5d53-5b0e-9a7e-60b1c2a4d901"

// seeRule lets an agent meet an event that the rule is about, as HarfangLab knows it.
func (d *demo) seeRule() error {
	ids, err := d.sims.hl.Saw(hlsim.Sighting{Host: "WKS-043", Process: `C:\Windows\System32\cmd.exe`, Event: &evaluate.Event{
		Product: "windows", Category: "registry_event", Fields: map[string]string{"EventType": "SetValue", "Image": `C:\Windows\System32\cmd.exe`,
			"TargetObject": `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\updater`, "Details": `C:\Users\mallory\AppData\Local\Temp\u.exe`}}})
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return fmt.Errorf("the agent raised %d alerts of the Sigma rule, not one", len(ids))
	}
	fmt.Fprintf(d.p.stdout, "  in HarfangLab: alert %s on WKS-043\n\n", ids[0])
	return nil
}

// feltValue is a domain that many endpoints see.
const feltValue = "cdn.updates.example"

// feel lets endpoints meet two domains for some days, before a feed names them.
func (d *demo) feel() error {
	for i := range 24 {
		at := time.Now().Add(-time.Duration(i) * 9 * time.Hour)
		if _, err := d.sims.hl.Saw(hlsim.Sighting{Type: "domain_name", Value: feltValue, Host: fmt.Sprintf("WKS-1%02d", i%12), At: at}); err != nil {
			return err
		}
	}
	if _, err := d.sims.hl.Saw(hlsim.Sighting{Type: "domain_name", Value: "rare.example", Host: "WKS-104"}); err != nil {
		return err
	}
	d.sims.octi.Put(octisim.Indicator{Name: "Update server", Pattern: "[domain-name:value = '" + feltValue + "']", PatternType: "stix", Detection: new(true)})
	d.sims.octi.Put(octisim.Indicator{Name: "Rare host", Pattern: "[domain-name:value = 'rare.example']", PatternType: "stix", Detection: new(true)})
	return nil
}

func (d *demo) triage() error {
	if !d.sims.hl.Triage(d.alert, "false_positive") {
		return fmt.Errorf("alert %s is gone", d.alert)
	}
	return nil
}

// showSightings prints what OpenCTI knows of the alert now.
func (d *demo) showSightings() {
	names := map[string]string{}
	for _, i := range d.sims.octi.Indicators() {
		names[i.StandardID] = i.Name
	}
	for _, i := range d.sims.octi.Identities() {
		names[i.StandardID] = i.Name
	}
	for _, i := range d.sims.octi.Incidents() {
		fmt.Fprintf(d.p.stdout, "  in OpenCTI: incident %q, severity %s\n", i.Name, i.Severity)
	}
	for _, s := range d.sims.octi.Sightings() {
		sign := "seen"
		if s.Negative {
			sign = "not seen (negative)"
		}
		fmt.Fprintf(d.p.stdout, "  in OpenCTI: indicator %q %s on %s, count %d\n", names[s.From], sign, names[s.To], s.Count)
	}
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
	d.sims.octi.Put(octisim.Indicator{Name: "New exfiltration server", Pattern: "[ipv4-addr:value = '198.51.100.99']", PatternType: "stix", Detection: new(true)})
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

// printable is a command line as one would type it.
func printable(args []string) string {
	out := slices.Clone(args)
	for i, a := range out {
		if strings.ContainsAny(a, " [") {
			out[i] = `"` + a + `"`
		}
	}
	return strings.Join(out, " ")
}
