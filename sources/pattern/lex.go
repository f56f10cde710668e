package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"
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

// symbols are the tokens of one character, in the order of their kinds.
const symbols = "[]():.,*=<>"

// symbol recognises punctuation and operators and gives their length, 0 for none.
func (l *lexer) symbol() (tokenKind, int) {
	switch l.src[l.pos:min(l.pos+2, len(l.src))] {
	case "==":
		return tokEqual, 2
	case "!=", "<>":
		return tokNotEqual, 2
	case "<=":
		return tokLessEqual, 2
	case ">=":
		return tokGreaterEqual, 2
	}
	if i := strings.IndexByte(symbols, l.src[l.pos]); i >= 0 {
		return tokLeftBracket + tokenKind(i), 1
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
	if word, ok := keywords[text]; ok {
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
	case prefix == 't' && timestamp.MatchString(text):
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

// quoted reads a quoted string. Only \' and \\ are escapes. A string without escapes is not copied.
func (l *lexer) quoted() (string, *SyntaxError) {
	start := l.pos
	var b strings.Builder
	for at := start + 1; ; {
		n := strings.IndexAny(l.src[at:], `'\`)
		if n < 0 {
			return "", syntaxError(start, "the string has no closing quote")
		}
		run := l.src[at : at+n]
		at += n + 1
		if l.src[at-1] == '\'' {
			l.pos = at
			if b.Len() == 0 {
				return run, nil
			}
			b.WriteString(run)
			return b.String(), nil
		}
		if at == len(l.src) || l.src[at] != '\\' && l.src[at] != '\'' {
			return "", syntaxError(at-1, `a backslash in a string is written \\`)
		}
		b.WriteString(run)
		b.WriteByte(l.src[at])
		at++
	}
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
		case c >= utf8.RuneSelf: // unicode.IsSpace is the white space of the grammar
			r, n := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) {
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

// isHex reports pairs of hex digits; none is fine.
func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

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
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil && s != "" && !strings.ContainsAny(s, "\r\n")
}

// timestamp is the form and the ranges that the grammar gives: months to 12, days to 31, seconds to
// 60, any number of fraction digits.
var timestamp = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?Z$`)
