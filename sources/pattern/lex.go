package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// lexer cuts a source into tokens. The source is valid UTF-8.
type lexer struct {
	src string
	pos int
}

func syntaxError(pos int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Pos: pos, Msg: fmt.Sprintf(format, args...)}
}

// next reads one token, passing over blanks and comments.
func (l *lexer) next() (token, *SyntaxError) {
	if err := l.skipBlanks(); err != nil {
		return token{}, err
	}
	start := l.pos
	if start == len(l.src) {
		return token{kind: tokEOF, pos: start}, nil
	}
	c := l.src[start]
	switch {
	case isNameStart(c):
		return l.name()
	case c == '\'':
		text, err := l.quoted()
		return token{tokString, start, text}, err
	case isDigit(c), c == '+', c == '-', c == '.' && l.digitAt(start+1):
		return l.number()
	}
	if kind, n := l.symbol(); n > 0 {
		l.pos += n
		return token{kind: kind, pos: start}, nil
	}
	r, _ := utf8.DecodeRuneInString(l.src[start:])
	if r == '"' || r == '‘' || r == '’' {
		return token{}, syntaxError(start, "strings stand between single quotes ('), not %c", r)
	}
	return token{}, syntaxError(start, "unexpected character %q", r)
}

// symbol recognises punctuation and operators and gives their length, 0 for none.
func (l *lexer) symbol() (tokenKind, int) {
	var second byte
	if l.pos+1 < len(l.src) {
		second = l.src[l.pos+1]
	}
	switch l.src[l.pos] {
	case '[':
		return tokLeftBracket, 1
	case ']':
		return tokRightBracket, 1
	case '(':
		return tokLeftParen, 1
	case ')':
		return tokRightParen, 1
	case ':':
		return tokColon, 1
	case '.':
		return tokDot, 1
	case ',':
		return tokComma, 1
	case '*':
		return tokStar, 1
	case '=':
		if second == '=' {
			return tokEqual, 2
		}
		return tokEqual, 1
	case '!':
		if second == '=' {
			return tokNotEqual, 2
		}
	case '<':
		switch second {
		case '>':
			return tokNotEqual, 2
		case '=':
			return tokLessEqual, 2
		}
		return tokLess, 1
	case '>':
		if second == '=' {
			return tokGreaterEqual, 2
		}
		return tokGreater, 1
	}
	return 0, 0
}

// name reads a name, a keyword, or a literal with a letter before its quote: h”, b” or t”.
func (l *lexer) name() (token, *SyntaxError) {
	start, kind := l.pos, tokName
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c == '-' {
			kind = tokHyphenName
		} else if !isNameStart(c) && !isDigit(c) {
			break
		}
		l.pos++
	}
	text := l.src[start:l.pos]
	if len(text) == 1 && l.pos < len(l.src) && l.src[l.pos] == '\'' {
		return l.prefixed(start, text[0])
	}
	if word, ok := keyword(text); ok {
		kind = word
	}
	return token{kind, start, text}, nil
}

// prefixed reads the quoted part of a hex, binary or timestamp literal.
func (l *lexer) prefixed(start int, prefix byte) (token, *SyntaxError) {
	text, err := l.quoted()
	if err != nil {
		return token{}, err
	}
	switch {
	case prefix == 'h' && isHex(text):
		return token{tokHex, start, text}, nil
	case prefix == 'b' && isBase64(text):
		return token{tokBinary, start, text}, nil
	case prefix == 't' && isTimestamp(text):
		return token{tokTimestamp, start, text}, nil
	case prefix == 'h':
		return token{}, syntaxError(start, "h'...' holds pairs of hex digits")
	case prefix == 'b':
		return token{}, syntaxError(start, "b'...' holds padded base64")
	case prefix == 't':
		return token{}, syntaxError(start, "t'...' holds a UTC time such as 2026-03-01T10:20:30Z")
	}
	return token{}, syntaxError(start, "unexpected letter %c before a string", prefix)
}

// quoted reads a quoted string. Only \' and \\ are escapes.
func (l *lexer) quoted() (string, *SyntaxError) {
	start := l.pos
	body := l.src[start+1:]
	end := strings.IndexAny(body, `'\`)
	if end >= 0 && body[end] == '\'' {
		l.pos = start + 1 + end + 1
		return body[:end], nil
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '\'':
			l.pos = start + 1 + i + 1
			return b.String(), nil
		case '\\':
			i++
			if i == len(body) || body[i] != '\\' && body[i] != '\'' {
				return "", syntaxError(start+i, `a backslash in a string is written \\`)
			}
			b.WriteByte(body[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", syntaxError(start, "the string has no closing quote")
}

// number reads an integer or a float; a plus sign is dropped.
func (l *lexer) number() (token, *SyntaxError) {
	start := l.pos
	if c := l.src[l.pos]; c == '+' || c == '-' {
		l.pos++
	}
	first := l.pos
	for l.digitAt(l.pos) {
		l.pos++
	}
	kind, digits := tokInt, l.pos-first
	if l.pos < len(l.src) && l.src[l.pos] == '.' && l.digitAt(l.pos+1) {
		kind = tokFloat
		for l.pos++; l.digitAt(l.pos); l.pos++ {
		}
	}
	switch {
	case kind == tokInt && digits == 0:
		return token{}, syntaxError(start, "unexpected character %q", l.src[start])
	case kind == tokInt && digits > 1 && l.src[first] == '0':
		return token{}, syntaxError(start, "an integer has no leading zero")
	}
	return token{kind, start, strings.TrimPrefix(l.src[start:l.pos], "+")}, nil
}

// skipBlanks passes over the white space of the grammar and over both kinds of comment.
func (l *lexer) skipBlanks() *SyntaxError {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch c := rest[0]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.pos++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(rest)
			if !isWideBlank(r) {
				return nil
			}
			l.pos += n
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return syntaxError(l.pos, "the comment has no closing */")
			}
			l.pos += 2 + end + 2
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			l.pos += end
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) digitAt(i int) bool { return i < len(l.src) && isDigit(l.src[i]) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// isWideBlank lists the white space of the grammar beyond ASCII.
func isWideBlank(r rune) bool {
	switch r {
	case 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// isHex reports pairs of hex digits; none is fine.
func isHex(s string) bool { return len(s)%2 == 0 && allHex(s) }

func allHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// isBase64 reports one or more groups of four base64 characters, the last one possibly padded.
func isBase64(s string) bool {
	if len(s) == 0 || len(s)%4 != 0 {
		return false
	}
	s = strings.TrimSuffix(s, "=")
	s = strings.TrimSuffix(s, "=")
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && c != '+' && c != '/' && (c == '_' || !isNameStart(c)) {
			return false
		}
	}
	return true
}

// isTimestamp checks the form and the ranges that the grammar gives: months to 12, days to 31,
// seconds to 60, any number of fraction digits.
func isTimestamp(s string) bool {
	const form = "dddd-dd-ddTdd:dd:dd"
	if len(s) < len(form)+1 || s[len(s)-1] != 'Z' {
		return false
	}
	for i := range len(form) {
		if form[i] == 'd' && !isDigit(s[i]) || form[i] != 'd' && s[i] != form[i] {
			return false
		}
	}
	if rest := s[len(form) : len(s)-1]; rest != "" {
		if rest[0] != '.' || len(rest) == 1 || strings.Trim(rest[1:], "0123456789") != "" {
			return false
		}
	}
	month, day := s[5:7], s[8:10]
	return month >= "01" && month <= "12" && day >= "01" && day <= "31" &&
		s[11:13] <= "23" && s[14:16] <= "59" && s[17:19] <= "60"
}
