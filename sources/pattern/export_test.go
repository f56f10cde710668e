package pattern

import "strings"

// String prints the pattern in normal form. Parsing the result gives an equal pattern.
func (p *Pattern) String() string {
	var b strings.Builder
	p.root.print(&b)
	return b.String()
}
