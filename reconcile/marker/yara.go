package marker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// YARALine is the marker of a YARA file, its first line:
// // harfangsync indicator=<id,...> instance=<id> applied=<digest> [disabled=<reason>]
type YARALine struct {
	Owners   []string // internal ids
	Instance string
	Applied  Applied
	Disabled string
}

// String is the line without its end.
func (l YARALine) String() string {
	s := "// " + Product + " indicator=" + strings.Join(l.Owners, ",") + " instance=" + l.Instance + " applied=" + l.Applied.String()
	if l.Disabled != "" {
		s += " disabled=" + l.Disabled
	}
	return s
}

// MarkYARA puts l in front of a file, in place of a marker that it already carries.
func MarkYARA(content string, l YARALine) string {
	_, body, _ := SplitYARA(content)
	return l.String() + "\n" + body
}

var yaraForm = regexp.MustCompile(`(?i)^\s*//\s*` + Product + `\s+(.*)$`)

// SplitYARA takes a file apart into its marker and the rest.
func SplitYARA(content string) (l YARALine, body string, c Class) {
	first, rest, _ := strings.Cut(content, "\n")
	m := yaraForm.FindStringSubmatch(strings.TrimRight(first, "\r"))
	if m == nil {
		return YARALine{}, content, None
	}
	for _, f := range strings.Fields(m[1]) {
		switch k, v, _ := strings.Cut(f, "="); strings.ToLower(k) {
		case "indicator":
			l.Owners = slices.DeleteFunc(strings.Split(v, ","), func(id string) bool { return id == "" })
		case "instance":
			l.Instance = v
		case "applied":
			l.Applied = ParseApplied(v)
		case "disabled":
			l.Disabled = v
		}
	}
	if len(l.Owners) == 0 || l.Instance == "" {
		return YARALine{}, content, None
	}
	return l, rest, Ours
}

// YARAText is the digest of what is compared of a YARA file besides its owner and its state: the
// marker left out, LF line ends, no trailing blanks, no blank lines at either end.
func YARAText(name, content string) uint64 {
	_, body, _ := SplitYARA(content)
	return Hash("yara", strings.TrimSpace(name), NormalYARA(body))
}

// NormalYARA is the compared form of a file's text.
func NormalYARA(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// CheckYARA finds what no YARA compiler would take: no rule, a rule without a name or with the name
// of another, braces or quotes that do not close, a rule without a condition. It returns the rule
// names. It does not compile.
func CheckYARA(src string) (names []string, err error) {
	s := yaraScanner{src: src, line: 1}
	seen := map[string]bool{}
	depth, inRule, condition := 0, false, false
	for {
		tok, err := s.next()
		if err != nil {
			return nil, err
		}
		switch {
		case tok == "":
			if depth != 0 {
				return nil, fmt.Errorf("line %d: a brace is not closed", s.line)
			}
			if inRule {
				return nil, errors.New("the last rule has no body")
			}
			if len(names) == 0 {
				return nil, errors.New("no rule in it")
			}
			return names, nil
		case tok == "{":
			if depth == 0 && !inRule {
				return nil, fmt.Errorf("line %d: a brace outside a rule", s.line)
			}
			depth++
		case tok == "}":
			if depth--; depth < 0 {
				return nil, fmt.Errorf("line %d: a brace too many", s.line)
			}
			if depth == 0 {
				if !condition {
					return nil, fmt.Errorf("rule %s has no condition", names[len(names)-1])
				}
				inRule, condition = false, false
			}
		case depth == 0 && tok == "rule":
			if inRule {
				return nil, fmt.Errorf("line %d: rule inside the head of another", s.line)
			}
			name, err := s.next()
			if err != nil {
				return nil, err
			}
			if !yaraName.MatchString(name) {
				return nil, fmt.Errorf("line %d: a rule without a valid name", s.line)
			}
			if seen[name] {
				return nil, fmt.Errorf("two rules are named %s", name)
			}
			seen[name] = true
			names, inRule = append(names, name), true
		case depth == 1 && tok == "condition" && !s.named:
			condition = true
		}
	}
}

var yaraName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// yaraScanner yields words and punctuation; comments are passed over, and a text string or regular
// expression is one token.
type yaraScanner struct {
	src  string
	at   int
	line int
	last string // the token before, to tell a regular expression from a division
	// named says that the last word is the name of a string, such as $condition.
	named bool
}

func (s *yaraScanner) next() (tok string, err error) {
	defer func() { s.last = tok }()
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '\n':
			s.line++
			s.at++
		case c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f':
			s.at++
		case strings.HasPrefix(s.src[s.at:], "//"):
			s.skipTo("\n")
		case strings.HasPrefix(s.src[s.at:], "/*"):
			line := s.line
			s.at += 2
			if !s.skipTo("*/") {
				return "", fmt.Errorf("line %d: a comment is not closed", line)
			}
			s.at += 2
		case c == '"':
			return s.quoted('"')
		case c == '/' && s.regexpMayStart():
			return s.quoted('/')
		case wordByte(c):
			from := s.at
			s.named = s.last == "$" && from > 0 && s.src[from-1] == '$'
			for s.at < len(s.src) && wordByte(s.src[s.at]) {
				s.at++
			}
			return s.src[from:s.at], nil
		default:
			s.at++
			return string(c), nil
		}
	}
	return "", nil
}

// skipTo moves to the next end and says whether there is one.
func (s *yaraScanner) skipTo(end string) bool {
	i := strings.Index(s.src[s.at:], end)
	found := i >= 0
	if !found {
		i = len(s.src) - s.at
	}
	s.line += strings.Count(s.src[s.at:s.at+i], "\n")
	s.at += i
	return found
}

func (s *yaraScanner) regexpMayStart() bool {
	switch s.last {
	case "=", "matches", "(", ",", "and", "or", "not":
		return true
	}
	return false
}

func (s *yaraScanner) quoted(end byte) (string, error) {
	from := s.at
	for s.at++; s.at < len(s.src); s.at++ {
		switch s.src[s.at] {
		case '\\':
			s.at++
		case '\n':
			return "", fmt.Errorf("line %d: a string is not closed", s.line)
		case end:
			s.at++
			return s.src[from:s.at], nil
		}
	}
	return "", fmt.Errorf("line %d: a string is not closed", s.line)
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
