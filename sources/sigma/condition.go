package sigma

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// expr is a part of a condition.
type expr struct {
	op       string // and, or, not, name, of
	kids     []*expr
	names    []string // the selections that a name or a quantifier stands for
	need     int      // of them; all when 0
	pattern  string   // of a quantifier
	from, to int      // in the condition
}

// condition is a parsed condition with what an old aggregation puts after it.
type condition struct {
	src  string
	root *expr
	rest string // from the | on
}

var conditionToken = regexp.MustCompile(`[()]|[^\s()]+`)

// names are texts in their order, each once.
type names struct {
	all   []string
	known map[string]bool
}

func (n *names) add(name string) {
	if n.known == nil {
		n.known = map[string]bool{}
	}
	if !n.known[name] {
		n.all, n.known[name] = append(n.all, name), true
	}
}

func (n *names) drop(bad map[string]bool) {
	n.all = slices.DeleteFunc(n.all, func(name string) bool { return bad[name] })
	maps.DeleteFunc(n.known, func(name string, _ bool) bool { return bad[name] })
}

// mostCompared bounds what the quantifiers of a rule, which each look at each selection, compare in all, in bytes.
const mostCompared = 1 << 20

// parseCondition reads a condition over selections, and adds up what its quantifiers compare.
func parseCondition(src string, selections *names, compared *int) (*condition, error) {
	c := &condition{src: src}
	body := src
	if i := strings.IndexByte(src, '|'); i >= 0 {
		body, c.rest = src[:i], strings.TrimSpace(src[i:])
	}
	p := &conditionParser{src: body, names: selections, compared: compared, tokens: conditionToken.FindAllStringIndex(body, -1)}
	var err error
	if c.root, err = p.or(0); err == nil && p.next < len(p.tokens) {
		err = fmt.Errorf("%q is not expected in the condition", p.word())
	}
	return c, err
}

type conditionParser struct {
	src      string
	names    *names
	compared *int
	tokens   [][]int
	next     int
}

func (p *conditionParser) word() string {
	if p.next == len(p.tokens) {
		return ""
	}
	return p.src[p.tokens[p.next][0]:p.tokens[p.next][1]]
}

func (p *conditionParser) is(word string) bool { return strings.EqualFold(p.word(), word) }

func (p *conditionParser) or(depth int) (*expr, error) {
	return p.list("or", depth, func(d int) (*expr, error) { return p.list("and", d, p.unary) })
}

func (p *conditionParser) list(op string, depth int, part func(int) (*expr, error)) (*expr, error) {
	first, err := part(depth)
	if err != nil {
		return nil, err
	}
	e := &expr{op: op, kids: []*expr{first}, from: first.from, to: first.to}
	for p.is(op) {
		p.next++
		kid, err := part(depth)
		if err != nil {
			return nil, err
		}
		e.kids, e.to = append(e.kids, kid), kid.to
	}
	if len(e.kids) == 1 {
		return first, nil
	}
	return e, nil
}

func (p *conditionParser) unary(depth int) (*expr, error) {
	const deepest = 200
	if depth > deepest {
		return nil, errors.New("a condition nested too deep")
	}
	word := p.word()
	if word == "" {
		return nil, errors.New("the condition ends early")
	}
	from, to := p.tokens[p.next][0], p.tokens[p.next][1]
	p.next++
	switch lower := strings.ToLower(word); {
	case word == "(":
		e, err := p.or(depth + 1)
		if err == nil && p.word() != ")" {
			err = errors.New("unbalanced parentheses in the condition")
		}
		if err != nil {
			return nil, err
		}
		inner := *e
		inner.from, inner.to = from, p.tokens[p.next][1]
		p.next++
		return &inner, nil
	case lower == "not":
		e, err := p.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		return &expr{op: "not", kids: []*expr{e}, from: from, to: e.to}, nil
	case p.is("of"):
		return p.quantifier(lower, from)
	case !p.names.known[word]:
		return nil, fmt.Errorf("the condition names %q, which is no selection", word)
	}
	return &expr{op: "name", names: []string{word}, need: 1, from: from, to: to}, nil
}

func (p *conditionParser) quantifier(count string, from int) (*expr, error) {
	p.next++
	e := &expr{op: "of", pattern: p.word(), from: from}
	switch count {
	case "all":
	case "any":
		e.need = 1
	default:
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no count of selections", count)
		}
		e.need = n
	}
	if e.pattern == "" {
		return nil, errors.New("the condition ends early")
	}
	e.to = p.tokens[p.next][1]
	p.next++
	for _, name := range p.names.all {
		if *p.compared += len(e.pattern) + len(name); *p.compared > mostCompared {
			return nil, errors.New("too many quantifiers over too many selections")
		}
		if caught(e.pattern, name) {
			e.names = append(e.names, name)
		}
	}
	if len(e.names) == 0 {
		return nil, fmt.Errorf("the condition names %q, which is no selection", e.pattern)
	}
	return e, nil
}

// caught says whether the pattern of a quantifier stands for a selection, among others.
func caught(pattern, name string) bool {
	if strings.HasPrefix(name, "_") && !strings.HasPrefix(pattern, "_") {
		return false // as pySigma, the reference, has it
	}
	if strings.EqualFold(pattern, "them") {
		return true
	}
	first, rest, wild := strings.Cut(pattern, "*")
	name, ok := strings.CutPrefix(name, first)
	for ok && wild {
		var part string
		if part, rest, wild = strings.Cut(rest, "*"); !wild {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
	}
	return ok && name == ""
}

// truth is what can be said of a test without an event.
type truth uint8

const (
	never truth = iota
	perhaps
	always
)

func (t truth) not() truth { return always - t }

// value is what a condition comes to where its selections come to values, and those that are not there never hold.
func (e *expr) value(values map[string]truth) truth {
	switch e.op {
	case "not":
		return e.kids[0].value(values).not()
	case "and":
		least := always
		for _, k := range e.kids {
			least = min(least, k.value(values))
		}
		return least
	case "or":
		most := never
		for _, k := range e.kids {
			most = max(most, k.value(values))
		}
		return most
	}
	need := e.need
	if need == 0 {
		need = len(e.names)
	}
	var count [always + 1]int
	for _, name := range e.names {
		count[values[name]]++
	}
	switch {
	case count[always] >= need:
		return always
	case count[always]+count[perhaps] >= need:
		return perhaps
	}
	return never
}

// polarity notes under which signs a condition asks for each selection.
func (e *expr) polarity(positive bool, into map[string]*signs) {
	if e.op == "not" {
		positive = !positive
	}
	for _, k := range e.kids {
		k.polarity(positive, into)
	}
	for _, name := range e.names {
		if into[name] == nil {
			into[name] = new(signs)
		}
		if positive {
			into[name].yes = true
		} else {
			into[name].no = true
		}
	}
}

type signs struct{ yes, no bool }

// sayable says whether a condition can be said without some selections: branches of an OR may go, where
// nothing negates them.
func (e *expr) sayable(bad map[string]bool) bool {
	switch e.op {
	case "not":
		return !e.kids[0].mentions(bad)
	case "and":
		return !slices.ContainsFunc(e.kids, func(k *expr) bool { return !k.sayable(bad) })
	case "or":
		return slices.ContainsFunc(e.kids, func(k *expr) bool { return k.sayable(bad) })
	}
	if e.need == 1 {
		return slices.ContainsFunc(e.names, func(n string) bool { return !bad[n] })
	}
	return !slices.ContainsFunc(e.names, func(n string) bool { return bad[n] })
}

func (e *expr) mentions(bad map[string]bool) bool {
	return slices.ContainsFunc(e.kids, func(k *expr) bool { return k.mentions(bad) }) ||
		slices.ContainsFunc(e.names, func(n string) bool { return bad[n] })
}

// text is the condition without what cannot be said, and with what the quantifiers that catch our own
// selection stand for.
func (c *condition) text(bad map[string]bool, ours string) string {
	var parts []string // from the end on
	end := len(c.src)
	c.root.rewrite(bad, ours, func(from, to int, with string) {
		parts, end = append(parts, c.src[to:end], with), from
	})
	parts = append(parts, c.src[:end])
	slices.Reverse(parts)
	return strings.Join(parts, "")
}

// rewrite tells what of a condition has to be replaced, from the end on.
func (e *expr) rewrite(bad map[string]bool, ours string, replace func(from, to int, with string)) {
	if e.op == "of" && ours != "" && caught(e.pattern, ours) {
		op := " or "
		if e.need != 1 {
			op = " and "
		}
		names := slices.DeleteFunc(slices.Clone(e.names), func(n string) bool { return bad[n] })
		replace(e.from, e.to, "("+strings.Join(names, op)+")")
	}
	first := slices.IndexFunc(e.kids, func(k *expr) bool { return k.sayable(bad) })
	for i, k := range slices.Backward(e.kids) {
		switch {
		case e.op != "or" || k.sayable(bad):
			k.rewrite(bad, ours, replace)
		case i > first:
			replace(e.kids[i-1].to, k.to, "")
		case i == 0:
			replace(k.from, e.kids[first].from, "")
		}
	}
}
