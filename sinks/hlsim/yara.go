package hlsim

import (
	"fmt"
	"slices"
	"strings"
)

// parseYARA takes what compiles as far as that can be told without the modules: names that are unique,
// sections in their order, strings that are well formed, defined and used, a condition that is an
// expression. Included files are taken to be there (contract harfanglab-api 12.21).
func parseYARA(content string) (facts, error) {
	p := &yaraParser{lex: yaraLexer{text: strings.TrimPrefix(content, "\ufeff"), line: 1}, imported: map[string]bool{}}
	p.file()
	if p.err != nil {
		return facts{}, p.err
	}
	return facts{names: p.names, techniques: techniquesIn(p.texts), text: content}, nil
}

// yaraParser reads a file token by token. After an error the token is the end of the file and stays it,
// so that every loop ends.
type yaraParser struct {
	lex      yaraLexer
	tok      yaraToken
	err      error
	names    []string // of the rules
	texts    []string // tags and texts of meta
	imported map[string]bool
	strings  map[string]bool // those of the rule that is being read, and whether its condition uses them
	unnamed  bool            // it has strings that are called $ only
	depth    int             // of the condition's expression
}

// yaraError is what is wrong with a file, and where.
type yaraError struct {
	line int
	why  string
}

func (e *yaraError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.why) }

func (p *yaraParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &yaraError{p.tok.line, fmt.Sprintf(format, args...)}
	}
	p.tok.kind, p.tok.text = tokEndOfFile, "end of file"
}

func (p *yaraParser) unexpected(want string) {
	p.fail("syntax error, unexpected %q, expecting %s", p.tok.text, want)
}

func (p *yaraParser) advance() {
	if p.err != nil {
		return
	}
	var err error
	if p.tok, err = p.lex.next(); err != nil {
		p.err = err
		p.fail("")
	}
}

// is says whether the token is one of these keywords and operators. Texts keep their quotes, so that
// none is taken for a keyword.
func (p *yaraParser) is(words ...string) bool {
	return p.tok.kind != tokEndOfFile && slices.Contains(words, p.tok.text)
}

// accept passes the token if it is this keyword or operator.
func (p *yaraParser) accept(word string) bool {
	if !p.is(word) {
		return false
	}
	p.advance()
	return true
}

func (p *yaraParser) take(word string) {
	if !p.accept(word) {
		p.unexpected(word)
	}
}

func (p *yaraParser) takeKind(kind byte, want string) string {
	text := p.tok.text
	if p.tok.kind != kind {
		p.unexpected(want)
	}
	p.advance()
	return text
}

func (p *yaraParser) file() {
	p.advance()
	for p.tok.kind != tokEndOfFile {
		switch {
		case p.accept("import"):
			p.imported[strings.Trim(p.takeKind(tokText, "name of a module"), `"`)] = true
		case p.accept("include"):
			p.takeKind(tokText, "name of a file")
		case p.is("private", "global", "rule"):
			p.rule()
		default:
			p.unexpected("rule, import or include")
		}
	}
	if len(p.names) == 0 {
		p.fail("no rule")
	}
}

var yaraKeywords = strings.Fields("all and any ascii at base64 base64wide condition contains defined endswith entrypoint false filesize for fullword " +
	"global icontains iendswith iequals import in include istartswith matches meta nocase none not of or private rule startswith strings them true wide xor")

// name is an identifier that is no keyword.
func (p *yaraParser) name(want string) string {
	if p.is(yaraKeywords...) {
		p.unexpected(want)
	}
	return p.takeKind(tokWord, want)
}

func (p *yaraParser) rule() {
	p.strings, p.unnamed = map[string]bool{}, false
	for p.accept("private") || p.accept("global") {
		continue
	}
	p.take("rule")
	if slices.Contains(p.names, p.tok.text) {
		p.fail("duplicated identifier %q", p.tok.text)
	}
	p.names = append(p.names, p.name("name of a rule"))
	if p.accept(":") {
		for more := true; more; more = p.tok.kind == tokWord {
			p.texts = append(p.texts, p.name("tag"))
		}
	}
	p.take("{")
	if p.accept("meta") {
		p.take(":")
		p.meta()
	}
	if p.accept("strings") {
		p.take(":")
		p.stringList()
	}
	p.take("condition")
	p.take(":")
	p.expression()
	for name, used := range p.strings {
		if !used && !strings.HasPrefix(name, "_") {
			p.fail("unreferenced string \"$%s\"", name)
		}
	}
	p.take("}")
}

func (p *yaraParser) meta() {
	for more := true; more; more = p.tok.kind == tokWord && !p.is("strings", "condition") {
		p.name("name of meta data")
		p.take("=")
		switch {
		case p.tok.kind == tokText:
			p.texts = append(p.texts, p.tok.text)
			p.advance()
		case p.is("true", "false"):
			p.advance()
		default:
			p.accept("-")
			p.takeKind(tokNumber, "text, number or boolean")
		}
	}
}

// The modifiers of strings, with the kinds of string that may have them.
var yaraModifiers = map[string][]byte{
	"nocase": {tokText, tokRegex}, "wide": {tokText, tokRegex}, "ascii": {tokText, tokRegex}, "fullword": {tokText, tokRegex},
	"private": {tokText, tokRegex, tokHexString}, "xor": {tokText}, "base64": {tokText}, "base64wide": {tokText},
}

func (p *yaraParser) stringList() {
	for more := true; more; more = p.tok.kind == tokSigil {
		name := p.takeKind(tokSigil, "string identifier")
		if p.err != nil {
			return
		}
		if name[0] != '$' || strings.HasSuffix(name, "*") {
			p.fail("syntax error, %q names no string", name)
		}
		if _, twice := p.strings[name[1:]]; twice {
			p.fail("duplicated string identifier %q", name)
		}
		if name == "$" {
			p.unnamed = true
		} else {
			p.strings[name[1:]] = false
		}
		p.stringValue()
	}
}

func (p *yaraParser) stringValue() {
	if p.take("="); p.is("{") && p.err == nil {
		if p.tok, p.err = p.lex.hex(); p.err != nil {
			p.fail("")
		}
	}
	kind := p.tok.kind
	switch {
	case kind != tokText && kind != tokRegex && kind != tokHexString:
		p.unexpected("text, hex string or regular expression")
	case p.tok.text == `""`:
		p.fail("empty string")
	}
	p.advance()
	for fits := yaraModifiers[p.tok.text]; fits != nil && p.tok.kind == tokWord; fits = yaraModifiers[p.tok.text] {
		if !slices.Contains(fits, kind) {
			p.fail("invalid modifier %q", p.tok.text)
		}
		ranged := p.is("xor", "base64", "base64wide")
		p.advance()
		if ranged && p.accept("(") {
			for p.tok.kind == tokNumber || p.tok.kind == tokText || p.is("-") {
				p.advance()
			}
			p.take(")")
		}
	}
}
