package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	markdown "github.com/yuin/goldmark/text"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// consoleCommand is one command of a page, with what the page says about it.
type consoleCommand struct {
	line int // of the page
	text string
	code int      // the number that the comment behind it begins with, 0 if there is none
	says []string // lines of output that the page shows, in order
}

// endless are commands that end when they are told to.
func (c *consoleCommand) endless() bool {
	return regexp.MustCompile(`^harfangsync (tail\b|simulate\b|run --(tail|every)\b)[^&]*$`).MatchString(c.text)
}

// consoleBlocks are the blocks of a page that are marked console, each with its commands. Where a line of
// a block begins with "$ ", only such lines are commands, with "> " for their next lines, and the others
// are output; "..." stands for any lines, or for the rest of one. In other blocks every line is a command.
func consoleBlocks(source []byte) [][]consoleCommand {
	var blocks [][]consoleCommand
	_ = ast.Walk(goldmark.DefaultParser().Parse(markdown.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		b, ok := n.(*ast.FencedCodeBlock)
		if !ok || !entering || b.Info == nil || string(b.Language(source)) != "console" {
			return ast.WalkContinue, nil
		}
		var lines []string
		for i := range b.Lines().Len() {
			s := b.Lines().At(i)
			lines = append(lines, strings.TrimSuffix(string(s.Value(source)), "\n"))
		}
		first := 1 + strings.Count(string(source[:b.Lines().At(0).Start]), "\n")
		blocks = append(blocks, commandsIn(lines, first))
		return ast.WalkContinue, nil
	})
	return blocks
}

var leadingCode = regexp.MustCompile(`\s# (?:exit )?([0-9]{1,3})\b`)

func commandsIn(lines []string, first int) []consoleCommand {
	prompts := false
	for _, l := range lines {
		prompts = prompts || strings.HasPrefix(l, "$ ")
	}
	var out []consoleCommand
	more := false // the last line ends with a backslash
	for i, l := range lines {
		command, isCommand := strings.CutPrefix(l, "$ ")
		next, isNext := strings.CutPrefix(l, "> ")
		switch {
		case !prompts && (strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#")):
		case more || prompts && isNext:
			if !prompts {
				next = l
			}
			out[len(out)-1].text += "\n" + next
		case !prompts:
			out = append(out, consoleCommand{line: first + i, text: l})
		case isCommand:
			out = append(out, consoleCommand{line: first + i, text: command})
		default:
			out[len(out)-1].says = append(out[len(out)-1].says, l)
		}
		more = !prompts && strings.HasSuffix(l, `\`)
	}
	for i := range out {
		if m := leadingCode.FindStringSubmatch(out[i].text); m != nil {
			out[i].code, _ = strconv.Atoi(m[1])
		}
	}
	return out
}

// console is a person at a terminal, with both platforms as the settings name them.
type console struct {
	t        testing.TB
	platform *simulators
	dir      string
	env      []string
}

// newConsole starts both platforms with the samples and with what HarfangLab held before: a rule of an
// old connector and one made by a person.
func newConsole(t testing.TB) *console {
	t.Helper()
	s, err := startSimulators(&simOptions{octiAddr: "127.0.0.1:0", hlAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	if err := s.oldRules(); err != nil {
		t.Fatal(err)
	}
	s.octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
	c := &console{t: t, platform: s, dir: t.TempDir()}
	secrets, tools := t.TempDir(), t.TempDir()
	for path, content := range map[string]string{
		filepath.Join(secrets, "opencti"):    simOpenCTIToken + "\n",
		filepath.Join(secrets, "harfanglab"): simHarfangLabToken + "\n",
		filepath.Join(tools, "harfangsync"):  itselfAs(t, asProgram+"=1"),
	} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	c.env = []string{
		"PATH=" + tools + ":" + filepath.Dir(goTool) + ":/usr/local/bin:/usr/bin:/bin",
		"OPENCTI_URL=" + s.octiURL, "OPENCTI_TOKEN_FILE=" + filepath.Join(secrets, "opencti"),
		"HARFANGLAB_URL=" + s.hlURL, "HARFANGLAB_TOKEN_FILE=" + filepath.Join(secrets, "harfanglab"),
		"CONNECTOR_ID=" + simConnectorID, "CONNECTOR_LIVE_STREAM_ID=" + demoStream,
		"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true",
	}
	return c
}

// run runs commands one after the other in one shell. Nothing is replaced but the environment: after
// each command the settings are again those of the platforms here, whatever a page exported. Whoever asks
// is told yes.
func (c *console) run(page string, commands []consoleCommand) {
	c.t.Helper()
	var script strings.Builder
	again := ""
	for _, e := range c.env {
		k, v, _ := strings.Cut(e, "=")
		again += fmt.Sprintf("export %s='%s'\n", k, v)
	}
	results := c.t.TempDir()
	for i, cmd := range commands {
		out := filepath.Join(results, strconv.Itoa(i))
		if cmd.endless() { // until it has said something
			fmt.Fprintf(&script, "set -m\n%s >'%s' 2>&1 &\nset +m\nuntil [ -s '%s' ] || ! kill -0 $! 2>/dev/null; do sleep 0.05; done\nkill -INT -- -$!\nwait $!\n", strings.SplitN(cmd.text, " #", 2)[0], out, out)
		} else {
			fmt.Fprintf(&script, "{\n%s\n} >'%s' 2>&1\n", cmd.text, out)
		}
		fmt.Fprintf(&script, "echo $? >'%s.code'\n%s", out, again)
	}
	c.shell(script.String())
	for i, cmd := range commands {
		out := filepath.Join(results, strconv.Itoa(i))
		b, err := os.ReadFile(out)
		code, err2 := os.ReadFile(out + ".code")
		if err != nil || err2 != nil {
			c.t.Fatalf("%s, line %d: %s: not run: %v, %v", page, cmd.line, cmd.text, err, err2)
		}
		got, _ := strconv.Atoi(strings.TrimSpace(string(code)))
		if got != cmd.code && !(cmd.endless() && got == exit.Signal+2) {
			c.t.Errorf("%s, line %d: %s\nended with %d, the page says %d\n%s", page, cmd.line, cmd.text, got, cmd.code, b)
		}
		// At a terminal the answer ends the line of the question.
		said := strings.ReplaceAll(string(b), "for an answer: ", "for an answer: yes\n")
		if missing := firstMissing(said, cmd.says); missing != "" {
			c.t.Errorf("%s, line %d: %s\ndid not say (here): %s\n%s", page, cmd.line, cmd.text, missing, b)
		}
	}
}

// shell runs a script with a terminal for its input.
func (c *console) shell(script string) {
	c.t.Helper()
	keyboard, tty, err := pty.Open()
	if err != nil {
		c.t.Fatal(err)
	}
	defer keyboard.Close()
	go func() { _, _ = io.Copy(io.Discard, keyboard) }() // the echo
	if _, err := io.WriteString(keyboard, strings.Repeat("yes\n", 20)); err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Stdin = c.dir, tty
	cmd.Env = append([]string{"HOME=" + c.dir, "GOCACHE=" + goEnv(c.t, "GOCACHE"), "GOMODCACHE=" + goEnv(c.t, "GOMODCACHE")}, c.env...)
	out, err := cmd.CombinedOutput()
	_ = tty.Close()
	if err != nil || len(out) > 0 {
		c.t.Fatalf("%v\n%s", err, out)
	}
}

func goEnv(t testing.TB, name string) string {
	t.Helper()
	b, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// firstMissing is the first line of want that output lacks, in its place.
func firstMissing(output string, want []string) string {
	lines := strings.Split(output, "\n")
	for _, w := range want {
		if strings.TrimSpace(w) == "..." {
			continue
		}
		at := -1
		for i, l := range lines {
			begun, open := strings.CutSuffix(w, " ...")
			if l == w || open && strings.HasPrefix(l, begun) {
				at = i
				break
			}
		}
		if at < 0 {
			return w
		}
		lines = lines[at+1:]
	}
	return ""
}
