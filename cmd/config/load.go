package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sources is where settings come from: a flag wins over the environment, that over the file, and that
// over the default.
type Sources struct {
	Path  string            // of the file; "" is $HARFANGSYNC_CONFIG, else config.yml if present
	Env   []string          // NAME=value
	Flags map[string]string // by setting, as in Flag.Setting
	Needs []Need            // what Load checks beside the values, as Require would
	// ReadFile reads the settings file, secrets, authorities and exclusions; nil is os.ReadFile.
	ReadFile func(string) ([]byte, error)
}

// Load reads and checks the settings. Its error joins every *Problem; there is no Config then.
// Placeholders such as ChangeMe count as unset, and are problems where Needs or Require ask for them.
func Load(in Sources) (*Config, error) {
	c, err := load(in)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func load(in Sources) (*Config, error) {
	l := loader{in: in, vars: environ(in.Env), c: &Config{origins: map[string]string{}}}
	if l.in.ReadFile == nil {
		l.in.ReadFile = os.ReadFile
	}
	l.file()
	l.flags()
	for i := range settings {
		l.setting(&settings[i])
	}
	l.c.Warnings = append(l.c.Warnings, nearMisses(l.vars)...)
	l.together()
	l.files()
	l.problems = append(l.problems, l.c.lacks(in.Needs, l.invalid)...)
	return l.c, errors.Join(l.problems...)
}

type loader struct {
	in       Sources
	vars     map[string]string
	inFile   map[string]given
	c        *Config
	problems []error
	invalid  map[string]bool // paths with a problem, so that nothing is concluded from their defaults
}

func (l *loader) problem(p *Problem) {
	if l.invalid == nil {
		l.invalid = map[string]bool{}
	}
	l.invalid[p.Setting] = true
	l.problems = append(l.problems, p)
}

func (l *loader) file() {
	path, origin := l.in.Path, "flag --config"
	if path == "" {
		path, origin = strings.TrimSpace(l.vars[configVariable]), "environment "+configVariable
	}
	optional := path == ""
	if optional {
		path, origin = "config.yml", ""
	}
	content, err := l.in.ReadFile(path)
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			l.problem(&Problem{Origin: origin, Message: "the settings file cannot be read: " + reason(err, path), Remedy: "name a file that can be"})
		}
		return
	}
	f := newFile(path)
	f.read(content)
	l.inFile = f.values
	l.problems = append(l.problems, f.problems...)
	l.c.Warnings = append(l.c.Warnings, f.warnings...)
}

// reason is what the system said of a file, with the path once.
func reason(err error, path string) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return path + ": " + err.Error()
}

// flags refuses flags for what is no setting or a secret: a command line shows in process lists.
func (l *loader) flags() {
	known := map[string]bool{}
	for _, f := range Flags() {
		known[f.Setting] = true
	}
	for _, path := range sortedKeys(l.in.Flags) {
		if !known[path] {
			l.problem(&Problem{Setting: path, Message: "cannot be given as a flag", Remedy: "set it in the environment or in the file"})
		}
	}
}

// setting finds the value that counts and gives it to the Config.
func (l *loader) setting(s *setting) {
	values := l.flag(s)
	if len(values) == 0 {
		values = l.environment(s)
	}
	if len(values) == 0 {
		values = l.fromFile(s)
	}
	if len(values) > 0 && !l.agree(s, values) {
		return
	}
	if len(values) > 0 && isPlaceholder(s, values[0]) {
		l.c.placeholders = append(l.c.placeholders, placeholder{s, values[0]})
		values = nil
	}
	if len(values) == 0 {
		if s.def != "" {
			if err := s.kind.set(l.c, given{text: s.def}); err != nil {
				panic(fmt.Sprintf("default of %s: %v", s.path, err))
			}
		}
		return
	}
	if err := s.read(l.c, values[0]); err != nil {
		l.faulty(s, values[0], err)
		return
	}
	l.c.origins[s.path] = values[0].origin
	if s.path == "harfanglab.import_threats_as_case_incidents" {
		l.implied(values)
	}
}

// read gives a value to the Config. What does not print would break the logs, plans and comments that
// show it, so it is refused in all but passwords.
func (s *setting) read(c *Config, g given) error {
	parts := []string{g.text}
	if s.kind.isList {
		parts = entries(g) // a list may be cut into lines
	}
	if !s.kind.verbatim && slices.ContainsFunc(parts, hidden) {
		return bad("has characters that do not print", "write it anew")
	}
	return s.kind.set(c, g)
}

func hidden(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func isPlaceholder(s *setting, g given) bool {
	if g.list {
		return len(g.items) == 1 && placeholderText(g.items[0], s.secret)
	}
	return placeholderText(g.text, s.secret)
}

// faulty notes everything that is wrong with one value.
func (l *loader) faulty(s *setting, g given, err error) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, one := range all {
		if p, ok := errors.AsType[*Problem](one); ok {
			l.problem(p)
		} else if one != nil {
			l.problem(problemOf(s, g, one))
		}
	}
}

func problemOf(s *setting, g given, err error) *Problem {
	p := &Problem{Setting: s.path, Origin: g.origin, Value: g.shown(), Message: err.Error()}
	if f, ok := errors.AsType[*fault](err); ok {
		p.Remedy = f.remedy
		if f.hide {
			p.Value = ""
		}
		if f.where != "" {
			p.Origin = f.where
		}
	}
	if s.secret {
		p.Value = ""
	}
	return p
}

func (l *loader) flag(s *setting) []given {
	text, ok := l.in.Flags[s.path]
	if !ok || s.secret {
		return nil
	}
	return l.some(s, given{name: "--" + s.flagName(), origin: "flag --" + s.flagName(), text: text})
}

func (l *loader) environment(s *setting) []given {
	var out []given
	for _, path := range s.names() {
		name := env(path)
		out = append(out, l.some(s, given{name: name, origin: "environment " + name, text: l.vars[name]})...)
		if s.file {
			out = append(out, l.secretFile(s, name+"_FILE")...)
		}
	}
	return out
}

// secretFile reads the file that a variable names. Its last line end is no part of the secret.
func (l *loader) secretFile(s *setting, name string) []given {
	path := strings.TrimSpace(l.vars[name])
	if path == "" || placeholderText(path, false) {
		return nil
	}
	content, err := l.in.ReadFile(path)
	if err != nil {
		l.problem(&Problem{Setting: s.path, Origin: "environment " + name, Message: "its file cannot be read: " + reason(err, path)})
		return nil
	}
	found := l.some(s, given{name: name, origin: "environment " + name + ", file " + path, text: string(content)})
	if found == nil {
		l.c.Warnings = append(l.c.Warnings, fmt.Sprintf("%s: the file %s (environment %s) is empty", s.path, path, name))
	}
	return found
}

func (l *loader) fromFile(s *setting) []given {
	var out []given
	for _, path := range s.names() {
		if g, ok := l.inFile[path]; ok {
			out = append(out, l.some(s, g)...)
		}
	}
	return out
}

// some is the value, trimmed, or nothing when it is empty.
func (l *loader) some(s *setting, g given) []given {
	if s.kind.verbatim {
		g.text = strings.TrimSuffix(strings.TrimSuffix(g.text, "\n"), "\r")
	} else {
		g.text = strings.TrimSpace(g.text)
	}
	if g.text == "" && len(g.items) == 0 && g.node == nil {
		return nil
	}
	return []given{g}
}

// agree says whether all names of a setting in one source say the same, in whatever spelling.
func (l *loader) agree(s *setting, values []given) bool {
	for _, g := range values[1:] {
		if s.meaning(g) == s.meaning(values[0]) {
			continue
		}
		p := &Problem{
			Setting: s.path, Origin: values[0].origin + " and " + g.origin,
			Message: "is set under two names to different values", Remedy: "keep one of them",
		}
		if !s.secret {
			p.Message += fmt.Sprintf(", %q and %q", clean(s, values[0]), clean(s, g))
		}
		l.problem(p)
		return false
	}
	return true
}

// clean is a value for a message: nothing of one that may hold a secret.
func clean(s *setting, g given) string {
	if f, ok := errors.AsType[*fault](s.kind.set(&Config{}, g)); ok && f.hide {
		return "..."
	}
	return g.shown()
}

// meaning is equal for two spellings of one value.
func (s *setting) meaning(g given) string {
	var c Config
	if err := s.kind.set(&c, g); err != nil {
		return "as written: " + strings.ToLower(g.shown())
	}
	return fmt.Sprintf("%#v", s.kind.value(&c))
}

// implied turns the import of alerts on where the successor connector's name for threats is used: that
// connector always imported alerts. What is said of alerts elsewhere counts more.
func (l *loader) implied(values []given) {
	const events = "harfanglab.import_security_events_as_incidents"
	if _, said := l.c.origins[events]; said || l.invalid[events] {
		return
	}
	for _, g := range values {
		if g.name == importThreats || g.name == env(importThreats) {
			l.c.HarfangLab.ImportEvents = true
			l.c.origins[events] = "implied by " + g.origin
		}
	}
}
