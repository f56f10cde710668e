package hlsim

import (
	"slices"
	"strings"
)

// mostDepth bounds the nesting of an expression.
const mostDepth = 200

var (
	yaraBinary  = strings.Fields("and or == != < > <= >= + - * \\ % & | ^ << >> contains icontains startswith istartswith endswith iendswith iequals matches")
	yaraUnary   = []string{"not", "defined", "-", "~"}
	yaraModules = strings.Fields("console cuckoo dex dotnet elf hash lnk macho magic math pe string time vt")
)

// expression reads operands with the operators between them. It checks form and names, not types.
func (p *yaraParser) expression() {
	for p.operand(); p.is(yaraBinary...); p.operand() {
		percent := p.is("%")
		p.advance()
		if percent && p.is("of") { // a share of a set: the operand was complete
			p.of()
			if !p.is(yaraBinary...) {
				return
			}
			p.advance()
		}
	}
}

// operand is an operand with its signs, and the set that "of" puts behind a number.
func (p *yaraParser) operand() {
	if p.depth++; p.depth > mostDepth {
		p.fail("expression is nested too deeply")
	}
	for p.is(yaraUnary...) {
		p.advance()
	}
	p.primary()
	if p.is("of") {
		p.of()
	}
	p.depth--
}

func (p *yaraParser) primary() {
	switch {
	case p.tok.kind == tokNumber, p.tok.kind == tokText, p.tok.kind == tokRegex, p.is("true", "false", "filesize", "entrypoint"):
		p.advance()
	case p.tok.kind == tokSigil:
		p.stringUse()
	case p.is("("):
		p.list("(", ")")
	case p.accept("for"):
		p.loop()
	case p.accept("all"), p.accept("any"), p.accept("none"):
		if !p.is("of") {
			p.unexpected("of")
		}
	case p.tok.kind == tokWord && !p.is(yaraKeywords...):
		p.reference()
	default:
		p.unexpected("expression")
	}
}

// list reads expressions between brackets, with commas between them, or the two dots of a range.
func (p *yaraParser) list(from, to string) {
	p.take(from)
	for p.expression(); p.is(",", ".."); p.expression() {
		p.advance()
	}
	p.take(to)
}

// stringUse is $a, $a at 4, $a in (0..9), #a, @a[1] or !a[1].
func (p *yaraParser) stringUse() {
	p.use(p.tok.text[1:])
	p.advance()
	if p.is("[") {
		p.list("[", "]")
		return
	}
	p.place()
}

func (p *yaraParser) place() {
	if p.accept("at") {
		p.operand()
	} else if p.accept("in") {
		p.list("(", ")")
	}
}

// use marks the strings that a name or a name with a wildcard means. An empty name is a loop's own.
func (p *yaraParser) use(name string) {
	prefix, wild := strings.CutSuffix(name, "*")
	found := name == "" || wild && p.unnamed
	for defined := range p.strings {
		if defined == name || wild && strings.HasPrefix(defined, prefix) {
			p.strings[defined], found = true, true
		}
	}
	if !found {
		p.fail("undefined string \"$%s\"", name)
	}
}

// of reads "of" with its set, and the place that may follow.
func (p *yaraParser) of() {
	p.take("of")
	p.set()
	p.place()
}

// set is them, or names of strings or rules in parentheses, wildcards among them.
func (p *yaraParser) set() {
	if p.is("them") {
		p.use("*")
		p.advance()
		return
	}
	p.take("(")
	for more := true; more; more = p.accept(",") {
		if p.tok.kind == tokSigil {
			p.use(p.tok.text[1:])
			p.advance()
		} else {
			p.name("name of a string or rule")
			p.accept("*")
		}
	}
	p.take(")")
}

// loop is what follows for: <how many> of <set> : ( ), or <how many> <names> in <range or value> : ( ).
func (p *yaraParser) loop() {
	if !p.accept("all") && !p.accept("any") && !p.accept("none") {
		p.primary()
		p.accept("%")
	}
	if p.is("of") {
		p.of()
	} else {
		for more := true; more; more = p.accept(",") {
			p.name("variable")
		}
		p.take("in")
		p.primary()
	}
	p.take(":")
	p.list("(", ")")
}

// reference is a variable, a rule, a function or a member of a module.
func (p *yaraParser) reference() {
	name := p.name("name")
	if p.is(".") && slices.Contains(yaraModules, name) && !p.imported[name] {
		p.fail("undefined identifier %q: its module is not imported", name)
	}
	for {
		switch {
		case p.accept("."):
			p.takeKind(tokWord, "member")
		case p.is("["):
			p.list("[", "]")
		case p.is("("):
			p.arguments()
		default:
			return
		}
	}
}

// arguments are those of a function, which may take none.
func (p *yaraParser) arguments() {
	p.take("(")
	if p.accept(")") {
		return
	}
	for p.expression(); p.accept(","); p.expression() {
		continue
	}
	p.take(")")
}
