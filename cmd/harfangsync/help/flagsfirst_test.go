package help

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	out, full := &cli.StringFlag{Name: "out", Aliases: []string{"o"}}, &cli.BoolFlag{Name: "full"}
	app := &cli.App{Flags: []cli.Flag{out}, Commands: []*cli.Command{
		{Name: "plan", Flags: []cli.Flag{out, full}},
		{Name: "config", Flags: []cli.Flag{full}, Subcommands: []*cli.Command{{Name: "print", Flags: []cli.Flag{out}}}},
	}}
	for _, tt := range []struct{ name, line, want string }{
		{"nothing", "", ""},
		{"behind an argument", "plan file --out x --full", "plan --out x --full file"},
		{"with its value in one word", "plan file --out=x other", "plan --out=x file other"},
		{"by its short name", "plan file -o x", "plan -o x file"},
		{"in front of the command", "--out x plan file", "plan --out x file"},
		{"a value that is the name of a command", "--out plan plan", "plan --out plan"},
		{"in front of a command's command", "config --full print file --out x", "config print --full --out x file"},
		{"without its value", "plan file --out", "plan --out file"},
		{"one dash is an argument", "plan - --full", "plan --full -"},
		{"what follows two dashes stays", "plan a --full -- b --out x", "plan --full a -- b --out x"},
		{"what follows an unknown command stays", "--out x pla --full", "--out x pla --full"},
	} {
		args := append([]string{"harfangsync"}, strings.Fields(tt.line)...)
		if got := strings.Join(FlagsFirst(app, args)[1:], " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := FlagsFirst(app, nil); got != nil {
		t.Errorf("of no program: %q", got)
	}
}
