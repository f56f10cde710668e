package yamltext

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// step is by how much the entries of a new collection are indented.
const step = 4

// print is the text of one entry, without the indentation of its first line and without its line end.
func (e *editor) print(entry []*yaml.Node, in place) string {
	if len(entry) == 2 {
		return e.inline(entry[0], in.flow) + ":" + e.value(entry[1], in)
	}
	if in.flow {
		return e.inline(entry[0], true)
	}
	return "- " + strings.TrimLeft(e.block(entry[0], in.indent+len("- ")), " ")
}

// value is the text of a mapping's value, from the key's colon on.
func (e *editor) value(n *yaml.Node, in place) string {
	if in.flow || n.Kind == yaml.ScalarNode || len(n.Content) == 0 {
		return " " + e.inline(n, in.flow)
	}
	return e.eol + e.block(n, in.indent+step)
}

// block is the text of a node whose lines are all indented.
func (e *editor) block(n *yaml.Node, indent int) string {
	if n.Kind == yaml.ScalarNode || len(n.Content) == 0 {
		return strings.Repeat(" ", indent) + e.inline(n, false)
	}
	width := 1
	if n.Kind == yaml.MappingNode {
		width = 2
	}
	var lines []string
	for entry := range slices.Chunk(n.Content, width) {
		lines = append(lines, strings.Repeat(" ", indent)+e.print(entry, place{indent: indent}))
	}
	return strings.Join(lines, e.eol)
}

// inline is the text of a node on one line: a scalar of src as it is written there where it can be.
func (e *editor) inline(n *yaml.Node, flow bool) string {
	switch n.Kind {
	case yaml.MappingNode:
		var parts []string
		for entry := range slices.Chunk(n.Content, 2) {
			parts = append(parts, e.inline(entry[0], true)+": "+e.inline(entry[1], true))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		var parts []string
		for _, c := range n.Content {
			parts = append(parts, e.inline(c, true))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if old := e.old[spotOf(n)]; old != nil && Equal(old, n) {
		from, ok := e.start(old)
		if to, ok2 := e.end(old); ok && ok2 && !strings.ContainsAny(e.src[from:to], "\r\n") && (!flow || !strings.ContainsAny(e.src[from:to], ",[]{}") || e.src[from] == '\'' || e.src[from] == '"') {
			return e.src[from:to]
		}
	}
	if n.ShortTag() != "!!str" {
		if n.ShortTag() == "!!null" {
			return "null"
		}
		return n.Value
	}
	return quoted(n.Value, n.Style)
}

var plainText = regexp.MustCompile(`^([A-Za-z_(]|[0-9]+ )[A-Za-z0-9_.|()*-]*( [A-Za-z0-9_.|()*-]+)*$`)

// Quote is a text as a scalar in quotes.
func Quote(s string) string { return quoted(s, yaml.SingleQuotedStyle) }

// quoted is a text in the quotes of a style, in none if it needs none and had none.
func quoted(s string, style yaml.Style) string {
	printable := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '\ufeff' }) < 0
	switch {
	case style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 && isText(s):
		return s
	case printable && (style&yaml.DoubleQuotedStyle == 0 || strings.ContainsAny(s, `"\`)):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case printable:
		return `"` + s + `"`
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts always encode
	}
	return string(b)
}

var oldBool = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off)$`)

// isText says whether a text needs no quotes anywhere, for readers of YAML 1.1 as well.
func isText(s string) bool {
	if !plainText.MatchString(s) || oldBool.MatchString(s) {
		return false
	}
	var n yaml.Node
	return yaml.Unmarshal([]byte(s), &n) == nil && len(n.Content) == 1 && n.Content[0].ShortTag() == "!!str"
}
