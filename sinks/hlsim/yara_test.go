package hlsim

import (
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// Contract harfanglab-api 12.21.
func TestYARAThatIsTaken(t *testing.T) {
	tests := []struct {
		name, content string
		names, tags   []any
	}{
		{"one rule", yaraSample, []any{"loader"}, []any{"attack.t1027.002", "attack.t1059"}},
		{"no strings", "rule a { condition: true }", []any{"a"}, []any{}},
		{"several rules, one calling another", "rule a { condition: filesize < 10KB } private rule b : x y { condition: a or not a } global private rule c { condition: none of (a, b*) }", []any{"a", "b", "c"}, []any{}},
		{"comments", "// rule no { }\n/* rule no\n { \" */ rule /* here */ a // and\n{ condition: true // end }\n }", []any{"a"}, []any{}},
		{"braces and quotes in strings", `rule a { strings: $a = "} rule b { condition: true }" $b = "\"\\" $c = "\x7d\t" condition: any of them }`, []any{"a"}, []any{}},
		{"hex strings", "rule a { strings: $h = { E2 34 ?? C8 ~00 A? [4-6] [-] [2] ( 62 B4 | 56 ) // c\n } $i = {00} private condition: $h and #i > 1 }", []any{"a"}, []any{}},
		{"regular expressions", `rule a { strings: $r = /a\/b{2,3} "rule x {"/is nocase wide $s = /https?:\/\/x/ condition: @r[1] < 100 and $s in (0..filesize) }`, []any{"a"}, []any{}},
		{"modifiers", `rule a { strings: $a = "x" nocase wide ascii fullword private $b = "y" xor(0x01-0xff) $c = "z" base64("abc") ascii $d = "w" xor condition: 2 of ($a, $b, $c, $d) at 0 }`, []any{"a"}, []any{}},
		{"unnamed strings", `rule a { strings: $ = "x" $ = "y" condition: for any of them : ( # > 2 and $ at 0 ) }`, []any{"a"}, []any{}},
		{"modules", "import \"pe\"\nimport \"math\"\ninclude \"other.yar\"\nrule a { condition: pe.is_pe and math.entropy(0, filesize) >= 7.2 and pe.sections[0].name == \".text\" and uint16(0) == 0x5A4D }", []any{"a"}, []any{}},
		{"loops", `import "pe" rule a { strings: $a = "x" condition: for all i in (1..#a) : ( @a[i] > 10 ) and for any s in pe.sections : ( s.name matches /UPX/i ) and for any k, v in pe.version_info : ( k == "x" and v contains "y" ) }`, []any{"a"}, []any{}},
		{"shares and counts", `rule a { strings: $a1 = "x" $a2 = "y" condition: 50% of ($a*) or #a1*2 > 3 and not defined $a1 and (-1 < 2 \ 1) and !a1[1] == 1 }`, []any{"a"}, []any{}},
		{"strings that may stay unused", `rule a { strings: $_a = "x" condition: true }`, []any{"a"}, []any{}},
		{"techniques in meta, not elsewhere", `rule a { meta: t = "uses T1105, T1059.003" n = -1 b = true strings: $a = "T9999" condition: $a }`, []any{"a"}, []any{"attack.t1059.003", "attack.t1105"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, Options{})
			e := m.do("POST", yaras, m.yara("f", tt.content)).entry(t)
			if e["status"] != true {
				t.Fatalf("refused: %v", e)
			}
			got := m.get(yaras).rows(t)[0]
			want := object{"rule_names": tt.names, "rule_technique_tags": tt.tags, "content": tt.content}
			simtest.Same(t, "held", want, object{"rule_names": got["rule_names"], "rule_technique_tags": got["rule_technique_tags"], "content": got["content"]})
		})
	}
}

func TestYARAThatIsRefused(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"nothing", "// only a comment", "line 1: no rule"},
		{"prose", "this is no rule", `line 1: syntax error, unexpected "this"`},
		{"no condition", "rule a { strings: $a = \"x\" }", `unexpected "}"`},
		{"an empty condition", "rule a { condition: }", "expecting an expression"},
		{"half an expression", "rule a { condition: true and }", "expecting an expression"},
		{"no end", "rule a {\n condition: true\n", "line 3: syntax error"},
		{"a parenthesis", "rule a { condition: (true }", "expecting an expression"},
		{"a rule twice", "rule a { condition: true }\nrule a { condition: true }", `line 2: duplicated identifier "a"`},
		{"a string twice", `rule a { strings: $a = "x" $a = "y" condition: $a }`, `duplicated string identifier "$a"`},
		{"an unknown string", `rule a { strings: $a = "x" condition: $a and $b }`, `undefined string "$b"`},
		{"no string of that pattern", `rule a { strings: $a = "x" condition: any of ($b*) }`, `undefined string "$b*"`},
		{"an unused string", `rule a { strings: $a = "x" $b = "y" condition: $a }`, `unreferenced string "$b"`},
		{"them without strings", "rule a { condition: any of them }", "undefined string"},
		{"a keyword as a name", "rule condition { condition: true }", "expecting the name of a rule"},
		{"sections in another order", `rule a { strings: $a = "x" meta: b = 1 condition: $a }`, `unexpected "meta"`},
		{"an open string", "rule a { strings: $a = \"x\n condition: $a }", `"$a" is no text`},
		{"an unknown escape", `rule a { strings: $a = "\q" condition: $a }`, `"$a" is no text`},
		{"hex that is none", "rule a { strings: $a = { 0G } condition: $a }", `"$a" is no text`},
		{"a comment without end", "rule a { condition: true } /* ", "syntax error"},
	}
	m := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := m.do("POST", yaras, m.yara("f", tt.content)).want(t, 201, "").entry(t)
			if why, _ := e["content"].(string); e["status"] != false || e["code"] != "invalid_yara_content" || !strings.Contains(why, tt.want) {
				t.Errorf("got %v, want %q", e, tt.want)
			}
		})
	}
	simtest.Is(t, "files stored", 0, m.Count(YARA))
}

// Contract harfanglab-api 4.6, 12.21.
func TestYARAFiles(t *testing.T) {
	m := start(t, Options{})
	other, err := m.AddSource(YARA, "other")
	simtest.Fine(t, err)
	path := m.makeFile(yaras, m.yara("same", yaraSample))
	elsewhere := m.makeFile(yaras, m.yara("same", "rule elsewhere { condition: true }", object{"source_id": other}))
	second := m.yara("same", "rule second { condition: true }")
	simtest.Is(t, "overwrite made", path, m.makeFile(yaras, merge(second, object{"overwrite": true})))
	m.get(path).want(t, 200, `"rule_names":["second"]`)
	m.get(elsewhere).want(t, 200, `"rule_names":["elsewhere"]`)
	if fresh := m.makeFile(yaras, m.yara("fresh", yaraSample, object{"overwrite": true})); fresh == path {
		t.Error("overwrite took a file of another name")
	}
	if twin := m.makeFile(yaras, merge(second, object{"overwrite": false})); twin == path {
		t.Error("a namesake replaced a file without overwrite")
	}
	for query, want := range map[string]int{"?search=SECOND": 2, "?name__exact=same": 3, "?source_id=" + other: 1, "?search=loader": 1} {
		if n := len(m.get(yaras + query).rows(t)); n != want {
			t.Errorf("%s: %d files, want %d", query, n, want)
		}
	}
	m.do("PATCH", path, object{"content": "rule third { condition: nothing of them }"}).want(t, 400, `{"content":["line 1: `)
	m.do("PATCH", path, object{"content": "rule third { condition: true }"}).want(t, 200, `"rule_names":["third"]`)
	m.do("PUT", path, m.yara("renamed", yaraSample)).want(t, 200, `"name":"renamed"`)
	m.do("DELETE", path, nil).want(t, 204, "")
	m.do("DELETE", path, nil).want(t, 404, "")
}
