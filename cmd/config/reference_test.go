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
unset. Secrets are never flags; each may also come from a file, named by ` + "`NAME_FILE`" + `, without its line end. One pair of
quotes around a whole value of the environment, as compose files leave it on, is taken off with a warning.

` + "`harfangsync config validate`" + ` reports every problem at once with its origin and its remedy, ` + "`config print`" + ` shows what is in
effect and where it comes from, and ` + "`config schema`" + ` prints a JSON Schema for editors.

` + "`go test ./cmd/config -update`" + ` writes this page from the code.

`

const mappings = `
## Mapping

Without ` + "`sync.mapping`" + ` a rule has the level, the confidence and the blocking that its manager gives it. With it, the first
entry that matches an indicator says what its rules are asked to be; an indicator that no entry matches, and a field that its
entry does not name, are left as they are. The list stands in config.yml, or in a YAML file of its own that the setting names.

` + "```yaml" + `
sync:
  mapping:
    - name: ransomware                  # for explain
      match: {label: [ransomware, wiper], kind: ioc, type: [hash, domain_name]}
      level: critical
      confidence: strong
      global_state: quarantine
    - match: {min_score: 80}
      level: high
      global_state: block
    - match: {kind: [sigma, yara], max_score: 40}
      maturity: testing
    - level: low                        # everything else
` + "```" + `

| key | values | meaning |
| --- | --- | --- |
| ` + "`match`" + ` | conditions, all of which have to hold; without any the entry matches everything | |
| ` + "`match.min_score`, `match.max_score`" + ` | 0 to 100 | The indicator's score; one without a score matches neither. |
| ` + "`match.kind`" + ` | list of ` + "`ioc` (or `stix`), `sigma`, `yara`" + ` | The kind of the rule. |
| ` + "`match.type`" + ` | list of ` + "`hash`, `filename`, `filepath`, `ip_src`, `ip_dst`, `ip_both`, `domain_name`, `url`" + ` | The type of an IOC rule. |
| ` + "`match.label`" + ` | list | Any of these labels; case makes no difference. |
| ` + "`level`" + ` | ` + "`informational`, `low`, `medium`, `high`, `critical`" + ` | The rule's level override. |
| ` + "`confidence`" + ` | ` + "`weak`, `moderate`, `strong`" + ` | The rule's confidence override. |
| ` + "`global_state`" + ` | ` + "`alert`, `block`, `quarantine`" + `, and ` + "`backend_alert`" + ` for IOC rules | What agents do. |
| ` + "`maturity`" + ` | ` + "`stable`, `testing`" + ` | In place of ` + "`harfanglab.rule_maturity`" + `. |

Of several indicators that want one value the winner counts, which is the first owner that a plan shows. What an entry asks for
is compared in each run and set back when it was changed in the console; a score that crosses a bound changes it, too. What
HarfangLab does not take is noted in the rule and not sent again; the log says so once.
`

const otherNames = `
## Other names

The names of the older connectors work unchanged. Every ` + "`harfanglab.*`" + ` setting may also stand under ` + "`harfanglab_intel.*`" + ` and
` + "`harfanglab_incidents.*`" + ` (environment ` + "`HARFANGLAB_INTEL_*`" + `, ` + "`HARFANGLAB_INCIDENTS_*`" + `). Two names with different values are an
error. What they or their library ask for and is not done here, such as ` + "`CONNECTOR_VALIDATE_BEFORE_IMPORT`" + `, is a warning with its
name. These are spelt differently:

`

// The page is generated, so that it cannot go stale.
func TestREADMEIsTheReference(t *testing.T) {
	want := guide + config.Reference() + mappings + otherNames + config.Aliases()
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
