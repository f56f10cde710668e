package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Every command of the guides does what its page says. A guide is one story: its blocks go on where the
// last one ended.
func TestGuidesWork(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := consoleBlocks(b)
			if len(blocks) == 0 {
				t.Error("no block is marked console")
			}
			var all []consoleCommand
			for _, block := range blocks {
				all = append(all, block...)
			}
			newConsole(t).run(page, all)
		})
	}
}

// So does every block of the README, each by itself, in an empty directory; those that need the source
// are run in it.
func TestReadmeWorks(t *testing.T) {
	const page = "../../README.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]int{"## Try it": 0, "## Use it": 0}
	for _, block := range consoleBlocks(b) {
		t.Run(block[0].text, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t)
			if strings.HasPrefix(block[0].text, "go ") {
				c.dir = "../.."
			}
			c.run(page, block)
		})
		before := strings.Join(strings.Split(string(b), "\n")[:block[0].line], "\n")
		sections[before[strings.LastIndex(before, "\n## ")+1:][:len("## Try it")]]++
	}
	for name, n := range sections {
		if n == 0 {
			t.Errorf("nothing of %q is run", name)
		}
	}
}

// The README is read in five minutes, and its picture is there.
func TestReadmeIsShort(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n, most := len(strings.Fields(string(b))), 1200; n > most {
		t.Errorf("%d words, want at most %d", n, most)
	}
	if !regexp.MustCompile(`!\[[^\]]+\]\(`).Match(b) {
		t.Error("no picture")
	}
}

// The newcomer's way leads from main to the printed plan by files that hold what to look for, and is short.
func TestTheWayToThePlanIsShort(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, way, _ := strings.Cut(string(b), "\n| file | what to look for |\n")
	way, _, _ = strings.Cut(way, "\n\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	total := 0
	var files []string
	for row := range strings.Lines(way) {
		names := quoted.FindAllStringSubmatch(row, -1)
		if len(names) < 2 {
			continue
		}
		content, err := os.ReadFile("../../" + names[0][1])
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, names[0][1])
		for _, n := range names[1:] {
			if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + n[1] + `\(`).Match(content) {
				t.Errorf("%s does not hold %s", names[0][1], n[1])
			}
		}
		for line := range strings.Lines(string(content)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				total++
			}
		}
	}
	const most = 1200
	if len(files) < 6 || files[0] != "cmd/harfangsync/main.go" || files[len(files)-1] != "reconcile/render/text.go" || total >= most {
		t.Errorf("%d lines of code from main to the plan, want under %d: %q", total, most, files)
	}
	t.Logf("%d lines in %d files", total, len(files))
}

// The page for contributors says what every package is for, but those that only help tests.
func TestEveryPackageHasAPlace(t *testing.T) {
	b, err := os.ReadFile("../../.github/CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		beside := ""
		for _, m := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(strings.Split(line+"||", "|")[1], -1) {
			told[m[1]], told[beside+"/"+m[1]] = true, true // the second of a row may be named without its parent
			if strings.Contains(m[1], "/") {
				beside = filepath.Dir(m[1])
			}
		}
	}
	err = filepath.WalkDir("../..", func(path string, e os.DirEntry, err error) error {
		dir := strings.TrimPrefix(filepath.Dir(path), "../../")
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(dir, "test") && !told[dir] {
			t.Errorf("nothing says what %s is for", dir)
			told[dir] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The forms for issues are what GitHub takes: keys that it knows, a text on everything, ids that are there once.
func TestIssueForms(t *testing.T) {
	forms, err := filepath.Glob("../../.github/ISSUE_TEMPLATE/*.yml")
	if err != nil || len(forms) < 3 {
		t.Fatal(forms, err)
	}
	for _, path := range forms {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		dec := yaml.NewDecoder(f)
		dec.KnownFields(true)
		var form struct {
			Name, Description string
			Labels            []string
			Body              []struct {
				Type, ID   string
				Attributes struct {
					Label, Description, Value, Render string
					Options                           []struct {
						Label    string
						Required bool
					}
				}
				Validations struct{ Required bool }
			}
			Blank    *bool                               `yaml:"blank_issues_enabled"`
			Contacts []struct{ Name, URL, About string } `yaml:"contact_links"`
		}
		if err := dec.Decode(&form); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if filepath.Base(path) == "config.yml" {
			continue
		}
		if form.Name == "" || form.Description == "" || len(form.Body) < 2 {
			t.Errorf("%s has no name, description or body", path)
		}
		ids := map[string]bool{}
		for _, b := range form.Body {
			if b.Type == "markdown" && b.Attributes.Value != "" {
				continue
			}
			if b.ID == "" || b.Attributes.Label == "" || ids[b.ID] || !slices.Contains([]string{"input", "textarea", "checkboxes"}, b.Type) {
				t.Errorf("%s: %+v", path, b)
			}
			ids[b.ID] = true
		}
	}
}

// Links inside the repository lead somewhere.
func TestLinksOfTheGuides(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, page := range append(pages, "../../README.md", "../../.github/CONTRIBUTING.md", "../../.github/SECURITY.md", "../../.github/CHANGELOG.md", "../../reconcile/render/README.md", "../bench/README.md", "FAULTS.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// Every setting of the old connectors has its place in the migration guide, and the guide says of each
// rightly whether it is read.
func TestMigrationNamesEverySetting(t *testing.T) {
	text := func(path string) string {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	guide, settings := text("docs/migration.md"), text("../config/README.md")
	name := regexp.MustCompile("`([A-Z]+_[A-Z_]+)`")
	told := map[string]bool{} // whether it is read
	for line := range strings.Lines(guide) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			told[m[1]] = !strings.Contains(cells[2], "not read")
		}
	}
	for n, read := range told {
		current := strings.NewReplacer("HARFANGLAB_INTEL_", "HARFANGLAB_", "HARFANGLAB_INCIDENTS_", "HARFANGLAB_").Replace(n)
		is := strings.Contains(settings, "`"+n+"`") || strings.Contains(settings, "`"+current+"`") || strings.HasSuffix(n, "_PROXY")
		if is != read {
			t.Errorf("%s: the guide says that it is read: %t; it is: %t", n, read, is)
		}
	}
	old := regexp.MustCompile(`(?m)^\t\t([A-Z][A-Z_]+)=`)
	seen := 0
	for _, m := range old.FindAllStringSubmatch(text("../config/connectors_test.go"), -1) {
		seen++
		if _, ok := told[m[1]]; !ok {
			t.Errorf("the guide does not name %s", m[1])
		}
	}
	if seen < 50 {
		t.Errorf("found %d settings of old connectors; the test looks at too little", seen)
	}
}
