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

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/help"
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

// helpOf is what the program says of a command; flag is --help or --help-all.
func helpOf(t *testing.T, name, flag string) string {
	t.Helper()
	var out bytes.Buffer
	p := newProgram(strings.NewReader(""), &out, &out, nil)
	if code := p.run(t.Context(), append(append([]string{"harfangsync"}, strings.Fields(name)...), flag)); code != exit.OK {
		t.Errorf("%s %s ended with %d", name, flag, code)
	}
	return out.String()
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
		all := helpOf(t, name, "--help-all")
		for _, want := range []string{"Exit codes:\n", "  --help ", "  --log-format "} {
			if !strings.Contains(all, want) {
				t.Errorf("%s --help-all lacks %q", name, want)
			}
		}
		for _, f := range c.Flags {
			if n := strings.Count(all, "\n  --"+f.Names()[0]+" "); n != 1 {
				t.Errorf("%s --help-all has --%s %d times", name, f.Names()[0], n)
			}
		}
		if len(l.Examples) > 4 {
			t.Errorf("%s: %d examples, two to four are read", name, len(l.Examples))
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

// What --help says can be read without scrolling, and its lines do not break in words.
func TestHelpFitsTheScreen(t *testing.T) {
	names := []string{"", "config"}
	everyCommand(func(name string, _ *cli.Command) { names = append(names, name) })
	for _, name := range names {
		said := helpOf(t, name, "--help")
		if n := strings.Count(said, "\n"); n > help.Rows || n < 5 {
			t.Errorf("%s --help has %d lines\n%s", name, n, said)
		}
		if name == "config" {
			continue // its commands tell the rest
		}
		if all := helpOf(t, name, "--help-all"); strings.Count(all, "\n") <= strings.Count(said, "\n") {
			t.Errorf("%s --help-all has no more than --help", name)
		}
		for line := range strings.Lines(said + helpOf(t, name, "--help-all")) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > help.Columns {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
}

// People ask for help and for the version in more than one way.
func TestHelpAndVersionAreAskedForInManyWays(t *testing.T) {
	for _, same := range [][2][]string{
		{{"help"}, {"--help"}}, {{"-h"}, {"--help"}}, {{}, {"--help"}}, {{"help", "plan"}, {"plan", "--help"}}, {{"help", "config", "print"}, {"config", "print", "--help"}}, {{"--version"}, {"version"}},
	} {
		var said [2]string
		for i, args := range same {
			var out, errs bytes.Buffer
			if code := newProgram(strings.NewReader(""), &out, &errs, nil).run(t.Context(), append([]string{"harfangsync"}, args...)); code != exit.OK || errs.Len() > 0 {
				t.Errorf("%v: code %d, %s", args, code, errs.String())
			}
			said[i] = out.String()
		}
		if said[0] != said[1] || said[0] == "" {
			t.Errorf("%v says\n%s%v says\n%s", same[0], said[0], same[1], said[1])
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
		"config.yml": "connector:\n  name: HarfangLab\n", "rule.yml": "title: x\nlogsource: {product: windows, category: process_creation}\ndetection: {s: {Image: x}, condition: s}\n",
		"docker-compose.yml": "services:\n  connector-harfanglab:\n    environment:\n      - OPENCTI_URL=https://opencti.example\n      - OPENCTI_TOKEN=simulated\n" +
			"      - CONNECTOR_ID=" + simConnectorID + "\n      - HARFANGLAB_URL=https://edr.example\n      - HARFANGLAB_TOKEN=simulated\n",
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	c.run("provide", commandsIn([]string{"harfangsync plan --out plan.json", "harfangsync snapshot --out wanted.gz", "harfangsync dump lists", "harfangsync unblock cdn.example.net --reason ours --auto-approve"}, 1))
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
			if f.(cli.CategorizableFlag).GetCategory() != "settings" && !strings.Contains(page, "--"+f.Names()[0]) {
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
	everyCommand(func(name string, _ *cli.Command) {
		said := helpOf(t, name, "--help")
		for _, foreign := range []string{"--log-level", "--accept-removals N", "--parallelism"} {
			if strings.Contains(said, foreign+" ") {
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
