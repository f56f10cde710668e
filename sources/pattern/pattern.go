// Package pattern says what a STIX 2.1 pattern pins down: the values that can each be blocked on
// their own, and for everything else the reason why not. It parses the whole patterning grammar
// (STIX 2.1, section 9), never deploys half of an AND, and never turns a NOT around.
//
// It does no I/O, keeps no state, and is safe for concurrent use.
package pattern

import "fmt"

// Pattern is a parsed STIX pattern. It is immutable.
type Pattern struct {
	root *node

	// The plain pattern "[path = literal]" lies here, so that the common case costs one allocation. A
	// larger pattern takes the rest from the heap.
	first struct {
		node     node
		steps    [3]step
		literals [1]literal
	}
}

// SyntaxError says where a pattern leaves the STIX 2.1 grammar. Pos is a byte offset into the
// source, from 0; at the end of the source it equals its length.
type SyntaxError struct {
	Pos int
	Msg string
}

// Error gives the message and the 1-based byte position.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s (at byte %d)", e.Msg, e.Pos+1) }

// node is a test (no kids), or several nodes under one operator. A bracket is the comparison in it
// and makes it an observation; what joins brackets is one too. A single kid stands for parentheses
// that carry qualifiers of their own. A kid never has the operator of its parent, unless it has
// brackets or qualifiers: parsing flattens them.
type node struct {
	op         operator // 0 for a test or a group
	kids       []*node
	test       test
	bracket    bool
	qualifiers []qualifier
}

// qualifier is WITHIN a SECONDS, REPEATS a TIMES or START a STOP b.
type qualifier struct {
	kind tokenKind
	a, b string
}

// operator joins observations or comparisons, loosest first. Only observations have FOLLOWEDBY.
type operator uint8

const (
	opFollowedBy operator = iota + 1
	opOr
	opAnd
)

// test compares one object path with literals: several for IN, none for EXISTS, else one.
type test struct {
	path     path
	negated  bool      // NOT
	op       tokenKind // tokEqual for = and ==, tokNotEqual for != and <>
	literals []literal
}

// path is an object path such as file:hashes.'SHA-256'.
type path struct {
	object string
	steps  []step
}

// step is a key, or an index such as 0 or * when index is true.
type step struct {
	text  string
	index bool
}

// literal is a constant: kind is its token, text its meaning (a string unescaped, anything else as
// written between its quotes, a number without a plus sign).
type literal struct {
	kind tokenKind
	text string
}
