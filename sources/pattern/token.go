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

	tokEqual // the tokens of one character end with = < >
	tokLess
	tokGreater
	tokNotEqual
	tokLessEqual
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

// keywords are the reserved words; they are case-sensitive (STIX 2.1, section 9.9).
var keywords = func() map[string]tokenKind {
	m := map[string]tokenKind{"true": tokBool, "false": tokBool}
	for kind := tokIn; kind < tokName; kind++ {
		if kind <= tokExists || kind > tokBool {
			m[spelling[kind]] = kind
		}
	}
	return m
}()

// token is one lexical token. text is the name as written or the meaning of a literal.
type token struct {
	kind tokenKind
	pos  int
	text string
}
