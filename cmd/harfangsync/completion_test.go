package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/help"
	"github.com/harfangsync/harfangsync/reconcile"
)

// completed is what is offered after words, without what it is about.
func completed(t *testing.T, words ...string) string {
	t.Helper()
	var out bytes.Buffer
	p := newProgram(strings.NewReader(""), &out, &out, nil)
	p.run(t.Context(), append([]string{"harfangsync", help.AskComplete}, words...))
	var offered []string
	for line := range strings.Lines(out.String()) {
		word, _, _ := strings.Cut(line, "\t")
		offered = append(offered, word)
	}
	return strings.Join(offered, " ")
}

func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words []string // the last one has begun
		want  string
	}{
		{"commands", []string{".co"}, "config completion"},
		{"commands of a command", []string{"config", "."}, "validate print schema"},
		{"flags in front of a command", []string{".--c"}, "--config"},
		{"flags of a command", []string{"show", ".--s"}, "--schema --summary"},
		{"settings are flags", []string{"plan", ".--max"}, "--max-tlp"},
		{"one dash is a beginning of two", []string{"version", ".-"}, "--config --help --help-all --log-format --log-level --no-color --quiet"},
		{"values", []string{"plan", "--log-level", "."}, "debug info warn error"},
		{"values behind a command and its argument", []string{"apply", "plan.json", "--policy", "."}, "sync upsert-only create-only"},
		{"values in the same word", []string{"plan", ".--format=j"}, "--format=json"},
		{"values in the same word, as bash splits it", []string{"plan", "--format", "=", ".j"}, "json"},
		{"nothing begun behind =, as bash splits it", []string{"plan", "--log-format", ".="}, "text json"},
		{"a value with a colon", []string{"plan", "--max-tlp", ".TLP:A"}, "TLP:AMBER TLP:AMBER+STRICT"},
		{"a value with a colon, as bash splits it", []string{"plan", "--max-tlp", "TLP", ":", ".A"}, "AMBER AMBER+STRICT"},
		{"a value with a colon behind =, as bash splits it", []string{"plan", "--max-tlp", "=", "TLP", ".:"}, "CLEAR GREEN AMBER AMBER+STRICT RED"},
		{"the next of a list", []string{"plan", "--only", ".sigma,"}, "sigma,ioc sigma,yara"},
		{"a switch needs no value", []string{"plan", "--full", ".--su"}, "--summary"},
		{"a switch of a setting may have one", []string{"plan", ".--remove-indicator=f"}, "--remove-indicator=false"},
		{"shells", []string{"completion", "."}, "bash zsh fish powershell"},
		{"files are for the shell", []string{"apply", "."}, ""},
		{"so are files behind flags", []string{"plan", "--out", "."}, ""},
		{"an unknown command has nothing", []string{"frobnicate", ".--zz"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := completed(t, tt.words...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompletionOffersEveryCommand(t *testing.T) {
	offered := strings.Fields(completed(t, "--config", "plan", ".")) // plan is the settings file here
	for _, c := range newProgram(nil, nil, nil, nil).app().Commands {
		if slices.Contains(offered, c.Name) == c.Hidden {
			t.Errorf("%s, hidden %t: %q are offered", c.Name, c.Hidden, offered)
		}
	}
}

// What is offered for a flag is taken by its command.
func TestCompletionOffersWhatIsTaken(t *testing.T) {
	for _, tt := range []struct {
		flag    string
		command []string
	}{
		{"--format", []string{"show", "testdata-missing.json"}}, {"--log-level", []string{"version"}}, {"--log-format", []string{"version"}},
		{"--pattern-type", []string{"explain", "--pattern", "x"}},
	} {
		offered := strings.Fields(completed(t, tt.command[0], tt.flag, "."))
		if len(offered) < 2 {
			t.Errorf("%s %s: offered %q", tt.command[0], tt.flag, offered)
		}
		for _, v := range offered {
			var out bytes.Buffer
			p := newProgram(strings.NewReader(""), &out, &out, nil)
			p.noConfig = true
			p.run(t.Context(), append(append([]string{"harfangsync"}, tt.command...), tt.flag, v))
			if strings.Contains(out.String(), tt.flag) {
				t.Errorf("%s %s %s: %s", tt.command[0], tt.flag, v, out.String())
			}
		}
	}
}

func TestCompletionOffersKinds(t *testing.T) {
	offered := strings.Fields(completed(t, "plan", "--only", "."))
	for _, v := range offered {
		s := shaping{only: v}
		if _, err := s.kinds(); err != nil {
			t.Error(err)
		}
	}
	if len(offered) != len(reconcile.Kinds) {
		t.Errorf("offered %q", offered)
	}
}

// Each script works in its shell, where that is installed. bash has to be.
func TestCompletionScripts(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "harfangsync"), []byte(itselfAs(t, asProgram+"=1")), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []struct {
		name, script string
		args         []string
	}{
		{"bash", `eval "$(harfangsync completion bash)"
			try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _harfangsync; echo "${COMPREPLY[*]}"; }
			try harfangsync ver; try harfangsync plan --format m; try harfangsync plan --format = m; try harfangsync apply ""`, []string{"-c"}},
		{"zsh", `compdef() {}; eval "$(harfangsync completion zsh)"
			_describe() { echo "${(P)2[@]%%:*}"; }; _files() { echo }
			try() { words=("$@"); CURRENT=$#; _harfangsync; }
			try harfangsync ver; try harfangsync plan --format m; try harfangsync plan --format m; try harfangsync apply ""`, []string{"-fc"}},
		{"fish", `harfangsync completion fish | source
			function try; complete -C $argv[1] | string replace -r '\t.*' ''; end
			try "harfangsync ver"; try "harfangsync plan --format m"; try "harfangsync plan --format m"; try "harfangsync apply "; true`, []string{"--no-config", "-c"}},
		{"pwsh", `harfangsync completion powershell | Out-String | Invoke-Expression
			function try($line) { ([System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches | ForEach-Object CompletionText) -join ' ' }
			try 'harfangsync ver'; try 'harfangsync plan --format m'; try 'harfangsync plan --format m'; try 'harfangsync apply '`, []string{"-NoProfile", "-Command"}},
	} {
		t.Run(shell.name, func(t *testing.T) {
			path, err := exec.LookPath(shell.name)
			if err != nil && shell.name != "bash" {
				t.Skip(err)
			}
			cmd := exec.Command(path, append(shell.args, shell.script)...)
			cmd.Dir = t.TempDir() // no files that could be offered
			cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + cmd.Dir}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got, want := strings.TrimSpace(string(out)), "version\nmarkdown\nmarkdown"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
