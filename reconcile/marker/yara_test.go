package marker_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

func TestYARAMarker(t *testing.T) {
	l := marker.YARALine{Owners: []string{"id-1", "id-2"}, Instance: instance, Applied: marker.Applied{Known: true, Sent: 0xabc, Maturity: "testing"}, Disabled: "revoked"}
	const file = "rule a {\n  condition: true\n}\n"
	text := marker.MarkYARA(file, l)
	first, _, _ := strings.Cut(text, "\n")
	if want := "// harfangsync indicator=id-1,id-2 instance=" + instance + " applied=1:0000000000000abc-testing disabled=revoked"; first != want {
		t.Errorf("first line %q, want %q", first, want)
	}
	for name, src := range map[string]string{"as written": text, "windows line ends": strings.ReplaceAll(text, "\n", "\r\n"), "blanks around": "  " + strings.Replace(text, "//", "// \t", 1)} {
		got, rest, class := marker.SplitYARA(src)
		if d := cmp.Diff(l, got); class != marker.Ours || d != "" || marker.NormalYARA(rest) != marker.NormalYARA(file) {
			t.Errorf("%s: class %d, rest %q (-want +got):\n%s", name, class, rest, d)
		}
		if marker.YARAText("n", src) != marker.YARAText("n", file) {
			t.Errorf("%s: the marker or the line ends are compared", name)
		}
	}
	l.Disabled = ""
	if again := marker.MarkYARA(text, l); strings.Count(again, "harfangsync") != 1 {
		t.Errorf("two markers: %q", again)
	}
	for _, src := range []string{file, "// harfangsync\n" + file, "// harfangsync indicator= instance=x applied=y\n" + file, "// harfangsync indicator=a applied=y\n" + file, "\n" + text, "// made by harfangsync indicator=a instance=b\n" + file} {
		if _, rest, class := marker.SplitYARA(src); class != marker.None || rest != src {
			t.Errorf("%q is taken for ours", src)
		}
	}
}

func TestWhatIsComparedOfAFile(t *testing.T) {
	const file = "rule a {\n  condition: true\n}"
	for _, same := range []string{file + "\n", "\n\n" + file + "\n\n", "rule a {  \n  condition: true\t\n}", "rule a {\r\n  condition: true\r\n}\r\n"} {
		if marker.YARAText("n", same) != marker.YARAText("n", file) {
			t.Errorf("%q differs", same)
		}
	}
	if marker.YARAText("n", " "+file) == marker.YARAText("n", file) || marker.YARAText("m", file) == marker.YARAText("n", file) {
		t.Error("another text or another name is the same")
	}
}

func TestCheckYARA(t *testing.T) {
	rule := func(strs, condition string) string {
		return "rule r {\n  strings:\n    " + strs + "\n  condition:\n    " + condition + "\n}\n"
	}
	for _, tt := range []struct {
		name, src string
		names     []string
		err       string
	}{
		{name: "the least", src: "rule r{condition:true}", names: []string{"r"}},
		{name: "modules, flags and tags", src: "import \"pe\"\ninclude \"x.yar\"\nglobal private rule a : t1 t2 { condition: pe.is_dll() }\nprivate rule b { condition: a }", names: []string{"a", "b"}},
		{name: "hex with jumps, alternatives and comments", src: rule("$a = { E2 34 [4-6] ?? 6? ( 62 B4 | 56 ) // } not the end\n /* } */ ~00 [-] F4 }", "$a"), names: []string{"r"}},
		{name: "braces and comment signs in a text", src: rule(`$a = "{ // } /* \" \\"`, "$a"), names: []string{"r"}},
		{name: "a regular expression", src: rule(`$a = /ab{2,3}\/\/[^"{]+"/ nocase`, "$a"), names: []string{"r"}},
		{name: "a regular expression in the condition", src: rule(`$a = "x"`, `pe.name matches /a"{/ and not (/b"/ == 1)`), names: []string{"r"}},
		{name: "a division", src: rule(`$a = "x"`, "filesize / 2 > 10 and #a / 2 == 1 and (1 + 2) / 3 == 1"), names: []string{"r"}},
		{name: "comments everywhere", src: "// rule x {\n/* rule y { */ rule /* } */ r // \"\n{ condition: /* \" */ true }", names: []string{"r"}},
		{name: "a name in capitals and digits", src: "rule _R2 { condition: true }", names: []string{"_R2"}},
		{name: "bytes beyond ASCII", src: rule(`$a = "é" // ü`, "$a"), names: []string{"r"}},
		{name: "no rule", src: "import \"pe\"", err: "no rule"},
		{name: "nothing", src: " \n// only words", err: "no rule"},
		{name: "no name", src: "rule { condition: true }", err: "without a valid name"},
		{name: "a name that starts with a digit", src: "rule 1a { condition: true }", err: "without a valid name"},
		{name: "one name twice", src: "rule a { condition: true } rule a { condition: true }", err: "two rules are named a"},
		{name: "an open brace", src: "rule a { condition: true", err: "brace is not closed"},
		{name: "a brace too many", src: "rule a { condition: true } }", err: "brace too many"},
		{name: "no body", src: "rule a", err: "no body"},
		{name: "no condition", src: "rule a { strings: $a = \"condition\" }", err: "no condition"},
		{name: "a string called condition", src: "rule a { strings: $condition = \"x\" }", err: "no condition"},
		{name: "an open text", src: rule("$a = \"x", "$a"), err: "line 3: a string is not closed"},
		{name: "an open comment", src: "rule a { /* condition: true }", err: "comment is not closed"},
		{name: "a rule in the head of another", src: "rule a rule b { condition: true }", err: "inside the head"},
		{name: "a brace outside of a rule", src: "{ }", err: "outside a rule"},
	} {
		names, err := marker.CheckYARA(tt.src)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if d := cmp.Diff(tt.names, names); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
	}
}

func FuzzYARA(f *testing.F) {
	f.Add("// harfangsync indicator=a instance=b applied=1:0000000000000abc-stable\nrule r { condition: true }")
	f.Add("rule r { strings: $a = { 00 [1-2] // x\n } $b = /a\\/b/ condition: $a }")
	f.Fuzz(func(t *testing.T, src string) {
		l, rest, class := marker.SplitYARA(src)
		if class == marker.Ours && marker.NormalYARA(marker.NormalYARA(rest)) != marker.NormalYARA(rest) {
			t.Errorf("the normal form of %q is not stable", rest)
		}
		names, err := marker.CheckYARA(src)
		if err == nil && len(names) == 0 {
			t.Errorf("%q has no rule and passes", src)
		}
		if class == marker.Ours && l.Applied.Known {
			again, _, class := marker.SplitYARA(marker.MarkYARA(src, l))
			if class != marker.Ours || !cmp.Equal(again, l) {
				t.Errorf("%q: %+v, then %+v", src, l, again)
			}
		}
	})
}
