package yamltext

import (
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// editor gathers the edits that turn one text into another.
type editor struct {
	src     string
	lines   []int
	columns map[int][]int // the offsets of the columns of a line
	eol     string
	old     map[spot]*yaml.Node // the nodes of src by their place
	edits   []edit
}

// spot tells the nodes of a text apart: a mapping begins where its first key does.
type spot struct {
	line, column int
	kind         yaml.Kind
}

// edit puts text in the place of src[from:to].
type edit struct {
	from, to int
	text     string
}

// place is what surrounds a node: the column of its parent's entries, and whether a bracket does.
type place struct {
	indent int
	flow   bool
}

func newEditor(src string, root *yaml.Node) *editor {
	e := &editor{src: src, lines: lineStarts(src), columns: map[int][]int{}, eol: "\n", old: map[spot]*yaml.Node{}}
	if i := strings.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		e.eol = "\r\n"
	}
	var note func(*yaml.Node)
	note = func(n *yaml.Node) {
		e.old[spotOf(n)] = n
		for _, c := range n.Content {
			note(c)
		}
	}
	note(root)
	return e
}

func spotOf(n *yaml.Node) spot { return spot{n.Line, n.Column, n.Kind} }

// apply makes the edits. Deletions may overlap each other, and nothing else may.
func (e *editor) apply() (string, bool) {
	slices.SortStableFunc(e.edits, func(a, b edit) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.to - b.to
	})
	var b strings.Builder
	at := 0
	for _, x := range e.edits {
		if x.from < at && (x.text != "" || x.to < at) {
			if x.text != "" {
				return "", false
			}
			continue
		}
		b.WriteString(e.src[at:max(at, x.from)])
		b.WriteString(x.text)
		at = x.to
	}
	b.WriteString(e.src[at:])
	return b.String(), true
}

func (e *editor) put(from, to int, text string) { e.edits = append(e.edits, edit{from, to, text}) }

// change gathers the edits from a node of src to what takes its place; false means that the whole has
// to be written anew.
func (e *editor) change(old, now *yaml.Node, in place) bool {
	if Equal(old, now) {
		return true
	}
	if old.Kind != now.Kind || now.Line != old.Line || now.Column != old.Column {
		return false
	}
	in.flow = in.flow || old.Style&yaml.FlowStyle != 0
	switch old.Kind {
	case yaml.ScalarNode:
		return e.scalar(old, now)
	case yaml.MappingNode:
		return e.entries(old, now, 2, in)
	case yaml.SequenceNode:
		return e.entries(old, now, 1, in)
	}
	return false
}

// entries changes a collection whose entries are of width nodes: the key and the value of a mapping, the
// item of a list.
func (e *editor) entries(old, now *yaml.Node, width int, in place) bool {
	in.indent = old.Column - 1
	was, is := slices.Collect(slices.Chunk(old.Content, width)), slices.Collect(slices.Chunk(now.Content, width))
	places := map[spot]int{}
	for i, w := range slices.Backward(was) {
		places[spotOf(w[0])] = i
	}
	i, kept := 0, 0 // was[:i] is settled
	var fresh [][]*yaml.Node
	for _, entry := range is {
		at, there := places[spotOf(entry[0])]
		if !there {
			fresh = append(fresh, entry)
			continue
		}
		if at < i || !e.insert(was, i, fresh, in) || !e.remove(was, i, at, in) || !e.entry(was[at], entry, in) {
			return false
		}
		fresh, i, kept = nil, at+1, kept+1
	}
	return kept > 0 && e.insert(was, i, fresh, in) && e.remove(was, i, len(was), in)
}

// entry changes the parts of one entry.
func (e *editor) entry(was, now []*yaml.Node, in place) bool {
	for i, n := range now {
		if e.change(was[i], n, in) {
			continue
		}
		if i == 0 || len(now) == 1 {
			return false
		}
		from, ok := e.colon(was[0])
		if !ok {
			return false
		}
		to := from
		if !isNothing(was[i]) {
			if to, ok = e.end(was[i]); !ok {
				return false
			}
		}
		e.put(from, to, e.value(n, in))
	}
	return true
}

// colon is the offset after the colon that follows a key.
func (e *editor) colon(key *yaml.Node) (int, bool) {
	at, ok := e.end(key)
	if !ok {
		return 0, false
	}
	return e.colonFrom(at)
}

// colonFrom is the offset after the colon that comes next, where nothing but blanks is before it.
func (e *editor) colonFrom(at int) (int, bool) {
	rest := strings.TrimLeftFunc(e.src[at:], unicode.IsSpace)
	return len(e.src) - len(rest) + 1, strings.HasPrefix(rest, ":")
}

// entryEnd is where the text of an entry ends.
func (e *editor) entryEnd(entry []*yaml.Node) (int, bool) {
	if last := entry[len(entry)-1]; !isNothing(last) {
		return e.end(last)
	}
	if len(entry) == 1 {
		return 0, false
	}
	return e.colon(entry[0])
}

// insert writes new entries before was[i].
func (e *editor) insert(was [][]*yaml.Node, i int, fresh [][]*yaml.Node, in place) bool {
	for _, entry := range fresh {
		text := e.print(entry, in)
		if in.flow {
			at, ok := e.start(was[0][0])
			text += ", "
			if i > 0 {
				at, ok = e.entryEnd(was[i-1])
				text = ", " + strings.TrimSuffix(text, ", ")
			}
			if !ok {
				return false
			}
			e.put(at, at, text)
			continue
		}
		at, ok := e.start(was[0][0])
		if !ok {
			return false
		}
		at = e.lineStart(at)
		text = strings.Repeat(" ", in.indent) + text + e.eol
		if i > 0 {
			if at, ok = e.entryEnd(was[i-1]); !ok {
				return false
			}
			if at = e.nextLine(at); at == len(e.src) && !strings.HasSuffix(e.src, "\n") {
				text = e.eol + strings.TrimSuffix(text, e.eol)
			}
		}
		e.put(at, at, text)
	}
	return true
}

// remove takes out the entries was[i:to].
func (e *editor) remove(was [][]*yaml.Node, i, to int, in place) bool {
	for ; i < to; i++ {
		from, ok := e.start(was[i][0])
		end, ok2 := e.entryEnd(was[i])
		if !ok || !ok2 {
			return false
		}
		line, alone := from, false
		if !in.flow {
			line = e.lineStart(from)
			lead := strings.TrimLeft(e.src[line:from], " ")
			alone = lead == "" || len(was[i]) == 1 && strings.TrimSpace(lead) == "-"
		}
		switch {
		case alone:
			e.put(line, e.nextLine(end), "")
		case i+1 < len(was):
			next, ok := e.start(was[i+1][0])
			if !ok {
				return false
			}
			e.put(from, next, "")
		case in.flow && i > 0:
			before, ok := e.entryEnd(was[i-1])
			if !ok {
				return false
			}
			e.put(before, end, "")
		default:
			return false
		}
	}
	return true
}

func (e *editor) lineStart(at int) int {
	return max(strings.LastIndexByte(e.src[:at], '\n')+1, e.lines[0])
}

func (e *editor) nextLine(at int) int {
	if i := strings.IndexByte(e.src[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(e.src)
}

// scalar changes a scalar: by what is put before and after it where the rest stays, otherwise as a whole
// and in the same quotes.
func (e *editor) scalar(old, now *yaml.Node) bool {
	if isNothing(old) || now.ShortTag() != old.ShortTag() {
		return false
	}
	from, ok := e.start(old)
	to, ok2 := e.end(old)
	if !ok || !ok2 {
		return false
	}
	whole := strings.TrimRight(old.Value, "\n")
	if before, after, around := strings.Cut(strings.TrimRight(now.Value, "\n"), whole); around && whole != "" && !strings.ContainsAny(before+after, "'\"\\\n") {
		e.around(old, from, to, before, after)
		return true
	}
	e.put(from, to, quoted(now.Value, old.Style))
	return true
}

// around writes before and after a scalar's text, inside its quotes.
func (e *editor) around(old *yaml.Node, from, to int, before, after string) {
	switch {
	case old.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		from, to = from+1, to-1
	case old.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		from = e.nextLine(from)
		from += len(e.src[from:]) - len(strings.TrimLeft(e.src[from:], " \r\n"))
	}
	e.put(from, from, before)
	e.put(to, to, after)
}
