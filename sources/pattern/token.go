package pattern

// tokenKind is the kind of a lexical token. Comparison operators and literals keep their token kind
// in the syntax tree.
type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokLeftBracket
	tokRightBracket
	tokLeftParen
	tokRightParen
	tokColon
	tokDot
	tokComma
	tokStar

	tokEqual
	tokNotEqual
	tokLess
	tokLessEqual
	tokGreater
	tokGreaterEqual
	tokIn
	tokLike
	tokMatches
	tokIsSubset
	tokIsSuperset
	tokExists

	tokString
	tokInt
	tokFloat
	tokHex
	tokBinary
	tokTimestamp
	tokBool

	tokAnd
	tokOr
	tokNot
	tokFollowedBy
	tokWithin
	tokRepeats
	tokStart
	tokStop
	tokSeconds
	tokTimes

	tokName       // may be an object type or a property
	tokHyphenName // may be an object type; as a property it needs quotes
)

// spelling is how a token is printed, and how messages name it.
var spelling = [...]string{
	tokEOF: "the end", tokLeftBracket: "[", tokRightBracket: "]", tokLeftParen: "(", tokRightParen: ")",
	tokColon: ":", tokDot: ".", tokComma: ",", tokStar: "*",
	tokEqual: "=", tokNotEqual: "!=", tokLess: "<", tokLessEqual: "<=", tokGreater: ">", tokGreaterEqual: ">=",
	tokIn: "IN", tokLike: "LIKE", tokMatches: "MATCHES", tokIsSubset: "ISSUBSET", tokIsSuperset: "ISSUPERSET",
	tokExists: "EXISTS",
	tokString: "a string", tokInt: "an integer", tokFloat: "a float", tokHex: "a hex literal",
	tokBinary: "a binary literal", tokTimestamp: "a timestamp", tokBool: "a boolean",
	tokAnd: "AND", tokOr: "OR", tokNot: "NOT", tokFollowedBy: "FOLLOWEDBY", tokWithin: "WITHIN",
	tokRepeats: "REPEATS", tokStart: "START", tokStop: "STOP", tokSeconds: "SECONDS", tokTimes: "TIMES",
	tokName: "a name", tokHyphenName: "a name",
}

// keyword gives the token of a reserved word; the words are case-sensitive (STIX 2.1, section 9.9).
func keyword(s string) (tokenKind, bool) {
	switch s {
	case "AND":
		return tokAnd, true
	case "OR":
		return tokOr, true
	case "NOT":
		return tokNot, true
	case "FOLLOWEDBY":
		return tokFollowedBy, true
	case "IN":
		return tokIn, true
	case "LIKE":
		return tokLike, true
	case "MATCHES":
		return tokMatches, true
	case "ISSUBSET":
		return tokIsSubset, true
	case "ISSUPERSET":
		return tokIsSuperset, true
	case "EXISTS":
		return tokExists, true
	case "WITHIN":
		return tokWithin, true
	case "REPEATS":
		return tokRepeats, true
	case "START":
		return tokStart, true
	case "STOP":
		return tokStop, true
	case "SECONDS":
		return tokSeconds, true
	case "TIMES":
		return tokTimes, true
	case "true", "false":
		return tokBool, true
	}
	return 0, false
}

// token is one lexical token. text is the name as written or the meaning of a literal.
type token struct {
	kind tokenKind
	pos  int
	text string
}
