package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a job may do is what it does. All actions stand at a commit, scripts hold no expressions (which
// could be commands), and the steps that all workflows share are the same in all.
func TestWorkflowsAskForNoMore(t *testing.T) {
	shared := map[string]string{}
	for _, tt := range []struct {
		file string
		run  func(p *pipeline)
	}{
		{"plan.yml", func(p *pipeline) { p.run("plan.yml", nil) }},
		{"apply.yml", func(p *pipeline) { in := p.planned(); p.forge.used = map[string]bool{}; p.run("apply.yml", in) }},
		{"drift.yml", func(p *pipeline) { p.event = "schedule"; p.run("drift.yml", nil) }},
	} {
		t.Run(tt.file, func(t *testing.T) {
			p := newPipeline(t)
			tt.run(p)
			w := readWorkflow(t, examples+tt.file)
			if w.Permissions == nil || len(w.Permissions) > 0 {
				t.Errorf("the workflow itself has permissions %v, want none", w.Permissions)
			}
			for _, j := range w.Jobs {
				for what, how := range j.Permissions {
					if !p.forge.used[what+": "+how] {
						t.Errorf("%s: %s is not needed", what, how)
					}
				}
				if j.Timeout == 0 {
					t.Error("the job has no time limit")
				}
				for _, s := range j.Steps {
					if strings.Contains(s.Run, "${{") {
						t.Errorf("step %q has an expression in its script", s.Name)
					}
					if s.Name != "Install" && !strings.Contains(s.Name, "secrets") {
						continue
					}
					text := fmt.Sprint(s.Env, s.Run)
					if before, known := shared[s.Name]; known && before != text {
						t.Errorf("step %q differs from that of another workflow", s.Name)
					}
					shared[s.Name] = text
				}
			}
		})
	}
}

func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^\s*(- )?uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9.]+$`)
	seen := 0
	for _, pattern := range []string{examples + "*.yml", "../../.github/workflows/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				if strings.Contains(line, "uses:") {
					seen++
					if !pinned.MatchString(strings.TrimSuffix(line, "\n")) {
						t.Errorf("%s: not pinned by commit: %s", f, line)
					}
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("saw %d actions; the test looks at too little", seen)
	}
}
