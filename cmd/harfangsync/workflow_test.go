package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is a GitHub workflow with everything that ours use; anything else in a file is an error.
type workflow struct {
	Name        string
	RunName     string `yaml:"run-name"`
	On          yaml.Node
	Permissions map[string]string
	Concurrency yaml.Node
	Defaults    struct{ Run struct{ Shell string } }
	Jobs        map[string]*workflowJob
}

type workflowJob struct {
	If          string
	Environment string
	RunsOn      string `yaml:"runs-on"`
	Timeout     int    `yaml:"timeout-minutes"`
	Permissions map[string]string
	Env         map[string]string
	Steps       []workflowStep
}

type workflowStep struct {
	Name, ID, If, Uses, Run string
	With, Env               map[string]string
}

func readWorkflow(t testing.TB, path string) *workflow {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	var w workflow
	if err := dec.Decode(&w); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &w
}

// runner carries out the steps of a job as GitHub's runner does.
type runner struct {
	t        testing.TB
	forge    *forge
	temp     string // RUNNER_TEMP; the workspace is in it
	tools    string // stand-ins for curl, gh and jq
	release  string // what curl downloads
	run      string // GITHUB_RUN_ID
	contexts map[string]any

	path, env []string
	log       bytes.Buffer // everything that steps print, and what they write to the summary
	summary   string
}

// newRunner prepares a machine for one run of a workflow.
func newRunner(t testing.TB, f *forge, run string) *runner {
	t.Helper()
	r := &runner{t: t, forge: f, run: run, temp: t.TempDir(), tools: t.TempDir(), release: t.TempDir()}
	for _, tool := range []string{"curl", "gh", "jq"} {
		r.file(filepath.Join(r.tools, tool), itselfAs(t, asTool+"="+tool))
	}
	r.file(filepath.Join(r.release, releaseBinary), itselfAs(t, asProgram+"=1"))
	r.file(filepath.Join(r.temp, "work", ".keep"), "")
	return r
}

const (
	releaseVersion = "v1.2.3"
	releaseBinary  = "harfangsync-" + releaseVersion + "-linux-amd64"
)

func (r *runner) file(path, content string) {
	r.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o755)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runner) workspace(name string) string { return filepath.Join(r.temp, "work", name) }

// job runs a job and returns the code of the step that failed, 0 if none did, -1 if its condition
// keeps it from running.
func (r *runner) job(w *workflow, j *workflowJob) int {
	r.t.Helper()
	r.forge.can = j.Permissions
	if j.If != "" && !r.holds(j.If) {
		return -1
	}
	r.contexts["steps"] = map[string]any{}
	for i := range j.Steps {
		s := &j.Steps[i]
		if s.If != "" && !r.holds(s.If) {
			continue
		}
		fmt.Fprintf(&r.log, "--- %s%s\n", s.Name, s.Uses)
		if s.Uses != "" {
			r.use(s)
			continue
		}
		if code := r.shell(w, j, s); code != 0 {
			return code
		}
	}
	return 0
}

// shell runs the script of a step.
func (r *runner) shell(w *workflow, j *workflowJob, s *workflowStep) int {
	r.t.Helper()
	shell := []string{"-e"}
	if w.Defaults.Run.Shell == "bash" {
		shell = []string{"--noprofile", "--norc", "-eo", "pipefail"}
	}
	script := filepath.Join(r.temp, "step.sh")
	r.file(script, s.Run)
	files := map[string]string{}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"} {
		files[name] = filepath.Join(r.temp, "commands", name)
		r.file(files[name], "")
	}
	cmd := exec.Command("bash", append(shell, script)...)
	cmd.Dir = r.workspace("")
	cmd.Env = []string{
		"PATH=" + strings.Join(append(r.path, r.tools, "/usr/bin", "/bin"), ":"), "HOME=" + r.temp, "CI=true", "GITHUB_ACTIONS=true",
		"GITHUB_SERVER_URL=https://forge.example", "GITHUB_REPOSITORY=o/r", "GITHUB_RUN_ID=" + r.run, "RUNNER_TEMP=" + r.temp, forgeURL + "=" + r.forge.URL, forgeFiles + "=" + r.release,
	}
	for name, path := range files {
		cmd.Env = append(cmd.Env, name+"="+path)
	}
	cmd.Env = append(cmd.Env, r.env...)
	for _, env := range []map[string]string{j.Env, s.Env} {
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+r.fill(v))
		}
	}
	cmd.Stdout, cmd.Stderr = &r.log, &r.log
	code := exitOf(r.t, cmd.Run())

	outputs := map[string]any{}
	for _, line := range r.lines(files["GITHUB_OUTPUT"]) {
		k, v, _ := strings.Cut(line, "=")
		outputs[k] = v
	}
	if s.ID != "" {
		r.contexts["steps"].(map[string]any)[s.ID] = map[string]any{"outputs": outputs}
	}
	r.env = append(r.env, r.lines(files["GITHUB_ENV"])...)
	r.path = append(r.lines(files["GITHUB_PATH"]), r.path...)
	for _, line := range r.lines(files["GITHUB_STEP_SUMMARY"]) {
		r.summary += line + "\n"
	}
	return code
}

func (r *runner) lines(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// use stands in for the actions.
func (r *runner) use(s *workflowStep) {
	r.t.Helper()
	switch name, _, _ := strings.Cut(s.Uses, "@"); name {
	case "actions/checkout":
		if s.With["persist-credentials"] != "false" {
			r.t.Error("checkout leaves its token behind")
		}
		r.forge.used["contents: read"] = true
	case "actions/upload-artifact":
		dir := r.t.TempDir()
		for _, path := range strings.Fields(s.With["path"]) {
			b, err := os.ReadFile(r.workspace(path))
			if err != nil {
				if s.With["if-no-files-found"] != "ignore" {
					r.t.Errorf("upload-artifact: %v", err)
				}
				return
			}
			r.file(filepath.Join(dir, path), string(b))
		}
		r.forge.artefacts[r.run+"/"+s.With["name"]] = dir
	default:
		r.t.Fatalf("no stand-in for the action %s", s.Uses)
	}
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// fill replaces the expressions in a text.
func (r *runner) fill(s string) string {
	return expression.ReplaceAllStringFunc(s, func(e string) string { return r.value(expression.FindStringSubmatch(e)[1]) })
}

// holds evaluates a condition: paths and texts, compared with == and !=, joined by && and ||, in
// parentheses.
func (r *runner) holds(cond string) bool {
	r.t.Helper()
	for inner := regexp.MustCompile(`\(([^()]*)\)`); ; {
		m := inner.FindStringSubmatchIndex(cond)
		if m == nil {
			break
		}
		cond = cond[:m[0]] + fmt.Sprintf("'%t' == 'true'", r.holds(cond[m[2]:m[3]])) + cond[m[1]:]
	}
	for _, either := range strings.Split(cond, "||") {
		all := true
		for _, term := range strings.Split(either, "&&") {
			left, right, equal := strings.Cut(term, "==")
			if !equal {
				var unequal bool
				if left, right, unequal = strings.Cut(term, "!="); !unequal {
					r.t.Fatalf("condition %q: %q compares nothing", cond, term)
				}
			}
			all = all && (r.value(left) == r.value(right)) == equal
		}
		if all {
			return true
		}
	}
	return false
}

// value is a text in quotes, or what a path leads to. A path that leads nowhere is a slip, but for the
// outputs of a step, which are empty until it has run.
func (r *runner) value(word string) string {
	r.t.Helper()
	word = strings.TrimSpace(word)
	if lit, ok := strings.CutPrefix(word, "'"); ok {
		return strings.TrimSuffix(lit, "'")
	}
	var at any = r.contexts
	for _, name := range strings.Split(word, ".") {
		m, _ := at.(map[string]any)
		if at = m[name]; at == nil {
			if strings.HasPrefix(word, "steps.") {
				return ""
			}
			r.t.Fatalf("expression %q: nothing is called %s", word, name)
		}
	}
	return fmt.Sprint(at)
}
