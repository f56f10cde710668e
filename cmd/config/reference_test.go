package config_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"harfangsync/cmd/config"
)

var update = flag.Bool("update", false, "write README.md anew")

const guide = `# Settings

A flag wins over the environment, that over the file, and that over the default. The file is the one of ` + "`--config`" + `,
else of ` + "`HARFANGSYNC_CONFIG`" + `, else ` + "`config.yml`" + ` where it is present; a dot in a name below is a level in it. An empty value is
unset. Secrets are never flags; each may also come from a file, named by ` + "`NAME_FILE`" + `, without its line end.

` + "`harfangsync config validate`" + ` reports every problem at once with its origin and its remedy, ` + "`config print`" + ` shows what is in
effect and where it comes from, and ` + "`config schema`" + ` prints a JSON Schema for editors.

` + "`go test ./cmd/config -update`" + ` writes this page from the code.

`

const otherNames = `
## Other names

The names of the older connectors work unchanged. Every ` + "`harfanglab.*`" + ` setting may also stand under ` + "`harfanglab_intel.*`" + ` and
` + "`harfanglab_incidents.*`" + ` (environment ` + "`HARFANGLAB_INTEL_*`" + `, ` + "`HARFANGLAB_INCIDENTS_*`" + `). Two names with different values are an
error. These are spelt differently:

`

// The page is generated, so that it cannot go stale.
func TestREADMEIsTheReference(t *testing.T) {
	want := guide + config.Reference() + otherNames + config.Aliases()
	const page = "README.md"
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("README.md is stale, run go test ./cmd/config -update (-want +got):\n%s", d)
	}
}
