package yamltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// lineStarts are the offsets at which the lines of src begin, as the YAML library counts them.
func lineStarts(src string) []int {
	first := 0
	if strings.HasPrefix(src, "\ufeff") {
		first = len("\ufeff")
	}
	starts := []int{first}
	for i, r := range src {
		switch r {
		case '\r':
			if strings.HasPrefix(src[i+1:], "\n") {
				continue
			}
			fallthrough
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i+utf8.RuneLen(r))
		}
	}
	return starts
}

// start is where a node begins, after its tag; ok is false for a node that src does not have.
func (e *editor) start(n *yaml.Node) (at int, ok bool) {
	if n.Line < 1 || n.Column < 1 || n.Line > len(e.lines) {
		return 0, false
	}
	at = e.column(n.Line, n.Column)
	if at >= len(e.src) {
		return len(e.src), true // an empty value at the end of the text
	}
	if n.Style&yaml.TaggedStyle != 0 {
		blank := strings.IndexAny(e.src[at:], " \t\r\n")
		if blank < 0 {
			return at, false
		}
		at += blank
		at += len(e.src[at:]) - len(strings.TrimLeft(e.src[at:], " \t"))
	}
	return at, true
}

// column is the offset of a column, both from 1. Each line is counted once.
func (e *editor) column(line, column int) int {
	columns, counted := e.columns[line]
	if !counted {
		end := len(e.src)
		if line < len(e.lines) {
			end = e.lines[line]
		}
		for i := range e.src[e.lines[line-1]:end] {
			columns = append(columns, e.lines[line-1]+i)
		}
		columns = append(columns, end)
		e.columns[line] = columns
	}
	return columns[min(column, len(columns))-1]
}

// isNothing says whether a scalar is a null for which nothing is written.
func isNothing(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// end is where a node that begins at from ends; what is between its parts is skipped.
func (e *editor) end(n *yaml.Node) (to int, ok bool) {
	from, ok := e.start(n)
	if !ok {
		return 0, false
	}
	switch {
	case isNothing(n):
		return 0, false
	case n.Kind == yaml.ScalarNode:
		return e.scalarEnd(n, from)
	case n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode:
		return 0, false
	}
	to = from
	for i := len(n.Content) - 1; i >= 0; i-- {
		if isNothing(n.Content[i]) {
			continue
		}
		if to, ok = e.end(n.Content[i]); !ok {
			return 0, false
		}
		if i < len(n.Content)-1 { // an empty value: its colon belongs to the node
			if colon, ok := e.colonFrom(to); ok {
				to = colon
			}
		}
		break
	}
	if n.Style&yaml.FlowStyle == 0 {
		return to, true
	}
	if to == from {
		to++
	}
	return e.bracket(to)
}

// bracket is the offset after the bracket that comes next.
func (e *editor) bracket(at int) (int, bool) {
	for at < len(e.src) {
		switch e.src[at] {
		case ']', '}':
			return at + 1, true
		case '#':
			line := strings.IndexByte(e.src[at:], '\n')
			if line < 0 {
				return 0, false
			}
			at += line
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
		default:
			return 0, false
		}
	}
	return 0, false
}

func (e *editor) scalarEnd(n *yaml.Node, from int) (int, bool) {
	s := e.src[from:]
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(s); i++ {
			if s[i] == '\'' && strings.HasPrefix(s[i+1:], "'") {
				i++
			} else if s[i] == '\'' {
				return from + i + 1, s[0] == '\''
			}
		}
		return 0, false
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == '"' {
				return from + i + 1, s[0] == '"'
			}
		}
		return 0, false
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return e.blockEnd(from)
	}
	return plainEnd(e.src, from, n.Value)
}

// plainEnd is where a plain scalar with a value ends: its lines are folded, but what is no blank stands
// in the text in the same order.
func plainEnd(src string, at int, value string) (int, bool) {
	for _, want := range value {
		if unicode.IsSpace(want) {
			continue
		}
		r, size := utf8.DecodeRuneInString(src[at:])
		for unicode.IsSpace(r) {
			at += size
			r, size = utf8.DecodeRuneInString(src[at:])
		}
		if r != want || size == 0 {
			return 0, false
		}
		at += size
	}
	return at, true
}

// blockEnd is the end of the last line of a literal or folded scalar, without its line end.
func (e *editor) blockEnd(from int) (int, bool) {
	header, rest, _ := strings.Cut(e.src[from:], "\n")
	at := from + len(strings.TrimRight(header, "\r"))
	next := from + len(header) + 1
	indent := -1
	keep := strings.Contains(header, "+")
	for len(rest) > 0 {
		line, after, _ := strings.Cut(rest, "\n")
		bare := strings.TrimRight(line, "\r")
		blank := strings.Trim(bare, " ") == ""
		depth := len(bare) - len(strings.TrimLeft(bare, " "))
		if !blank && indent < 0 {
			indent = depth
		}
		if !blank && depth < indent {
			break
		}
		if !blank && depth == 0 {
			return 0, false
		}
		if !blank || keep {
			at = next + len(bare)
		}
		next += len(line) + 1
		rest = after
	}
	return at, true
}
