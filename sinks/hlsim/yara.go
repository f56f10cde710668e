package hlsim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// parseYARA takes what compiles as far as names, sections and strings tell: rules and strings that are
// there once, sections in their order, strings that are well formed, defined and used. Of a condition it
// reads the brackets and the strings (contract harfanglab-api 12.21).
func parseYARA(content string) (facts, error) {
	p := &yaraParser{rest: strings.TrimPrefix(content, "\ufeff"), line: 1}
	for p.advance(); p.token != ""; {
		if p.accept("import") || p.accept("include") {
			p.take(yaraText, "a name in quotes")
		} else {
			p.rule()
		}
	}
	if len(p.names) == 0 {
		p.fail("no rule")
	}
	return facts{names: p.names, techniques: techniquesIn(p.texts), text: content}, p.err
}

// yaraParser reads a file token by token. The end of the file is the token "", and so is everything after
// an error, so that every loop ends.
type yaraParser struct {
	rest  string
	line  int
	token string
	err   error
	names []string // of the rules
	texts []string // tags and texts of meta
}

// The tokens of YARA, and the blanks and comments between them. A slash begins a regular expression, since
// YARA divides by backslashes.
var (
	yaraBlank  = regexp.MustCompile(`^(?:\s+|//[^\n]*|(?s:/\*.*?\*/))+`)
	yaraWord   = regexp.MustCompile(`^[A-Za-z_]\w*`)
	yaraString = regexp.MustCompile(`^[$#@!]\w*\*?`)
	yaraNumber = regexp.MustCompile(`^-?(?:0x[0-9A-Fa-f]+|0o[0-7]+|\d+\.\d+|\d+(?:KB|MB)?)\b`)
	yaraText   = regexp.MustCompile(`^"(?:[^"\\\n]|\\(?:[tnr"\\]|x[0-9A-Fa-f]{2}))*"`)
	yaraRegexp = regexp.MustCompile(`^/(?:\\.|[^/\\\n])+/[is]{0,2}`)
	yaraSign   = regexp.MustCompile(`^(?:!=|[-+*\\%&|^~<>=(){}\[\]:,.])`)
	yaraHex    = regexp.MustCompile(`^\{(?:\s|//[^\n]*|(?s:/\*.*?\*/)|~?[0-9A-Fa-f?]{2}|\[\s*\d*\s*(?:-\s*\d*\s*)?\]|[()|])+\}`)

	yaraTokens = []*regexp.Regexp{yaraWord, yaraNumber, yaraText, yaraRegexp, yaraSign, yaraString}
)

var yaraKeywords = strings.Fields("all and any ascii at base64 base64wide condition contains defined endswith entrypoint false filesize for fullword " +
	"global icontains iendswith iequals import in include istartswith matches meta nocase none not of or private rule startswith strings them true wide xor")

func (p *yaraParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("line %d: %s", p.line, fmt.Sprintf(format, args...))
	}
	p.rest, p.token = "", ""
}

// skip passes n bytes.
func (p *yaraParser) skip(n int) {
	p.line += strings.Count(p.rest[:n], "\n")
	p.rest = p.rest[n:]
}

func (p *yaraParser) advance() {
	p.skip(len(p.token))
	p.skip(len(yaraBlank.FindString(p.rest)))
	p.token = ""
	for _, form := range yaraTokens {
		if p.token = form.FindString(p.rest); p.token != "" {
			return
		}
	}
	if p.rest != "" {
		p.fail("syntax error at %q", cut(p.rest, 20))
	}
}

// accept passes the token if it is this word or sign.
func (p *yaraParser) accept(token string) bool {
	if p.token != token || token == "" {
		return false
	}
	p.advance()
	return true
}

// take passes a token of some form and gives it.
func (p *yaraParser) take(form *regexp.Regexp, want string) string {
	token := p.token
	if form.FindString(token) != token || token == "" || form == yaraWord && slices.Contains(yaraKeywords, token) {
		p.fail("syntax error, unexpected %q, expecting %s", token, want)
		return ""
	}
	p.advance()
	return token
}

func (p *yaraParser) expect(token string) {
	if !p.accept(token) {
		p.fail("syntax error, unexpected %q, expecting %s", p.token, token)
	}
}

func (p *yaraParser) rule() {
	for p.accept("private") || p.accept("global") {
		continue
	}
	p.expect("rule")
	name := p.take(yaraWord, "the name of a rule")
	if slices.Contains(p.names, name) {
		p.fail("duplicated identifier %q", name)
	}
	p.names = append(p.names, name)
	if p.accept(":") {
		for p.token != "{" && p.token != "" {
			p.texts = append(p.texts, p.take(yaraWord, "a tag"))
		}
	}
	p.expect("{")
	if p.accept("meta") {
		p.expect(":")
		p.meta()
	}
	used := map[string]bool{}
	if p.accept("strings") {
		p.expect(":")
		p.definitions(used)
	}
	p.expect("condition")
	p.expect(":")
	p.condition(used)
	for name := range used {
		if !used[name] && !strings.HasPrefix(name, "_") {
			p.fail("unreferenced string \"$%s\"", name)
		}
	}
	p.expect("}")
}

func (p *yaraParser) meta() {
	for p.token != "strings" && p.token != "condition" && p.token != "" {
		p.take(yaraWord, "the name of meta data")
		p.expect("=")
		if p.accept("true") || p.accept("false") {
			continue
		}
		if p.token != "" && p.token[0] == '"' {
			p.texts = append(p.texts, p.take(yaraText, "a text"))
		} else {
			p.take(yaraNumber, "a text, number or boolean")
		}
	}
}

// definitions reads the strings, none of which is used so far.
func (p *yaraParser) definitions(used map[string]bool) {
	for p.token != "condition" && p.token != "" {
		name := p.take(yaraString, "the name of a string")
		if _, twice := used[strings.TrimPrefix(name, "$")]; twice && name != "$" {
			p.fail("duplicated string identifier %q", name)
		}
		used[strings.TrimPrefix(name, "$")] = name == "$" // one without a name needs no use
		if p.token != "=" {
			p.expect("=")
		}
		p.skip(len(p.token) + len(yaraBlank.FindString(p.rest[len(p.token):])))
		for _, form := range []*regexp.Regexp{yaraText, yaraHex, yaraRegexp} {
			if p.token = form.FindString(p.rest); p.token != "" {
				break
			}
		}
		if p.token == "" || p.token == `""` {
			p.fail("string %q is no text, hex string or regular expression", name)
		}
		p.advance()
		for slices.Contains(yaraModifiers, p.token) {
			if p.advance(); p.accept("(") {
				for p.token != ")" && p.token != "" {
					p.advance()
				}
				p.expect(")")
			}
		}
	}
}

var yaraModifiers = strings.Fields("nocase wide ascii fullword private xor base64 base64wide")

// condition reads up to the bracket that ends the rule.
func (p *yaraParser) condition(used map[string]bool) {
	var open []string // the brackets that are due
	last := "and"
	for p.token != "" && (p.token != "}" || len(open) > 0) {
		switch last = p.token; {
		case last == "(":
			open = append(open, ")")
		case last == "[":
			open = append(open, "]")
		case last == ")", last == "]":
			if len(open) == 0 || open[len(open)-1] != last {
				p.fail("syntax error, unexpected %q", last)
				return
			}
			open = open[:len(open)-1]
		case last == "them":
			use(p, used, "*")
		case last != "!=" && strings.ContainsAny(last[:1], "$#@!"):
			use(p, used, last[1:])
		}
		p.advance()
	}
	if slices.Contains([]string{"and", "or", "not", "of", ":", "==", "+"}, last) || len(open) > 0 {
		p.fail("syntax error, unexpected %q, expecting an expression", p.token)
	}
}

// use notes the strings that a name or a name with a wildcard means. An empty name is a loop's own.
func use(p *yaraParser, used map[string]bool, name string) {
	prefix, wild := strings.CutSuffix(name, "*")
	found := name == ""
	for defined := range used {
		if defined == name || wild && strings.HasPrefix(defined, prefix) {
			used[defined], found = true, true
		}
	}
	if !found {
		p.fail("undefined string \"$%s\"", name)
	}
}
