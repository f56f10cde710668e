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
	var b strings.Builder
	for l := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\n") {
		b.WriteString(strings.TrimRight(l, " \t") + "\n")
	}
	return strings.Trim(b.String(), "\n")
}

// CheckYARA finds what no YARA compiler would take: no rule, a rule without a name or with the name
// of another, braces or quotes that do not close, a rule without a condition. It returns the rule
// names. It does not compile.
func CheckYARA(src string) (names []string, err error) {
	f := yaraFile{yaraScanner: yaraScanner{src: src, line: 1}, seen: map[string]bool{}}
	for {
		tok, err := f.next()
		switch {
		case err != nil:
			return nil, err
		case tok == "":
			return f.end()
		case tok == "{":
			err = f.open()
		case tok == "}":
			err = f.close()
		case f.depth == 0 && tok == "rule":
			err = f.head()
		case f.depth == 1 && tok == "condition" && !f.named:
			f.condition = true
		}
		if err != nil {
			return nil, err
		}
	}
}

// yaraFile is a file as far as it was checked.
type yaraFile struct {
	yaraScanner
	names     []string
	seen      map[string]bool
	depth     int
	inRule    bool // from its head to its last brace
	condition bool // the rule has one
}

func (f *yaraFile) end() ([]string, error) {
	switch {
	case f.depth != 0:
		return nil, fmt.Errorf("line %d: a brace is not closed", f.line)
	case f.inRule:
		return nil, errors.New("the last rule has no body")
	case len(f.names) == 0:
		return nil, errors.New("no rule in it")
	}
	return f.names, nil
}

func (f *yaraFile) open() error {
	if f.depth == 0 && !f.inRule {
		return fmt.Errorf("line %d: a brace outside a rule", f.line)
	}
	f.depth++
	return nil
}

func (f *yaraFile) close() error {
	if f.depth--; f.depth < 0 {
		return fmt.Errorf("line %d: a brace too many", f.line)
	}
	if f.depth > 0 {
		return nil
	}
	if !f.condition {
		return fmt.Errorf("rule %s has no condition", f.names[len(f.names)-1])
	}
	f.inRule, f.condition = false, false
	return nil
}

func (f *yaraFile) head() error {
	if f.inRule {
		return fmt.Errorf("line %d: rule inside the head of another", f.line)
	}
	name, err := f.next()
	switch {
	case err != nil:
		return err
	case !yaraName.MatchString(name):
		return fmt.Errorf("line %d: a rule without a valid name", f.line)
	case f.seen[name]:
		return fmt.Errorf("two rules are named %s", name)
	}
	f.names, f.seen[name], f.inRule = append(f.names, name), true, true
	return nil
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
