package marker

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MatchesEveryFile finds the first rule of a YARA file whose condition is true of every file. A private
// rule reports nothing by itself. A file that CheckYARA does not take has none, and a condition that is
// nested deeper or longer than any that people write is not judged.
func MatchesEveryFile(src string) (rule string, found bool) {
	s := yaraScanner{src: src, line: 1}
	depth, private, name, last := 0, false, "", ""
	for {
		tok, err := s.next()
		switch {
		case err != nil || tok == "":
			return "", false
		case tok == "{":
			depth++
		case tok == "}":
			if depth--; depth == 0 {
				private = false
			}
		case depth == 0 && tok == "private":
			private = true
		case depth == 0 && last == "rule":
			name = tok
		case depth == 1 && tok == "condition" && !s.named:
			if words := s.condition(); !private && (&yaraTruth{words: words}).either() == always {
				return name, true
			}
			depth, private = 0, false
		}
		last = tok
	}
}

// What of a condition is judged: written ones stay far below, and what comes from outside may be of any size.
const (
	deepestCondition = 200
	mostWords        = 100_000
)

// condition reads the tokens of a condition to the brace that ends its rule; none where they are too many.
func (s *yaraScanner) condition() []string {
	var words []string
	for depth := 1; ; {
		tok, err := s.next()
		switch {
		case err != nil || tok == "":
			return nil
		case tok == "{":
			depth++
		case tok == "}":
			if depth--; depth == 0 {
				if len(words) > mostWords {
					return nil
				}
				return words
			}
		}
		if (tok != ":" || len(words) > 0) && len(words) <= mostWords {
			words = append(words, tok)
		}
	}
}

// What can be said of a condition without a file.
const (
	never = iota
	perhaps
	always
)

// yaraTruth reads a condition as far as and, or, not and parentheses go; anything else is true perhaps.
type yaraTruth struct {
	words []string
	depth int
}

func (t *yaraTruth) next(word string) bool {
	if len(t.words) > 0 && t.words[0] == word {
		t.words = t.words[1:]
		return true
	}
	return false
}

func (t *yaraTruth) either() int {
	value := t.both()
	for t.next("or") {
		value = max(value, t.both())
	}
	if len(t.words) > 0 && t.words[0] != ")" {
		return perhaps
	}
	return value
}

func (t *yaraTruth) both() int {
	value := t.one()
	for t.next("and") {
		value = min(value, t.one())
	}
	return value
}

// everyFile are tests that every file with anything in it passes: of its size, and of how often a string is there.
var everyFile = regexp.MustCompile(`^(true|filesize(>=[01]|>(0|-1)|!=(0|-1))|[01]<=filesize|(0|-1)<filesize|#\w*(>=0|>-1)|0<=#\w*|filesize>=?0[KM]B|uint(8|16|32)(be)?\(\d+\)>=0)$`)

// itself says whether a test compares something with itself.
func itself(test string) bool {
	for _, op := range []string{"==", ">=", "<="} {
		if a, b, ok := strings.Cut(test, op); ok && a == b && a != "" {
			return true
		}
	}
	return false
}

// number is a test of numbers alone.
var number = regexp.MustCompile(`^(0x[0-9a-fA-F]+|\d+)(?:(==|!=|>=|<=|>|<)(0x[0-9a-fA-F]+|\d+))?$`)

// holds says whether a test of numbers alone is true.
func holds(test string) bool {
	m := number.FindStringSubmatch(test)
	if m == nil {
		return false
	}
	a, err := strconv.ParseInt(m[1], 0, 64)
	b, err2 := strconv.ParseInt(cmp.Or(m[3], "0"), 0, 64)
	if err != nil || err2 != nil {
		return false
	}
	order := cmp.Compare(a, b)
	switch m[2] {
	case "", "!=":
		return order != 0
	case "==":
		return order == 0
	case ">", ">=":
		return order > 0 || order == 0 && m[2] == ">="
	}
	return order < 0 || order == 0 && m[2] == "<="
}

func (t *yaraTruth) one() int {
	if t.depth++; t.depth > deepestCondition {
		t.words = nil
		return perhaps
	}
	defer func() { t.depth-- }()
	if t.next("not") {
		return always - t.one()
	}
	if t.next("(") {
		value := t.either()
		if t.next(")") && (len(t.words) == 0 || slices.Contains([]string{"and", "or", ")"}, t.words[0])) {
			return value
		}
		t.atom()
		return perhaps
	}
	switch text := t.atom(); {
	case everyFile.MatchString(text), itself(text), holds(text):
		return always
	case text == "false":
		return never
	}
	return perhaps
}

// atom passes a test that is none of and, or, not, and gives its text.
func (t *yaraTruth) atom() string {
	depth, from := 0, t.words
	for len(t.words) > 0 {
		switch word := t.words[0]; {
		case word == "(":
			depth++
		case word == ")" && depth == 0, depth == 0 && (word == "and" || word == "or"):
			return strings.Join(from[:len(from)-len(t.words)], "")
		case word == ")":
			depth--
		}
		t.words = t.words[1:]
	}
	return strings.Join(from, "")
}

// Modules are the modules that a YARA file imports, each once.
func Modules(src string) (names []string) {
	s := yaraScanner{src: src, line: 1}
	seen := map[string]bool{}
	for last := ""; ; {
		tok, err := s.next()
		if err != nil || tok == "" {
			return names
		}
		if name := strings.Trim(tok, `"`); last == "import" && name != tok && !seen[name] {
			names, seen[name] = append(names, name), true
		}
		last = tok
	}
}
