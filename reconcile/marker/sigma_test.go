package marker_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

const body = "title: t\nlogsource:\n  product: windows\ndetection:\n  sel:\n    a: b\n  condition: sel\n"

func ref() marker.SigmaRef {
	return marker.SigmaRef{Base: "https://cti.example", Owner: "0a1b2c3d-0000-4000-8000-000000000001", Instance: instance, Applied: marker.Applied{Known: true, Sent: 0xabc, Maturity: "stable", Stored: 9}}
}

func TestWhatIsNoSigmaRule(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"nothing", "", "empty"},
		{"no YAML", "title: [", "not YAML"},
		{"a list", "- a", "not a YAML mapping"},
		{"a text", "hello", "not a YAML mapping"},
		{"two documents", body + "---\n" + body, "several YAML documents"},
		{"a correlation", "title: t\ncorrelation:\n  type: event_count\n", "correlation"},
		{"no title", strings.Replace(body, "title: t\n", "", 1), "no title"},
		{"a null title", strings.Replace(body, "title: t\n", "title: null\n", 1), "no title"},
		{"no logsource", strings.Replace(body, "logsource:\n  product: windows\n", "", 1), "no logsource"},
		{"an empty logsource", strings.Replace(body, "\n  product: windows", " {}", 1), "no logsource"},
		{"no detection", strings.Split(body, "detection")[0], "no detection"},
		{"no condition", strings.Replace(body, "  condition: sel\n", "", 1), "without a condition"},
		{"an empty condition", strings.Replace(body, "condition: sel", "condition: ", 1), "without a condition"},
		{"a null condition", strings.Replace(body, "condition: sel", "condition: ~", 1), "without a condition"},
		{"no conditions", strings.Replace(body, "condition: sel", "condition: []", 1), "without a condition"},
		{"a key twice", body + "title: u\n", `"title" stands twice`},
		{"a key twice inside", strings.Replace(body, "    a: b\n", "    a: b\n    a: c\n", 1), `"a" stands twice`},
		{"aliases without end", "a: &x [*x]\n" + body, "too large"},
		{"a bomb of aliases", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n" + body, "too large"},
		{"a bomb of texts", "a: &a " + strings.Repeat("x", 1<<19) + "\nb: [" + strings.Repeat("*a,", 100) + "]\n" + body, "too large"},
	} {
		if _, err := marker.ParseSigma(tt.src); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestTheIDOfARule(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{body, ""}, {body + "id: ABC\n", "abc"}, {body + "id:\n", ""}, {body + "id: null\n", ""}, {body + "id: ' 12 '\n", "12"}, {"x: &i ABC\n" + body + "id: *i\n", "abc"},
	} {
		r, err := marker.ParseSigma(tt.src)
		if err != nil || r.ID != tt.want {
			t.Errorf("%q: id %q, %v; want %q", tt.src, r.ID, err, tt.want)
		}
	}
}

// rules are texts that a careless writer of YAML would change.
var rules = map[string]string{
	"plain":                       body,
	"numbers":                     body + "x: [0x10, 1e3, 010, 0o17, 1_000, 1.50, .5, -0, +7, 12345678901234567890123, .inf, .NaN]\n",
	"numbers as texts":            body + "x: ['0x10', \"1e3\", '010', '1.50', '~', 'null', 'yes', 'true', '']\n",
	"words that may be flags":     body + "x: [yes, No, on, OFF, y, n, true, False, ~, null, Null]\n",
	"dates":                       body + "date: 2024-01-02\nmodified: '2024-01-02'\nx: 2024/01/02\ny: 2024-01-02T03:04:05Z\nz: 2024-01-02 03:04:05\n",
	"anchors":                     "x: &a {k: v, l: [1, 2]}\ny: *a\nz: &b text\n*b : key by alias\n" + body,
	"merge keys":                  "x: &a {k: v}\ny:\n  <<: *a\n  m: n\n" + body,
	"a literal block":             body + "x: |\n  line one\n\n    indented\n  trailing  \n\n",
	"a literal block kept":        body + "x: |+\n  line\n\n\ny: |-\n  no end\n",
	"a literal block indented":    body + "x: |2\n    starts with blanks\n  then not\n",
	"a folded block":              body + "x: >\n  one\n  two\n\n  three\n    more\n",
	"quotes":                      body + `x: ["a\tb\nc", 'it''s', "\\\\server\\share", "\u00e9\u202e", '#no comment', 'a: b', "- c", '*star', '&and', '!bang', '%x', '@y', '` + "`" + `z']` + "\n",
	"comments":                    "# head\n" + strings.Replace(body, "title: t\n", "title: t # of the title\n# between\n", 1) + "# foot\n",
	"unicode":                     body + "x: «日本語» \U0001F600\ny: 'é'\nz: \"\\U0001F600\"\n",
	"windows line ends":           strings.ReplaceAll(body+"x: |\n  a\n  b\n", "\n", "\r\n"),
	"flow":                        "{title: t, logsource: {product: windows}, detection: {sel: {a: b}, condition: sel}}",
	"tags":                        body + "x: !!str 12\ny: !custom z\nz: !!binary aGk=\n",
	"complex keys":                body + "? [a, b]\n: c\n",
	"an end of document":          "---\n" + body + "...\n",
	"a byte order mark":           "\uFEFF" + body,
	"long lines":                  body + "x: " + strings.Repeat("word ", 100) + "\n",
	"modifiers":                   body + "x:\n  'CommandLine|contains|all': ['\\ -enc ', '*.ps1', '?']\n  EventID: [1, 4688]\n  null_field: null\n",
	"references missing":          body,
	"references null":             body + "references:\n",
	"references empty":            body + "references: []\n",
	"references a text":           body + "references: https://a.example/x#y\n",
	"references a list":           body + "references:\n  - https://a.example\n  - 12\n  - ~\n",
	"references a mapping":        body + "references: {a: b}\n",
	"references by alias":         "x: &r [https://a.example]\n" + body + "references: *r\n",
	"references with another's":   body + "references:\n  - https://b.example/dashboard/observations/indicators/9#harfangsync=other,1:00-stable\n  - https://a.example\n",
	"references with one by text": body + "references: https://b.example/x/9#harfangsync=other,1:00-stable,disabled\n",
}

func TestAMarkedRuleSaysTheSame(t *testing.T) {
	for name, src := range rules {
		r, err := marker.ReadSigma(src)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, id := range []string{"", "0a1b2c3d-0000-4000-8000-00000000000f"} {
			text, err := r.Render(id, ref())
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			again, err := marker.ReadSigma(text)
			if err != nil || again.Class != marker.Ours || again.Ref != ref() {
				t.Errorf("%s: %v, class %d, %+v\n%s", name, err, again.Class, again.Ref, text)
				continue
			}
			want := r
			if id != "" {
				want = r.WithID(id)
				if again.ID != id {
					t.Errorf("%s: id %q", name, again.ID)
				}
			}
			if marker.SigmaText("n", want) != marker.SigmaText("n", again) {
				t.Errorf("%s: another meaning\n%s", name, text)
			}
			if n := strings.Count(text, "#harfangsync="); n != 1 {
				t.Errorf("%s: %d markers\n%s", name, n, text)
			}
		}
	}
}

func TestWhatIsComparedOfARule(t *testing.T) {
	digest := func(src string) uint64 {
		r, err := marker.ReadSigma(src)
		if err != nil {
			t.Fatalf("%v in %q", err, src)
		}
		return marker.SigmaText("n", r)
	}
	base := digest(body)
	for name, src := range map[string]string{
		"quotes and indentation": "title: \"t\"\nlogsource: {'product': windows}\ndetection:\n    condition: sel\n    sel:\n        a: 'b'\n",
		"no references":          body + "references: []\n",
		"our marker":             body + "references:\n- " + ref().String() + "\n",
	} {
		if digest(src) != base {
			t.Errorf("%s: differs", name)
		}
	}
	for _, tt := range [][2]string{{"x: 0x10", "x: 16"}, {"x: 2024-01-02", "x: '2024-01-02'"}, {"x: yes", "x: 'yes'"}, {"x: 1.50", "x: 1.5"}, {"references: r", "references: [r]"}, {"x: a\ny: b", "y: b\nx: a"}} {
		if digest(body+tt[0]) != digest(body+tt[1]) {
			t.Errorf("%q and %q differ", tt[0], tt[1])
		}
	}
	for _, tt := range [][2]string{{"x: 16", "x: '16'"}, {"x: ~", "x: ''"}, {"x: true", "x: 'true'"}, {"x: [a, b]", "x: [b, a]"}, {"x: [a]", "x: a"}, {"x: A", "x: a"}, {"? [a, b]\n: c", "? [a, d]\n: c"}} {
		if digest(body+tt[0]) == digest(body+tt[1]) {
			t.Errorf("%q and %q are the same", tt[0], tt[1])
		}
	}
}

func TestTheMarkerIsKnownByItsFragmentAndIDAlone(t *testing.T) {
	const tail = "/0a1b2c3d-0000-4000-8000-000000000001#harfangsync=" + instance + ",1:0000000000000abc-stable"
	for entry, disabled := range map[string]bool{
		ref().Base + "/dashboard/observations/indicators" + tail: false,
		"http://moved.example/elsewhere" + tail:                  false,
		"https://cti.example/base/path" + tail + ",disabled":     true,
		"  https://cti.example" + tail + "  ":                    false,
	} {
		r, err := marker.ReadSigma(body + "references: ['" + entry + "']\n")
		if err != nil || r.Class != marker.Ours || r.Ref.Owner != "0a1b2c3d-0000-4000-8000-000000000001" || r.Ref.Instance != instance || r.Ref.Disabled != disabled || !r.Ref.Applied.Known {
			t.Errorf("%s: %v, %+v", entry, err, r)
		}
	}
	for _, entry := range []string{"https://a.example/#harfangsync=x,1:0-stable", "https://a.example/9#other=x,y", "https://a.example/9#harfangsync=x"} {
		if r, err := marker.ReadSigma(body + "references: ['" + entry + "']\n"); err != nil || r.Class != marker.None {
			t.Errorf("%s: %v, class %d", entry, err, r.Class)
		}
	}
}

// Of a text that is no YAML the marker is an entry of a list, or in quotes; what a sentence says is none.
func TestTheMarkerOfATextThatIsNoYAML(t *testing.T) {
	const link = "https://a.example/dashboard/observations/indicators/9#harfangsync=x,1:0-stable"
	for src, want := range map[string]bool{
		"x: [\nreferences:\n    - https://b.example\n    - " + link + "\n":  true,
		"x: [\r\nreferences:\r\n- '" + link + "'\r\ny: 1\r\n":               true,
		"x: {\nreferences: [https://b.example, \"" + link + "\"]\n":         true,
		"x: [\ndescription: as in " + link + "\n":                           false,
		"x: [\nreferences:\n    - https://b.example/9#other=x,1:0-stable\n": false,
	} {
		ref, ok := marker.FindRef(src)
		if ok != want || ok && (ref.Owner != "9" || ref.Instance != "x") {
			t.Errorf("%q: %t, %+v", src, ok, ref)
		}
		ref.Disabled = true
		if got := marker.ReplaceRef(src, ref); ok && got != strings.Replace(src, link, ref.String(), 1) || !ok && got != src {
			t.Errorf("%q becomes %q", src, got)
		}
	}
}

func FuzzSigma(f *testing.F) {
	for _, src := range rules {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		r, err := marker.ReadSigma(src)
		if err != nil {
			return
		}
		text, err := r.Render("", ref())
		if err != nil {
			return // an invalid rule, said aloud
		}
		again, err := marker.ReadSigma(text)
		if err != nil || again.Ref != ref() || marker.SigmaText("n", r) != marker.SigmaText("n", again) {
			t.Errorf("%q becomes %q: %v", src, text, err)
		}
	})
}

func TestAMarkerIsALineMoreInItsAuthorsText(t *testing.T) {
	const line = "https://cti.example/dashboard/observations/indicators/2a1b2c3d-4e5f-4000-8000-000000000000#harfangsync=i,1:0000000000000001-stable"
	ref := marker.SigmaRef{Base: "https://cti.example", Owner: "2a1b2c3d-4e5f-4000-8000-000000000000", Instance: "i", Applied: marker.Applied{Known: true, Sent: 1, Maturity: "stable"}}
	for _, tt := range []struct{ name, src, want string }{
		{"a list", "title: 😀 one\nreferences:\n  - https://a.example  # seen\n\n# why\nlevel: high\n", "title: 😀 one\nreferences:\n  - https://a.example  # seen\n  - 'REF'\n\n# why\nlevel: high\n"},
		{"a flow list", "references: [ 'a' ]\r\ntitle: >\r\n  folded\r\n  text\r\n", "references: [ 'a', 'REF' ]\r\ntitle: >\r\n  folded\r\n  text\r\n"},
		{"a single one", "references: a # x\ntitle: t", "references:\n    - a\n    - 'REF' # x\ntitle: t"},
		{"none", "title: t\ndetection:\n        a:   1", "title: t\ndetection:\n        a:   1\nreferences:\n    - 'REF'"},
		{"an empty one", "title: t\nreferences:\nlevel: low\n", "title: t\nreferences:\n    - 'REF'\nlevel: low\n"},
		{"a former marker", "title: t\nreferences:\n    - b\n    - " + line + ",disabled\n", "title: t\nreferences:\n    - b\n    - 'REF'\n"},
		{"a former marker alone", "title: t\nreferences: [\"" + line + ",disabled\"]\n", "title: t\nreferences:\n    - 'REF'\n"},
	} {
		r, err := marker.ReadSigma(tt.src)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Render("", ref)
		if d := cmp.Diff(strings.ReplaceAll(tt.want, "REF", line), got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
		back, err := marker.ReadSigma(got)
		if err != nil || marker.SigmaText("n", back) != marker.SigmaText("n", r) || back.Ref != ref {
			t.Errorf("%s: read back as %+v, %v", tt.name, back, err)
		}
		if plain, err := marker.ReadSigma(marker.PlainSigma(got)); err != nil || marker.SigmaText("n", plain) != marker.SigmaText("n", r) || plain.Class != marker.None {
			t.Errorf("%s: a text encoded anew compares as another rule", tt.name)
		}
	}
}
