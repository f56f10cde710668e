package migrate

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// Options say what to migrate.
type Options struct {
	Files    []string
	Services []string // of compose files, these alone; none is every connector of HarfangLab's
	Env      []string // of this process, for the variables of compose files
	Now      time.Time
}

// connector is a source with its settings.
type connector struct {
	source
	stated []config.Statement
	lists  bool // it fills lists
	alerts bool // it imports alerts
}

// Result is what becomes of the connectors.
type Result struct {
	Settings []config.Statement // for the config.yml
	Secrets  []Secret
	Proxies  []Proxy
	Ignored  []string // services left alone
	Notes    []string // what was understood and is probably not what was meant
	Open     []string // what could not be taken over

	connectors []connector
	now        time.Time
}

// Secret is a setting with a file of its own.
type Secret struct {
	config.Statement
	Text secret.Text
}

// File is the name of the file of a secret, which is also its key in a Kubernetes secret.
func (s Secret) File() string { return fileName(s.Variable()) }

func fileName(variable string) string {
	return strings.ReplaceAll(strings.ToLower(variable), "_", "-")
}

// Proxy is a variable that names a proxy, or who is reached without one.
type Proxy struct {
	Name  string
	Value secret.Text
}

// Private says whether the address holds credentials.
func (p Proxy) Private() bool { return strings.Contains(p.Value.Reveal(), "@") }

// The settings that a connector of alerts knows better than one of lists.
func ofAlerts(setting string) bool {
	return strings.HasPrefix(setting, "harfanglab.import_") || strings.HasPrefix(setting, "harfanglab.default_") || setting == "connector.name"
}

// Read reads the files of old connectors and decides what becomes of their settings.
func Read(o Options) (*Result, error) {
	r := reader{process: map[string]string{}}
	for _, line := range o.Env {
		name, value, _ := strings.Cut(line, "=")
		r.process[name] = value
	}
	for _, file := range o.Files {
		if err := r.read(file); err != nil {
			return nil, err
		}
	}
	if err := r.choose(o.Services); err != nil {
		return nil, err
	}
	res := &Result{Ignored: r.ignored, Notes: r.notes, now: o.Now.UTC().Truncate(time.Second)}
	for _, s := range r.sources {
		res.connectors = append(res.connectors, res.settings(s))
	}
	// The list is what a connector id marks, so the settings of whoever fills it come first.
	slices.SortStableFunc(res.connectors, func(a, b connector) int { return cmp.Compare(rank(a), rank(b)) })
	if err := res.merge(); err != nil {
		return nil, err
	}
	res.proxies()
	return res, nil
}

func rank(c connector) int {
	if c.lists {
		return 0
	}
	return 1
}

// choose keeps the services that were asked for.
func (r *reader) choose(services []string) error {
	if len(services) > 0 {
		r.sources = slices.DeleteFunc(r.sources, func(s source) bool {
			out := s.service != "" && !slices.Contains(services, s.service)
			if out {
				r.ignored = append(r.ignored, s.service)
			}
			return out
		})
	}
	for _, name := range services {
		if !slices.ContainsFunc(r.sources, func(s source) bool { return s.service == name }) {
			return fmt.Errorf("--service %s: no connector of HarfangLab's in these files has that name", name)
		}
	}
	if len(r.sources) == 0 {
		return fmt.Errorf("none of these services is a connector of HarfangLab's (HARFANGLAB_... in its environment): %s", strings.Join(r.ignored, ", "))
	}
	return nil
}

// settings reads those of one connector, as harfangsync reads them.
func (res *Result) settings(s source) connector {
	in := config.Sources{Path: os.DevNull, ReadFile: s.readFile}
	if s.env == nil {
		in.Path = s.file
	}
	for name, value := range s.env {
		in.Env = append(in.Env, name+"="+value)
	}
	c, problems := config.Inspect(in)
	out := connector{source: s, stated: c.Stated()}
	for i, st := range out.stated {
		if strings.HasSuffix(st.Setting, ".ca_bundle") {
			out.stated[i].Value = res.authorities(&s, st)
		}
	}
	for _, w := range c.Warnings {
		res.Notes = append(res.Notes, s.String()+": "+w)
	}
	for _, p := range problems {
		if p.Setting == "connector.live_stream_listen_delete" { // our word for it
			out.stated = append(out.stated, config.Statement{Setting: "sync.policy", Value: "upsert-only", Name: "CONNECTOR_LIVE_STREAM_LISTEN_DELETE=false"})
			continue
		}
		res.Open = append(res.Open, s.String()+": "+p.Error())
	}
	for _, st := range out.stated {
		name := strings.ToUpper(strings.ReplaceAll(st.Name, ".", "_"))
		switch {
		case strings.HasPrefix(name, "HARFANGLAB_INCIDENTS_"):
			out.alerts = true
		case strings.HasPrefix(name, "HARFANGLAB_"):
			out.lists = true
		}
	}
	out.alerts = out.alerts || c.HarfangLab.ImportEvents
	return out
}

// authorities are the text of a bundle, which goes along wherever the settings go, unless it is a whole system's.
func (res *Result) authorities(s *source, st config.Statement) any {
	const most = 32 << 10
	content, err := s.readFile(fmt.Sprint(st.Value))
	switch {
	case err != nil: // it is the text already
		return st.Value
	case len(content) > most:
		res.Notes = append(res.Notes, fmt.Sprintf("%s: %s names %v, with the authorities of a whole system: the image has its own; leave it out, or see to it that the file is there", s, st.Setting, st.Value))
		return st.Value
	}
	return string(content)
}

// merge makes one set of settings of all connectors. They have to be those of one manager and one OpenCTI.
func (res *Result) merge() error {
	chosen := map[string]config.Statement{}
	from := map[string]string{}
	for _, c := range res.connectors {
		for _, s := range c.stated {
			was, twice := chosen[s.Setting]
			same := fmt.Sprintf("%#v", reveal(was.Value)) == fmt.Sprintf("%#v", reveal(s.Value))
			switch {
			case twice && same:
			case twice && (s.Setting == "opencti.url" || s.Setting == "harfanglab.url" || s.Setting == "harfanglab.source_list_name"):
				return fmt.Errorf("%s is %v in %s and %v in %s: one instance fills one list of one manager; run migrate once for each, with --service", s.Setting, was.Value, from[s.Setting], s.Value, &c.source)
			case twice && !(ofAlerts(s.Setting) && c.alerts):
				res.Notes = append(res.Notes, fmt.Sprintf("%s differs: %s", s.Setting, differs(was, from[s.Setting], s, c.String())))
			default:
				if twice {
					res.Notes = append(res.Notes, fmt.Sprintf("%s differs: %s", s.Setting, differs(s, c.String(), was, from[s.Setting])))
				}
				chosen[s.Setting], from[s.Setting] = s, c.String()
			}
		}
	}
	res.complete(chosen, from)
	return nil
}

// complete sets what follows from the move, and parts settings from secrets.
func (res *Result) complete(chosen map[string]config.Statement, from map[string]string) {
	const start = "harfanglab.import_start_date"
	if chosen["harfanglab.import_security_events_as_incidents"].Value == true {
		s := config.Statement{Setting: start, Value: res.now.Format(time.RFC3339), Name: "the moment of the switch; set it to when the old connector stopped"}
		if was, given := chosen[start]; given {
			s.Name += fmt.Sprintf(" (was %v)", was.Value)
		}
		chosen[start] = s
		delete(from, start)
	}
	_, login := chosen["harfanglab.login"]
	for _, needed := range []string{"opencti.token", "harfanglab.token"} {
		if _, given := chosen[needed]; !given && (needed == "opencti.token" || !login) {
			chosen[needed] = config.Statement{Setting: needed, Value: secret.Text(""), Name: "not found: write it into this file"}
		}
	}
	sections := []string{"opencti", "connector", "harfanglab", "sync"}
	section := func(path string) int { return slices.Index(sections, path[:strings.IndexByte(path, '.')]) }
	for _, path := range slices.SortedFunc(maps.Keys(chosen), func(a, b string) int { return cmp.Or(cmp.Compare(section(a), section(b)), cmp.Compare(a, b)) }) {
		s := chosen[path]
		s.Comment = s.Name
		if f := from[path]; f != "" {
			s.Comment += " of " + f
		}
		if text, ok := s.Value.(secret.Text); ok {
			res.Secrets = append(res.Secrets, Secret{s, text})
		} else {
			res.Settings = append(res.Settings, s)
		}
	}
}

func reveal(v any) any {
	if s, ok := v.(secret.Text); ok {
		return s.Reveal()
	}
	return v
}

// differs says which of two values is kept, and shows no secret.
func differs(kept config.Statement, of string, other config.Statement, otherOf string) string {
	if _, hide := kept.Value.(secret.Text); hide {
		return fmt.Sprintf("that of %s is kept, not that of %s", of, otherOf)
	}
	return fmt.Sprintf("%v of %s is kept, not %v of %s", kept.Value, of, other.Value, otherOf)
}

// proxies takes over the variables that name proxies.
func (res *Result) proxies() {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		for _, c := range res.connectors {
			if value := cmp.Or(c.env[name], c.env[strings.ToLower(name)]); value != "" {
				res.Proxies = append(res.Proxies, Proxy{name, secret.Text(value)})
				break
			}
		}
	}
}

// fills says whether a list is to be filled; otherwise alerts alone are imported.
func (res *Result) fills() bool {
	return slices.ContainsFunc(res.connectors, func(c connector) bool { return c.lists })
}

// imports says whether alerts are imported.
func (res *Result) imports() bool {
	return res.value("harfanglab.import_security_events_as_incidents") == true
}

// value is that of a setting, nil for none.
func (res *Result) value(setting string) any {
	for _, s := range res.Settings {
		if s.Setting == setting {
			return s.Value
		}
	}
	return nil
}

// command is what takes the place of the connectors: tail needs a stream to follow.
func (res *Result) command() string {
	stream, _ := res.value("connector.live_stream_id").(string)
	switch {
	case !res.fills():
		return "pull"
	case stream != "" && stream != "live":
		return "tail"
	}
	return "run"
}
