package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/cmd/harfangsync/help"
)

// everyCommand visits the commands that do something, by their full names.
func everyCommand(visit func(name string, c *cli.Command)) {
	var walk func(prefix string, commands []*cli.Command)
	walk = func(prefix string, commands []*cli.Command) {
		for _, c := range commands {
			if len(c.Subcommands) > 0 {
				walk(prefix+c.Name+" ", c.Subcommands)
			} else if !c.Hidden {
				visit(prefix+c.Name, c)
			}
		}
	}
	walk("", newProgram(nil, nil, nil, nil).app().Commands)
}

func TestEveryCommandTeaches(t *testing.T) {
	known := map[string]bool{}
	everyCommand(func(name string, c *cli.Command) {
		known[name] = true
		l := help.Texts[name]
		if l == nil || l.About == "" || len(l.Examples) == 0 {
			t.Errorf("%s teaches nothing", name)
			return
		}
		var out bytes.Buffer
		p := newProgram(strings.NewReader(""), &out, &out, nil)
		if code := p.run(t.Context(), append(append([]string{"harfangsync"}, strings.Fields(name)...), "--help")); code != exit.OK {
			t.Errorf("%s --help ended with %d", name, code)
		}
		for _, want := range []string{"Examples:\n", "Exit codes:\n", "   --help, -h"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s --help lacks %q", name, want)
			}
		}
		if len(l.Examples) > 3 {
			t.Errorf("%s: %d examples, two or three are read", name, len(l.Examples))
		}
		for _, e := range l.Examples {
			if !slices.ContainsFunc(l.Examples, func(e string) bool { return strings.Contains(e, "harfangsync "+name) }) {
				t.Errorf("%s: no example shows it: %s", name, e)
			}
		}
	})
	for name := range help.Texts {
		if !known[name] {
			t.Errorf("a text about %s, which is no command", name)
		}
	}
}

// Every example does what it says, in a directory with a saved plan, a snapshot, a dump and whatever else
// one needs at hand, against platforms with changes pending.
func TestExamplesOfHelpWork(t *testing.T) {
	everyCommand(func(name string, _ *cli.Command) {
		for _, e := range help.Texts[name].Examples {
			t.Run(e, func(t *testing.T) {
				t.Parallel()
				c := newConsole(t)
				c.provide()
				commands := commandsIn([]string{e}, 1)
				if code := commands[0].code; code != 0 && !slices.Contains(help.Texts[name].Codes, code) {
					t.Errorf("%s does not name its code %d", name, code)
				}
				c.run("help of "+name, commands)
			})
		}
	})
}

// provide makes the files that examples read.
func (c *console) provide() {
	c.t.Helper()
	samples, err := samples.ReadFile("samples/indicators.jsonl")
	if err != nil {
		c.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"patterns.txt": "[domain-name:value = 'a.example']\n", "indicators.jsonl": string(samples),
		"config.yml": "connector:\n  name: HarfangLab\n",
		"docker-compose.yml": "services:\n  connector-harfanglab:\n    environment:\n      - OPENCTI_URL=https://opencti.example\n      - OPENCTI_TOKEN=simulated\n" +
			"      - CONNECTOR_ID=" + simConnectorID + "\n      - HARFANGLAB_URL=https://edr.example\n      - HARFANGLAB_TOKEN=simulated\n",
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	c.run("provide", commandsIn([]string{"harfangsync plan --out plan.json", "harfangsync snapshot --out wanted.gz", "harfangsync dump lists"}, 1))
}

// The manual page tells of every command and of its own flags, and leaves the settings to their page.
func TestManualPage(t *testing.T) {
	var out bytes.Buffer
	if code := newProgram(nil, &out, &out, nil).run(t.Context(), []string{"harfangsync", "man"}); code != exit.OK {
		t.Fatal(out.String())
	}
	page := strings.ReplaceAll(out.String(), `\-`, "-")
	everyCommand(func(name string, c *cli.Command) {
		if !strings.Contains(page, ".SS "+name) {
			t.Errorf("no section on %s", name)
		}
		for _, f := range c.Flags {
			_, setting := f.(*cli.GenericFlag)
			if !setting && !strings.Contains(page, "--"+f.Names()[0]) {
				t.Errorf("%s: nothing of --%s", name, f.Names()[0])
			}
		}
	})
	for _, m := range exit.Table {
		if !strings.Contains(page, m.Codes) {
			t.Errorf("no code %s", m.Codes)
		}
	}
}

// Flags stand in their groups, so that the settings do not hide a command's own.
func TestFlagsAreGrouped(t *testing.T) {
	own := regexp.MustCompile(`(?s)OPTIONS:\n(.*?)\n\n`)
	everyCommand(func(name string, c *cli.Command) {
		var out bytes.Buffer
		p := newProgram(strings.NewReader(""), &out, &out, nil)
		p.run(t.Context(), append(append([]string{"harfangsync"}, strings.Fields(name)...), "--help"))
		first := own.FindStringSubmatch(out.String())
		if first == nil {
			t.Fatalf("%s --help has no options", name)
		}
		for _, foreign := range []string{"--log-level", "--accept-removals", "--parallelism"} {
			if strings.Contains(first[1], foreign) && !strings.Contains(first[1], "global") {
				t.Errorf("%s: %s stands among its own flags", name, foreign)
			}
		}
	})
}

// The tables of exit codes are the program's.
func TestPagesTellTheExitCodes(t *testing.T) {
	for _, page := range []string{"../../README.md", "docs/exitcodes.md"} {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range exit.Table {
			row := regexp.MustCompile(`(?m)^\| ` + m.Codes + ` \| ([^|]*) \|`).FindStringSubmatch(string(b))
			if row == nil || strings.ReplaceAll(row[1], "`", "") != m.Meaning {
				t.Errorf("%s, code %s: %q, want %q", page, m.Codes, row, m.Meaning)
			}
			if guide := strings.HasSuffix(page, "exitcodes.md"); guide && !strings.Contains(strings.ReplaceAll(string(b), "`", ""), m.Meaning+" | "+m.Remedy+" |") {
				t.Errorf("%s, code %s: its remedy is not %q", page, m.Codes, m.Remedy)
			}
		}
	}
}
