// Package migrate turns the files of the old connectors into what harfangsync starts from: settings, secrets as files,
// a CronJob, a compose file, and a checklist of what changes. It writes nothing and reaches nobody.
package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v3"
)

// source is one connector as a file describes it.
type source struct {
	file     string
	service  string            // "" for an env file and a config.yml, which describe one connector
	env      map[string]string // nil for a config.yml
	networks []string          // of a service
	mounts   []mount
}

// mount is a file or a folder of this machine that a service sees under another name.
type mount struct{ here, there string }

// readFile reads what a connector names, where it lies on this machine.
func (s *source) readFile(path string) ([]byte, error) {
	for _, m := range s.mounts {
		if rest, ok := strings.CutPrefix(path, m.there); ok && (rest == "" || strings.HasPrefix(rest, "/")) {
			path = m.here + rest
			break
		}
	}
	return os.ReadFile(path)
}

func (s *source) String() string {
	if s.service == "" {
		return s.file
	}
	return s.service
}

// prefixes are what the variables of the three connectors begin with, and the slip of the first one's earliest files.
var prefixes = []string{"HARFANGLAB_", "HARFLANGLAB_"}

// ours says whether some variables are those of a connector of HarfangLab's.
func ours(env map[string]string) bool {
	for name := range env {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return true
		}
	}
	return false
}

// reader reads files, and remembers what to say of them.
type reader struct {
	process map[string]string // the environment of this process, which a compose file's variables come from first
	sources []source
	ignored []string // services that are no connector of HarfangLab's
	notes   []string
}

func (r *reader) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// read reads a compose file, a config.yml or an env file.
func (r *reader) read(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ext := strings.ToLower(filepath.Ext(path))
	if ext != ".yml" && ext != ".yaml" {
		env, err := r.dotenv(content, path, r.lookup(nil))
		if err != nil {
			return err
		}
		if !ours(env) {
			return fmt.Errorf("%s sets nothing of HarfangLab's connectors (HARFANGLAB_...)", path)
		}
		r.sources = append(r.sources, source{file: path, env: env})
		return nil
	}
	var top map[string]yaml.Node
	if err := yaml.Unmarshal(content, &top); err != nil {
		return fmt.Errorf("%s is no valid YAML: %s", path, lineOf.FindString(err.Error())) // the parser repeats values
	}
	if services, ok := top["services"]; ok {
		if _, more := top["include"]; more {
			r.note("%s includes other files, which are not followed: give the output of docker compose config instead", path)
		}
		return r.compose(path, &services)
	}
	if _, ok := top["opencti"]; !ok {
		return fmt.Errorf("%s is neither a compose file (services:) nor a connector's config.yml (opencti:)", path)
	}
	r.sources = append(r.sources, source{file: path})
	return nil
}

var lineOf = regexp.MustCompile(`line \d+|$`)

// service is what of a compose file's service concerns us.
type service struct {
	Environment yaml.Node `yaml:"environment"`
	EnvFile     yaml.Node `yaml:"env_file"`
	Networks    yaml.Node `yaml:"networks"`
	Volumes     yaml.Node `yaml:"volumes"`
	Extends     yaml.Node `yaml:"extends"`
}

func (r *reader) compose(path string, node *yaml.Node) error {
	beside := map[string]string{} // the .env that docker compose reads
	if content, err := os.ReadFile(filepath.Join(filepath.Dir(path), ".env")); err == nil {
		if beside, err = r.dotenv(content, ".env beside "+path, r.lookup(nil)); err != nil {
			return err
		}
	}
	var services map[string]yaml.Node
	if err := node.Decode(&services); err != nil {
		return fmt.Errorf("%s: services holds no services", path)
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		var s service
		n := services[name]
		if err := n.Decode(&s); err != nil {
			return fmt.Errorf("%s: service %s cannot be read", path, name)
		}
		in := composeService{reader: r, path: path, name: name, lookup: r.lookup(beside), env: map[string]string{}}
		if err := errors.Join(in.files(&s.EnvFile), in.environment(&s.Environment)); err != nil {
			return err
		}
		switch {
		case ours(in.env):
			for _, note := range in.unset {
				r.note("%s: %s", name, note)
			}
			r.sources = append(r.sources, source{file: path, service: name, env: in.env, networks: keys(&s.Networks), mounts: in.mounts(&s.Volumes)})
		case s.Extends.Kind != 0:
			r.note("%s extends another service, which is not followed: give the output of docker compose config instead if it is a connector of HarfangLab's", name)
		default:
			r.ignored = append(r.ignored, name)
		}
	}
	return nil
}

// composeService gathers the environment of one service.
type composeService struct {
	*reader
	path, name string
	lookup     func(string) (string, bool)
	env        map[string]string
	unset      []string
}

// files reads what env_file names: one path, several, or mappings with a path.
func (s *composeService) files(n *yaml.Node) error {
	list := resolve(n)
	if list.Kind != yaml.SequenceNode {
		list = &yaml.Node{Content: []*yaml.Node{list}}
	}
	for _, item := range list.Content {
		item = resolve(item)
		file := struct {
			Path     string
			Required bool
		}{Path: item.Value, Required: true}
		if item.Kind == yaml.MappingNode && item.Decode(&file) != nil {
			return fmt.Errorf("%s: env_file of service %s cannot be read", s.path, s.name)
		}
		if file.Path == "" {
			continue
		}
		name, err := s.interpolate("env_file", file.Path)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(s.path), name)
		}
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) && !file.Required {
			continue
		} else if err != nil {
			return fmt.Errorf("env_file of service %s: %w", s.name, err)
		}
		values, err := s.dotenv(content, name, s.lookup)
		if err != nil {
			return err
		}
		maps.Copy(s.env, values)
	}
	return nil
}

// mounts are the volumes that are files or folders of this machine: here:there:mode, or mappings.
func (s *composeService) mounts(n *yaml.Node) (all []mount) {
	for _, item := range resolve(n).Content {
		var v struct{ Source, Target string }
		if item = resolve(item); item.Kind == yaml.MappingNode {
			_ = item.Decode(&v) // what is no volume mounts nothing
		} else if parts := strings.Split(item.Value, ":"); len(parts) > 1 {
			v.Source, v.Target = parts[0], parts[1]
		}
		here, err := s.interpolate("volumes", v.Source)
		if err != nil || !strings.ContainsAny(here, "/.") { // a volume with a name
			continue
		}
		if !filepath.IsAbs(here) {
			here = filepath.Join(filepath.Dir(s.path), here)
		}
		all = append(all, mount{here, strings.TrimSuffix(v.Target, "/")})
	}
	return all
}

// environment reads a list of NAME=value, or a mapping. A name alone takes its value from where variables come from.
func (s *composeService) environment(n *yaml.Node) error {
	set := func(name, value string, given bool) error {
		if !given {
			if from, ok := s.lookup(name); ok {
				s.env[name] = from
			}
			return nil
		}
		value, err := s.interpolate(name, value)
		s.env[name] = value
		return err
	}
	switch n = resolve(n); n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			name, value, given := strings.Cut(resolve(item).Value, "=")
			if err := set(strings.TrimSpace(name), value, given); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		var values map[string]yaml.Node // with what it merges in
		if err := n.Decode(&values); err != nil {
			return fmt.Errorf("%s: environment of service %s cannot be read", s.path, s.name)
		}
		for name, v := range values {
			v := resolve(&v)
			if err := set(name, v.Value, v.ShortTag() != "!!null"); err != nil {
				return err
			}
		}
	}
	return nil
}

// interpolate fills in ${NAME:-default} and its like, as docker compose does.
func (s *composeService) interpolate(name, value string) (string, error) {
	for variable, v := range template.ExtractVariables(map[string]any{name: value}, template.DefaultPattern) {
		if _, ok := s.lookup(variable); !ok && v.DefaultValue == "" && v.PresenceValue == "" {
			s.unset = append(s.unset, fmt.Sprintf("%s takes its value from ${%s}, which is not set here, so that it counts as empty", name, variable))
		}
	}
	out, err := template.SubstituteWithOptions(value, s.lookup, template.WithoutLogging)
	if err != nil {
		return "", fmt.Errorf("%s: %s of service %s uses variables in a way that docker compose does not know, or one that has to be set", s.path, name, s.name)
	}
	return out, nil
}

// lookup is where variables come from: the environment of this process, then others.
func (r *reader) lookup(others map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if v, ok := r.process[name]; ok {
			return v, true
		}
		v, ok := others[name]
		return v, ok
	}
}

func (r *reader) dotenv(content []byte, name string, lookup func(string) (string, bool)) (map[string]string, error) {
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	unset := map[string]bool{} // without a default: the parser would log them
	for variable, v := range template.ExtractVariables(map[string]any{name: text}, template.DefaultPattern) {
		_, set := lookup(variable)
		unset[variable] = !set && v.DefaultValue == "" && v.PresenceValue == "" && !v.Required
	}
	values, err := dotenv.ParseWithLookup(strings.NewReader(text), func(variable string) (string, bool) {
		if unset[variable] {
			return "", true
		}
		return lookup(variable)
	})
	if err != nil {
		return nil, fmt.Errorf("%s is no env file of NAME=value lines", name) // the parser repeats values
	}
	for _, variable := range slices.Sorted(maps.Keys(unset)) {
		if _, here := values[variable]; unset[variable] && !here {
			r.note("%s uses ${%s}, which is not set here, so that it counts as empty", name, variable)
		}
	}
	return values, nil
}

// keys are the entries of a list, or the keys of a mapping.
func keys(n *yaml.Node) (names []string) {
	n = resolve(n)
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i < len(n.Content); i += step {
		names = append(names, resolve(n.Content[i]).Value)
	}
	return names
}

func resolve(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}
