package config_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile"
)

// exampleMapping is the README's, indented as in a file of its own.
func exampleMapping(t testing.TB) (inline, alone string) {
	t.Helper()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	inline, _, found := strings.Cut(rest, "```")
	_, alone, found2 := strings.Cut(inline, "mapping:\n")
	if !found || !found2 {
		t.Fatal("the README has no example of a mapping")
	}
	return inline, alone
}

func TestAMappingIsReadFromBothPlaces(t *testing.T) {
	want := reconcile.Mapping{
		{Name: "ransomware", Kinds: []reconcile.Kind{reconcile.IOC}, Types: []string{"hash", "domain_name"}, Labels: []string{"ransomware", "wiper"},
			Mapped: reconcile.Mapped{Level: "critical", Confidence: "strong", State: "quarantine"}},
		{MinScore: new(80), Mapped: reconcile.Mapped{Level: "high", State: "block"}},
		{MaxScore: new(40), Kinds: []reconcile.Kind{reconcile.Sigma, reconcile.YARA}, Mapped: reconcile.Mapped{Maturity: "testing"}},
		{Mapped: reconcile.Mapped{Level: "low"}},
	}
	inline, alone := exampleMapping(t)
	digests := map[string]bool{}
	for name, in := range map[string]config.Sources{
		"the settings":    {ReadFile: files{"config.yml": inline}.read},
		"a file":          {Flags: map[string]string{"sync.mapping": "m.yml"}, ReadFile: files{"m.yml": alone}.read},
		"another file":    {Env: []string{"HARFANGSYNC_MAPPING=n.yml"}, ReadFile: files{"n.yml": strings.ReplaceAll(alone, "name: ransomware", "name: other")}.read},
		"in other words":  {ReadFile: files{"config.yml": strings.NewReplacer("level: high", "level: HIGH", "kind: ioc", "kind: STIX", "[ransomware, wiper]", "'Wiper, ransomware,'").Replace(inline)}.read},
		"by aliases":      {ReadFile: files{"config.yml": "x: &top {level: high, global_state: block}\n" + strings.Replace(inline, "      level: high\n      global_state: block\n", "      <<: *top\n", 1)}.read},
		"the environment": {Env: []string{"HARFANGSYNC_MAPPING=[{name: ransomware, match: {label: [ransomware, wiper], kind: ioc, type: [hash, domain_name]}, level: critical, confidence: strong, global_state: quarantine}, {match: {min_score: 80}, level: high, global_state: block}, {match: {kind: [sigma, yara], max_score: 40}, maturity: testing}, {level: low}]"}, ReadFile: files{}.read},
	} {
		c, err := config.Load(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := append(reconcile.Mapping{}, c.Sync.Mapping...)
		got[0].Name = "ransomware"
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		digests[config.SettingsDigest(c)] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d settings digests of one mapping", len(digests))
	}
	none, err := load("", "")
	if err != nil {
		t.Fatal(err)
	}
	if digests[config.SettingsDigest(none)] {
		t.Error("the settings digest does not cover the mapping")
	}
}

// TestWrongMappings holds that everything wrong is said at once, each with its line and the way out.
func TestWrongMappings(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"an empty file", "", []string{"sync.mapping: holds no entry (m.yml); write entries, or remove the setting"}},
		{"an empty list", "[]\n", []string{"sync.mapping: holds no entry (m.yml line 1); write entries, or remove the setting"}},
		{"no list", "level: high\n", []string{"sync.mapping: is no list of entries (m.yml line 1); begin each entry with a dash"}},
		{"no YAML", "- {\n", []string{"sync.mapping: is no valid YAML: line 1: did not find expected node content (m.yml)"}},
		{"two documents", "- level: low\n---\n- level: low\n", []string{"sync.mapping: holds more than one document (m.yml); keep one"}},
		{"no entries", "- high\n- [level]\n", []string{
			"sync.mapping: entry 1: is not made of keys of an entry (m.yml line 1); write keys and values, as in level: high",
			"sync.mapping: entry 2: is not made of keys of an entry (m.yml line 2); write keys and values, as in level: high",
			"sync.mapping: entry 2: is never reached, because entry 1 matches everything (m.yml line 2); move that one to the end"}},
		{"misspelt keys and words", "- match:\n    minscore: 80\n    labels: [a]\n    kind: [ioc, snort]\n    type: domain\n  lvl: hihg\n  level: hihg\n  confidence: sure\n  global_state: blocked\n", []string{
			`sync.mapping: entry 1: "minscore" is no key of match (m.yml line 2); did you mean min_score?`,
			`sync.mapping: entry 1: "labels" is no key of match (m.yml line 3); did you mean label?`,
			`sync.mapping: entry 1: "snort" is none of its values (m.yml line 4); choose ioc, sigma, yara or stix`,
			`sync.mapping: entry 1: "domain" is none of its values (m.yml line 5); choose hash, filename, filepath, ip_src, ip_dst, ip_both, domain_name or url`,
			`sync.mapping: entry 1: "lvl" is no key of an entry (m.yml line 6); did you mean level?`,
			`sync.mapping: entry 1: "hihg" is none of its values (m.yml line 7); did you mean high?`,
			`sync.mapping: entry 1: "sure" is none of its values (m.yml line 8); choose weak, moderate or strong`,
			`sync.mapping: entry 1: "blocked" is none of its values (m.yml line 9); did you mean block?`}},
		{"conditions outside of match", "- min_score: 80\n  level: high\n", []string{`sync.mapping: entry 1: "min_score" is no key of an entry (m.yml line 1); put it under match`}},
		{"a state that disables", "- global_state: disabled\n", []string{`sync.mapping: entry 1: "disabled" is none of its values (m.yml line 1); choose alert, block, quarantine or backend_alert`}},
		{"a key twice", "- level: high\n  level: low\n", []string{"sync.mapping.level: stands twice (m.yml line 2); keep one"}},
		{"scores that are none", "- match: {min_score: 101, max_score: many}\n  level: high\n", []string{
			`sync.mapping: entry 1: "101" is no whole number from 0 to 100 (m.yml line 1)`,
			`sync.mapping: entry 1: "many" is no whole number from 0 to 100 (m.yml line 1)`}},
		{"a range without a score", "- match: {min_score: 60, max_score: 40}\n  level: high\n", []string{"sync.mapping: entry 1: matches no score: min_score 60 is above max_score 40 (m.yml line 1)"}},
		{"a type of no IOC", "- match: {kind: sigma, type: hash}\n  level: high\n", []string{"sync.mapping: entry 1: matches no rule: only IOC rules have a type (m.yml line 1); leave out the type, or write kind: ioc"}},
		{"a state that only IOC rules have", "- match: {min_score: 1}\n  global_state: backend_alert\n- match: {type: hash}\n  global_state: backend_alert\n- match: {kind: ioc}\n  global_state: backend_alert\n",
			[]string{"sync.mapping: entry 1: backend_alert is a state of IOC rules alone (m.yml line 1); add kind: ioc to its match"}},
		{"entries that are never reached", "- level: low\n- match: {min_score: 80}\n  level: high\n", []string{"sync.mapping: entry 2: is never reached, because entry 1 matches everything (m.yml line 2); move that one to the end"}},
		{"an entry for nothing", "- match: {label: test}\n- {}\n", []string{"sync.mapping: entry 2: matches everything and asks for nothing (m.yml line 2); remove it: that is so without an entry"}},
		{"values of another shape", "- level: [high, low]\n  name: {a: b}\n  match: 80\n", []string{
			"sync.mapping: entry 1: holds a list or keys where a single value belongs (m.yml line 1); write one value",
			"sync.mapping: entry 1: holds a list or keys where a single value belongs (m.yml line 2); write one value",
			"sync.mapping: entry 1: is not made of keys of match (m.yml line 3); write keys and values, as in level: high"}},
		{"what does not print", "- name: \"a\\e[31mb\"\n  level: low\n", []string{`sync.mapping: entry 1: "a\x1b[31mb" has characters that do not print (m.yml line 1); write it anew`}},
		{"an alias of itself", "- &x\n  match: *x\n", []string{"sync.mapping"}},
	} {
		_, err := config.Load(config.Sources{Flags: map[string]string{"sync.mapping": "m.yml"}, ReadFile: files{"m.yml": tt.file}.read})
		var got []string
		for _, p := range problems(err) {
			got = append(got, p.Error())
		}
		if tt.name == "an alias of itself" { // the text matters less than that it ends
			if len(got) == 0 {
				t.Error("an alias of itself is taken")
			}
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	_, err := load("sync:\n  mapping:\n"+strings.Repeat("    - {match: {label: a}, level: high}\n", 1001), "")
	if err == nil || !strings.Contains(err.Error(), "holds 1001 entries, of which at most 1000") {
		t.Errorf("too many: %v", err)
	}
	_, err = load("sync:\n  mapping:\n    - level: hihg\n", "")
	if err == nil || err.Error() != `sync.mapping: entry 1: "hihg" is none of its values (config.yml line 3); did you mean high?` {
		t.Errorf("in the settings: %v", err)
	}
	_, err = load("sync:\n  mapping: [high, low]\n", "")
	if err == nil || !strings.Contains(err.Error(), "entry 1: is not made of keys") {
		t.Errorf("single values: %v", err)
	}
	_, err = load("", "HARFANGSYNC_MAPPING=none.yml")
	if err == nil || err.Error() != "sync.mapping: its file cannot be read: none.yml: file does not exist (environment HARFANGSYNC_MAPPING)" {
		t.Errorf("a missing file: %v", err)
	}
}

// An entry may ask for nothing: what it matches is then left alone, whatever the entries behind it say.
func TestAnEntryMayBeAnException(t *testing.T) {
	c, err := load("sync:\n  mapping:\n    - match: {label: test}\n    - level: high\n", "")
	if err != nil {
		t.Fatal(err)
	}
	ind := reconcile.Indicator{Labels: []string{"Test"}}
	if to, at := c.Sync.Mapping.Match(&ind, reconcile.IOC, "url"); at != 0 || to != (reconcile.Mapped{}) {
		t.Errorf("entry %d, %+v", at, to)
	}
}

func TestAPrintedMappingIsReadAsTheSame(t *testing.T) {
	inline, alone := exampleMapping(t)
	for name, f := range map[string]files{
		"entries": {"config.yml": inline},
		"a file":  {"config.yml": "sync:\n  mapping: m.yml\n", "m.yml": alone},
	} {
		c, err := config.Load(config.Sources{ReadFile: f.read})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := config.Print(&b, c); err != nil {
			t.Fatal(err)
		}
		again := files{"config.yml": b.String(), "m.yml": f["m.yml"]}
		c2, err := config.Load(config.Sources{ReadFile: again.read})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, b.String())
		}
		if d := cmp.Diff(c.Sync.Mapping, c2.Sync.Mapping); d != "" || c.Sync.MappingFile != c2.Sync.MappingFile {
			t.Errorf("%s (-first +second):\n%s", name, d)
		}
	}
}
