package hlsim

import (
	"regexp"
	"strings"
)

// The kinds of tokens. Keywords are words; texts and regular expressions keep their delimiters.
const (
	tokWord      byte = iota
	tokSigil          // $a, $a*, #a, @a, !a
	tokNumber         // of any form
	tokText           // "a"
	tokRegex          // /a/
	tokHexString      // { 61 }
	tokOperator
	tokEndOfFile
)

type yaraToken struct {
	kind byte
	text string
	line int
}

type yaraLexer struct {
	text string
	at   int
	line int
}

var (
	yaraWord     = regexp.MustCompile(`^[A-Za-z_]\w*`)
	yaraSigil    = regexp.MustCompile(`^\$(?:\w+\*?|\*)?|^[#@!]\w*`)
	yaraNumber   = regexp.MustCompile(`^(?:0x[0-9A-Fa-f]+|0o[0-7]+|\d+\.\d+|\d+(?:KB|MB)?)`)
	yaraRegexp   = regexp.MustCompile(`^/(?:\\.|[^/\\\n])+/[is]{0,2}`)
	yaraText     = regexp.MustCompile(`^"(?:[^"\\\n]|\\(?:[tnr"\\]|x[0-9A-Fa-f]{2}))*"`)
	yaraOperator = regexp.MustCompile(`^(?:==|!=|<=|>=|<<|>>|\.\.|[-+*\\%&|^~<>=(){}\[\]:,.])`)
	yaraHexBody  = regexp.MustCompile(`^(?:\s|//[^\n]*|(?s:/\*.*?\*/)|~?[0-9A-Fa-f?]{2}|\[\s*\d*\s*(?:-\s*\d*\s*)?\]|[()|])+$`)
)

// skip passes blanks and comments.
func (l *yaraLexer) skip() error {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			if rest[0] == '\n' {
				l.line++
			}
			l.at++
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.at += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest, "*/")
			if n < 0 {
				return &yaraError{l.line, "unterminated comment"}
			}
			l.line += strings.Count(rest[:n], "\n")
			l.at += n + 2
		default:
			return nil
		}
	}
	return nil
}

// next is the next token. A slash begins a regular expression, since YARA divides by backslashes.
func (l *yaraLexer) next() (yaraToken, error) {
	if err := l.skip(); err != nil {
		return yaraToken{}, err
	}
	rest := l.text[l.at:]
	t := yaraToken{tokEndOfFile, "end of file", l.line}
	if rest == "" {
		return t, nil
	}
	why := ""
	switch c := rest[0]; {
	case c == '"':
		t.kind, t.text, why = tokText, yaraText.FindString(rest), "unterminated string or illegal escape sequence"
	case c == '/':
		t.kind, t.text, why = tokRegex, yaraRegexp.FindString(rest), "unterminated regular expression"
	case c >= '0' && c <= '9':
		t.kind, t.text, why = tokNumber, yaraNumber.FindString(rest), "malformed number"
		if yaraWord.MatchString(rest[len(t.text):]) {
			t.text = ""
		}
	case strings.IndexByte("$#@!", c) >= 0 && !strings.HasPrefix(rest, "!="):
		t.kind, t.text = tokSigil, yaraSigil.FindString(rest)
	default:
		if t.kind, t.text = tokWord, yaraWord.FindString(rest); t.text == "" {
			t.kind, t.text, why = tokOperator, yaraOperator.FindString(rest), "unexpected character"
		}
	}
	if t.text == "" {
		return t, &yaraError{l.line, why}
	}
	l.at += len(t.text)
	return t, nil
}

// hex reads a hex string whose opening brace has been read.
func (l *yaraLexer) hex() (yaraToken, error) {
	t := yaraToken{tokHexString, "", l.line}
	body, _, closed := strings.Cut(l.text[l.at:], "}")
	if !closed || !yaraHexBody.MatchString(body) || strings.Count(body, "(") != strings.Count(body, ")") {
		return t, &yaraError{l.line, "invalid hex string"}
	}
	l.line += strings.Count(body, "\n")
	l.at += len(body) + 1
	t.text = "{" + body + "}"
	return t, nil
}
