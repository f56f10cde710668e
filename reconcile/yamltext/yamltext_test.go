package yamltext_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// add appends an item to the list of a key, which it makes where there is none.
func add(item string) func(*yaml.Node) {
	return func(root *yaml.Node) {
		list := yamltext.Member(root, "list")
		if list == nil {
			root.Content = append(root.Content, yamltext.Scalar("list"), yamltext.List(yamltext.Scalar(item)))
			return
		}
		list.Content = append(list.Content, yamltext.Scalar(item))
	}
}

func drop(key string) func(*yaml.Node) {
	return func(root *yaml.Node) {
		for i := 0; i < len(root.Content); i += 2 {
			if root.Content[i].Value == key {
				root.Content = append(root.Content[:i], root.Content[i+2:]...)
				return
			}
		}
	}
}

func set(key, value string) func(*yaml.Node) {
	return func(root *yaml.Node) { yamltext.Member(root, key).Value = value }
}

func TestRewriteTouchesWhatChanged(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		change    func(*yaml.Node)
		want      string
	}{
		{"nothing", "a:  1 # one\n\n\nb: [ 2 ]", func(*yaml.Node) {}, "a:  1 # one\n\n\nb: [ 2 ]"},
		{"an item of a block", "list:\n  - 'a'  # first\n# last\nz: 1\n", add("b"), "list:\n  - 'a'  # first\n  - b\n# last\nz: 1\n"},
		{"an item of a block without indentation", "list:\n- a\nz: 1\n", add("b c"), "list:\n- a\n- b c\nz: 1\n"},
		{"an item of a flow", "list: [a,b ] # x\n", add("c: d"), "list: [a,b, 'c: d' ] # x\n"},
		{"an item of an empty flow", "list: []\n", add("a"), "list:\n    - a\n"},
		{"a key", "a: |\n  text\n\n", add("x"), "a: |\n  text\nlist:\n    - x\n\n"},
		{"a key after a kept end", "a: |+\n  text\n\n", add("x"), "a: |+\n  text\n\nlist:\n    - x\n"},
		{"a key of a flow", "{a: 1}", add("x"), "{a: 1, list: [x]}"},
		{"a key before the end of the document", "a: 1\n...\n", add("x"), "a: 1\nlist:\n    - x\n...\n"},
		{"a key in CRLF", "a: 1\r\nb:\r\n", add("x"), "a: 1\r\nb:\r\nlist:\r\n    - x\r\n"},
		{"a plain value", "a: x # y\n", set("a", "z"), "a: z # y\n"},
		{"a quoted value", "é: 1\n😀: 2\na: \"x\" # y\n", set("a", "it's"), "é: 1\n😀: 2\na: \"it's\" # y\n"},
		{"a value that needs quotes now", "a: x\n", set("a", "yes"), "a: 'yes'\n"},
		{"a value with control characters", "a: x\n", set("a", "b\tc\n"), "a: \"b\\tc\\n\"\n"},
		{"a value that grows", "a: some\n  text\n", set("a", "(some text) and more"), "a: (some\n  text) and more\n"},
		{"a tagged value", "a: !!str x\n", set("a", "z"), "a: !!str z\n"},
		{"an entry that goes", "a: 1\n# about b\nb:\n  - 2\n  - 3\nc: 4\n", drop("b"), "a: 1\n# about b\nc: 4\n"},
		{"the first entry of a flow", "{a: 1, b: 2}\n", drop("a"), "{b: 2}\n"},
		{"the last entry of a flow", "{a: 1, b: [2, 3] }\n", drop("b"), "{a: 1 }\n"},
		{"anchors, written out", "a: &x 1\nb: *x\n", add("c"), "a: 1\nb: 1\nlist:\n    - c\n"},
		{"emoji beside anchors", "a: &x 😀 \ue000 # 🎉\nb: *x\nc: \"\\\\U0001F600\\U0001F600\"\n", add("c"), "a: 😀 \ue000 # 🎉\nb: 😀 \ue000 # 🎉\nc: \"\\\\U0001F600😀\"\nlist:\n    - c\n"},
	} {
		root, err := yamltext.Parse(tt.src)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		tt.change(root)
		got, err := yamltext.Rewrite(tt.src, root)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestParseTakesOneMapping(t *testing.T) {
	for src, want := range map[string]string{"": "empty", "- a": "not a YAML mapping", "a: 1\n---\nb: 2": "several YAML documents", "a: [": "not YAML", "a: 1\n---\n": "", "a: 1\n---\n---\n": "", "a: 1\n---\n---\nb: 2": "several YAML documents", "a: &a [*a, *a]": "too large",
		"a: " + strings.Repeat("[", 250) + strings.Repeat("]", 250): "", "a: " + strings.Repeat("x", 8<<20): "", "a: [" + strings.Repeat("x,", 200_000) + "]": "too large"} {
		_, err := yamltext.Parse(src)
		if got := ""; err != nil && (want == "" || !strings.HasPrefix(err.Error(), want)) || err == nil && want != got {
			t.Errorf("%q: %v, want %q", src, err, want)
		}
	}
}

// What is deployed is bounded below what is read of a list, so that no rule becomes one that nobody can read.
func TestParseShortTakesWhatIsDeployed(t *testing.T) {
	for name, tt := range map[string]struct{ src, want string }{
		"deep":             {"a: " + strings.Repeat("[", 150) + strings.Repeat("]", 150), ""},
		"too deep":         {"a: " + strings.Repeat("[", 250) + strings.Repeat("]", 250), "nested too deep"},
		"deep by an alias": {"a: &a " + strings.Repeat("[", 150) + strings.Repeat("]", 150) + "\nb: " + strings.Repeat("[", 150) + "*a" + strings.Repeat("]", 150), "nested too deep"},
		"long":             {"a: " + strings.Repeat("x", 1<<20-3), ""},
		"too long":         {"a: " + strings.Repeat("x", 1<<20), "longer than 1 MiB"},
	} {
		_, err := yamltext.ParseShort(tt.src)
		if (err != nil) != (tt.want != "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzRewrite changes texts in the ways of the program: whatever comes back says what was asked for, and
// nothing is changed by changing nothing.
func FuzzRewrite(f *testing.F) {
	for _, s := range []string{"a: 1\nlist: [x, 'y', \"z\"]\n", "list:\r\n- a: |+\r\n    x\r\n\r\n- ? b\r\n  : c\r\n", "\ufeff{a: , list: [{b}, c: d]} # e", "a: &b c\nlist: *b", "a: >2-\n   x\n  y\nlist:\n - - z\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		root, err := yamltext.Parse(src)
		if err != nil {
			return
		}
		root = yamltext.Clone(root)
		if same, err := yamltext.Rewrite(src, root); err == nil && same != src && !strings.ContainsAny(src, "&*") {
			t.Fatalf("nothing changed, and %q becomes %q", src, same)
		}
		for _, change := range []func(*yaml.Node){add("new # text"), add("null"), drop("a")} {
			if list := yamltext.Member(root, "list"); list != nil && list.Kind != yaml.SequenceNode {
				return
			}
			change(root)
			got, err := yamltext.Rewrite(src, root)
			if err != nil {
				continue
			}
			if back, err := yamltext.Parse(got); err != nil || !yamltext.Equal(yamltext.Clone(back), root) {
				t.Fatalf("%q becomes %q: %v", src, got, err)
			}
		}
	})
}
