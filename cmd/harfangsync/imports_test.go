package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Imports point one way: cmd, then sources and sinks, then reconcile. A simulator that shared code with
// the client would share its misreading of the API.
func TestImportsPointOneWay(t *testing.T) {
	rules := []struct {
		from  string // packages at or below
		never []string
		but   []string
	}{
		{from: "harfangsync/reconcile", never: []string{"harfangsync/cmd", "harfangsync/sources", "harfangsync/sinks", "net/http"}},
		{from: "harfangsync/sources", never: []string{"harfangsync/cmd", "harfangsync/sinks"}},
		{from: "harfangsync/sinks", never: []string{"harfangsync/cmd", "harfangsync/sources"}, but: []string{"harfangsync/sources/simhttp"}},
		{from: "harfangsync/sources/octisim", never: []string{"harfangsync/sources/opencti", "harfangsync/sources/pattern"}},
		{from: "harfangsync/sinks/hlsim", never: []string{"harfangsync/sinks/harfanglab", "harfangsync/reconcile"}},
		{from: "harfangsync/sources/simhttp", never: []string{"harfangsync/reconcile", "harfangsync/sources/opencti", "harfangsync/sources/octisim"}},
	}
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "harfangsync/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	below := func(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }
	own := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if !strings.HasPrefix(words[0], "harfangsync/") {
			continue
		}
		own++
		for _, r := range rules {
			if !below(words[0], r.from) {
				continue
			}
			for _, imported := range words[1:] {
				for _, root := range r.never {
					if below(imported, root) && !slices.Contains(r.but, imported) {
						t.Errorf("%s imports %s", words[0], imported)
					}
				}
			}
		}
	}
	if own < 15 {
		t.Errorf("go list named %d of our packages; the test looks at too little", own)
	}
}
