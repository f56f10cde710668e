package main

import (
	"os/exec"
	"strings"
	"testing"
)

// imports says what a package may import beside itself and what is below it: of ours, and net/http. The
// first row that names it holds; tests may import what stands in the last column too. It points one way:
// cmd, then sources and sinks, then reconcile. A simulator that shared code with the client would share
// its misreading of the API, so it imports none, and only the program serves them.
var imports = []struct{ pkg, may, tests string }{
	{"cmd/bench", "cmd/httpclient reconcile/... sources/opencti sources/pattern sources/sigma sources/exclude sinks/harfanglab net/http", ""},
	{"cmd/harfangsync", "cmd/config cmd/httpclient cmd/metrics cmd/notify cmd/otlp reconcile/... sources/... sinks/... net/http", ""},
	{"cmd/harfangsync/migrate", "cmd/config cmd/harfangsync/deploy reconcile/...", ""},
	{"cmd/harfangsync/deploy", "", "cmd/config cmd/harfangsync/exit cmd/metrics"},
	{"cmd/harfangsync/...", "cmd/config cmd/harfangsync/exit cmd/httpclient reconcile/... sources/opencti sinks/harfanglab net/http", bothSims},
	{"cmd/httpclient", "reconcile/... net/http", ""},
	{"cmd/...", "reconcile/... sources/exclude net/http", "cmd/httpclient sources/pattern"},
	{"sources/simhttp", "net/http", ""},
	{"sources/octisim", "sources/simhttp net/http", "sources/simhttp/simtest"},
	{"sinks/hlsim", "sources/simhttp net/http", "sources/simhttp/simtest"},
	{"sinks/hlsim/evaluate", "", ""},
	{"sources/stix/stixtest", "", ""},
	{"sources/opencti", "reconcile/... net/http", bothSims},
	{"sinks/harfanglab", "reconcile/... net/http", bothSims},
	{"sources/sigma", "reconcile/... sources/pattern", "sinks/hlsim/evaluate"},
	{"sources/...", "reconcile/... sources/pattern", ""},
	{"reconcile/...", "reconcile/...", ""},
}

const bothSims = "sources/octisim sinks/hlsim sources/simhttp net/http"

// linked is what each binary must not link, however far down.
var linked = map[string]string{
	"cmd/bench":       "sources/octisim sources/simhttp sinks/hlsim testing net/http/httptest net/http/pprof",
	"cmd/harfangsync": "sources/stix/stixtest testing net/http/httptest net/http/pprof",
}

// fits says whether a package is one of words, each a package or, with /..., also those below it.
func fits(pkg, words string) bool {
	for w := range strings.FieldsSeq(words) {
		root, tree := strings.CutSuffix(w, "/...")
		if pkg == root || tree && strings.HasPrefix(pkg, root+"/") {
			return true
		}
	}
	return false
}

func TestImportsPointOneWay(t *testing.T) {
	const module = "github.com/harfangsync/harfangsync/"
	const form = `{{.ImportPath}};{{if eq .Name "main"}}main{{end}};{{join .Imports " "}};{{join .TestImports " "}} {{join .XTestImports " "}};{{join .Deps " "}}`
	out, err := exec.Command("go", "list", "-f", form, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	used := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		part := strings.Split(line, ";")
		pkg := strings.TrimPrefix(part[0], module)
		may, tests := "", ""
		for _, row := range imports {
			if fits(pkg, row.pkg) {
				may, tests = pkg+"/... "+row.may, row.tests
				used[row.pkg] = true
				break
			}
		}
		for which, allowed := range []string{may, may + " " + tests + " net/http net/http/httptest"} {
			for imported := range strings.FieldsSeq(part[2+which]) {
				imported = strings.TrimPrefix(imported, module)
				ours := fits(imported, "cmd/... reconcile/... sources/... sinks/... net/http net/http/httptest")
				if ours && !fits(imported, allowed) {
					t.Errorf("%s imports %s", pkg, imported)
				}
			}
		}
		never, binary := linked[pkg]
		if binary != (part[1] == "main") {
			t.Errorf("%s: a binary is in the table of what is linked, nothing else", pkg)
		}
		for dep := range strings.FieldsSeq(part[4]) {
			if fits(strings.TrimPrefix(dep, module), never) {
				t.Errorf("%s links %s", pkg, dep)
			}
		}
	}
	for _, row := range imports {
		if !used[row.pkg] {
			t.Errorf("no package is %s", row.pkg)
		}
	}
}
