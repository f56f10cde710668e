package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sources is where settings come from: a flag wins over the environment, that over the file, and that
// over the default.
type Sources struct {
	Path  string            // of the file; "" is $HARFANGSYNC_CONFIG, else config.yml if present
	Env   []string          // NAME=value
	Flags map[string]string // by setting, as in Flag.Setting
	Needs []Need            // what must be set, and no placeholder
	// ReadFile reads the settings file, secrets, authorities and exclusions; nil is os.ReadFile.
	ReadFile func(string) ([]byte, error)
}

// Load reads and checks the settings. Its error joins every *Problem; there is no Config then.
// Placeholders such as ChangeMe count as unset, and are problems where Needs ask for them.
func Load(in Sources) (*Config, error) {
	c, err := load(in)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func load(in Sources) (*Config, error) {
	l := loader{in: in, vars: environ(in.Env), c: &Config{}}
	if l.in.ReadFile == nil {
		l.in.ReadFile = os.ReadFile
	}
	l.c.settings = settingsOf(l.c)
	l.unquote()
	l.file()
	l.flags()
	for i := range l.c.settings {
		l.setting(&l.c.settings[i])
	}
	l.c.Warnings = append(l.c.Warnings, nearMisses(l.vars)...)
	for i := range l.c.settings {
		l.check(&l.c.settings[i])
	}
	l.problems = append(l.problems, l.c.lacks(in.Needs)...)
	return l.c, errors.Join(l.problems...)
}

type loader struct {
	in       Sources
	vars     map[string]string
	inFile   map[string]given
	c        *Config
	problems []error
}

func (l *loader) warn(format string, args ...any) {
	l.c.Warnings = append(l.c.Warnings, fmt.Sprintf(format, args...))
}

// faulty notes everything that is wrong with a setting.
func (l *loader) faulty(s *setting, g given, err error) {
	for _, one := range parts(err) {
		p := problemOf(one, g.origin, g.shown())
		p.Setting = cmp.Or(p.Setting, s.path)
		if s.secret {
			p.Value = ""
		}
		s.broken = true
		l.problems = append(l.problems, p)
	}
}

func (l *loader) file() {
	path, origin := l.in.Path, Origin{fromFlag, "--config"}
	if path == "" {
		path, origin = strings.TrimSpace(l.vars[configVariable]), Origin{fromEnvironment, configVariable}
	}
	optional := path == ""
	if optional {
		path, origin = "config.yml", Origin{}
	}
	content, err := l.in.ReadFile(path)
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			l.problems = append(l.problems, &Problem{Origin: origin, Message: "the settings file cannot be read: " + reason(err, path), Remedy: "name a file that can be"})
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

// ofSecret is the name of a file that holds a secret, for people. What is no whole path may be the secret itself.
func ofSecret(path string) string {
	if filepath.IsAbs(path) && !hidden(given{text: path}) {
		return path
	}
	return "a name that is no whole path, and is not shown since it may be the secret itself"
}

// flags refuses flags for what is no setting or a secret: a command line shows in process lists.
func (l *loader) flags() {
	for _, path := range slices.Sorted(maps.Keys(l.in.Flags)) {
		if !slices.ContainsFunc(Flags(), func(f Flag) bool { return f.Setting == path }) {
			l.problems = append(l.problems, &Problem{Setting: path, Message: "cannot be given as a flag", Remedy: "set it in the environment or in the file"})
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
	for _, name := range s.others {
		if len(values) == 0 {
			values = s.some(given{origin: Origin{fromEnvironment, name}, text: l.vars[name]})
		}
	}
	if len(values) > 0 && !l.agree(s, values) {
		return
	}
	if len(values) > 0 && placeholderText(values[0].shown(), s.secret) {
		s.sample, values = &values[0], nil
	}
	if len(values) == 0 {
		l.byDefault(s)
		return
	}
	s.origin = values[0].origin
	for _, g := range values {
		s.given = append(s.given, given{name: g.name, origin: g.origin})
	}
	l.faulty(s, values[0], s.read(values[0]))
}

func (l *loader) byDefault(s *setting) {
	if s.def == "" {
		return
	}
	if err := s.set(given{text: s.def}); err != nil {
		panic(fmt.Sprintf("default of %s: %v", s.path, err))
	}
	s.origin = Origin{source: byDefault}
}

// check looks at what a setting says beside others.
func (l *loader) check(s *setting) {
	unknown := func(path string) bool { return l.c.row(path).broken }
	if s.check != nil && !s.broken && !slices.ContainsFunc(s.with, unknown) {
		l.faulty(s, given{origin: s.origin}, s.check(l, s))
	}
}

func (l *loader) flag(s *setting) []given {
	text, ok := l.in.Flags[s.path]
	if !ok || s.secret {
		return nil
	}
	return s.some(given{origin: Origin{fromFlag, "--" + s.flagName()}, text: text})
}

func (l *loader) environment(s *setting) []given {
	var out []given
	for _, path := range s.paths() {
		name := env(path)
		out = append(out, s.some(given{name: name, origin: Origin{fromEnvironment, name}, text: l.vars[name]})...)
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
		l.faulty(s, given{origin: Origin{fromEnvironment, name}}, bad("its file cannot be read: "+reason(err, ofSecret(path)), ""))
		return nil
	}
	found := s.some(given{name: name, origin: Origin{fromEnvironment, name + ", file " + path}, text: string(content)})
	if found == nil {
		l.warn("%s: the file %s (environment %s) is empty", s.path, path, name)
	}
	return found
}

func (l *loader) fromFile(s *setting) []given {
	var out []given
	for _, path := range s.paths() {
		if g, ok := l.inFile[path]; ok {
			out = append(out, s.some(g)...)
		}
	}
	return out
}

// agree says whether all names of a setting in one source say the same, in whatever spelling.
func (l *loader) agree(s *setting, values []given) bool {
	for _, g := range values[1:] {
		meaning, shown := s.trial(values[0])
		other, otherShown := s.trial(g)
		if other == meaning {
			continue
		}
		message := "is set under two names to different values"
		if !s.secret {
			message += fmt.Sprintf(", %q and %q", shown, otherShown)
		}
		both := Origin{values[0].origin.source, values[0].origin.at + " and " + g.origin.String()}
		l.faulty(s, given{origin: both}, bad(message, "keep one of them"))
		return false
	}
	return true
}

// trial is what a value would come to, equal for two spellings of one value, and how a message shows it:
// nothing of one that may hold a secret.
func (s *setting) trial(g given) (meaning, shown string) {
	other := new(Config)
	other.settings = settingsOf(other)
	t := other.row(s.path)
	err := t.set(g)
	if err == nil {
		return fmt.Sprintf("%#v", t.value()), g.shown()
	}
	if p, ok := errors.AsType[*Problem](err); ok && p.hide {
		return "as written: " + g.shown(), "..."
	}
	return "as written: " + strings.ToLower(g.shown()), g.shown()
}

// row is the setting with a path that is in the table.
func (c *Config) row(path string) *setting {
	i := slices.IndexFunc(c.settings, func(s setting) bool { return s.path == path })
	return &c.settings[i]
}
