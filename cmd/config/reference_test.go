package config_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/config"
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

const exclusionFiles = `
## Exclusion files

Each file of ` + "`sync.exclusions`" + ` holds values that are never deployed, one a line; ` + "`#`" + ` begins a comment. A bad line is an error with
its number. What is excluded is a skip that names the entry, and ` + "`explain --value`" + ` tells it of any value.

| entry | excludes |
| --- | --- |
| ` + "`203.0.113.9`, `203.0.113.0/24`, `2001:db8::/32`" + ` | The address or network and every network that overlaps with it; URLs on such a host, in whatever notation it is written. |
| ` + "`example.org`" + ` | The domain and all names under it, and URLs on them. |
| ` + "`=example.org`" + ` | The domain alone, and URLs on it. |
| ` + "`79054025255fb1a26e4bc422aef54eb4`" + ` | The MD5, SHA-1 or SHA-256, and the other hashes that an indicator gives of the same file. |
| ` + "`file:setup.exe`" + ` | Rules for this bare file name; case makes no difference. |
| ` + "`https://portal.example.org/x`" + ` | This URL alone, as it is spelt. |

A file that begins with ` + "`{`" + ` is a warning list of MISP (github.com/MISP/misp-warninglists) and is read as it is: of type ` + "`hostname`" + ` each
name with all under it, of type ` + "`cidr`" + ` each network, of type ` + "`string`" + ` each text as a whole value. Other types are an error; an entry
that could be no value is passed over, as MISP does. A folder stands for all ` + "`.txt` and `.json`" + ` files in it and below, a checkout of MISP's lists for these; lists in it that
cannot be used are named in a warning.

The built-in list holds private, loopback, link-local and multicast addresses, public resolvers, the empty file, names and usual
paths of system files, and public suffixes. Its domains do not exclude URLs on them.
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
	want := guide + config.Reference() + mappings + exclusionFiles + otherNames + config.Aliases()
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
