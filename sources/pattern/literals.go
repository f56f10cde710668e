package pattern

import (
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// literals are the strings that a pattern compares, by the object they are of. The platform makes observables
// of a pattern without unescaping it, and drops quotes or backslashes on the way (contract opencti-api 0.9):
// such an observable is the pattern's literal, and says nothing of its own.
type literals map[said]struct{}

type said struct {
	object, text string
	bare         bool // text lost its quotes and backslashes
}

func (l literals) gather(n *node) {
	for _, kid := range n.kids {
		l.gather(kid)
	}
	for _, lit := range n.test.literals {
		if lit.kind != tokString {
			continue
		}
		l[said{n.test.path.object, lit.text, false}] = struct{}{}
		if bare := bareText(lit.text); bare != lit.text {
			l[said{n.test.path.object, bare, true}] = struct{}{}
		}
	}
}

// has says whether an observable is one of the literals. A file with hashes is never one: they say what it is.
func (l literals) has(o *reconcile.Observable) bool {
	if len(o.Hashes) > 0 {
		return false
	}
	objects, text := []string{strings.ToLower(o.Type)}, o.Value
	switch o.Type {
	case "StixFile":
		objects, text = []string{"file"}, o.Name
	case "Hostname":
		objects = append(objects, "x-opencti-hostname")
	}
	for _, object := range objects {
		_, whole := l[said{object, text, false}]
		_, bare := l[said{object, bareText(text), true}]
		if whole || bare {
			return true
		}
	}
	return false
}

// bareText drops what is escaped in a literal, and what escapes it.
func bareText(s string) string {
	if !strings.ContainsAny(s, `'\`) {
		return s
	}
	return strings.NewReplacer(`'`, "", `\`, "").Replace(s)
}
