package migrate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/deploy"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// The files of a migration, below its directory.
const (
	configFile  = "config.yml"
	Env         = "harfangsync.env"
	proxyFile   = "proxy.env" // of addresses with credentials, for the compose file
	composeFile = "docker-compose.yml"
	cronJobFile = "cronjob.yaml"
	Checklist   = "CHECKLIST.md"
	secretsDir  = "secrets"
)

// mounted is where a container finds its settings, and secretsAt its secrets.
const (
	mounted   = "/etc/harfangsync/" + configFile
	secretsAt = "/run/secrets/harfangsync"
)

//go:embed checklist.md
var checklistText string

var checklist = template.Must(template.New(Checklist).Parse(checklistText))

// Write writes everything into a directory, which is made if it is not there, with mode 0600. Without force it
// replaces no file, and writes none if one is there. Lacking is what the written settings still lack.
func (res *Result) Write(dir string, force bool) (names, lacking []string, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	files, err := res.files(abs)
	if err != nil {
		return nil, nil, err
	}
	names = append(slices.Sorted(maps.Keys(files)), Checklist)
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); !force && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("%s is there already, and nothing was written; name another --out, or replace with --force what migrate writes", filepath.Join(dir, name))
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, secretsDir), 0o700); err != nil {
		return nil, nil, err
	}
	for name, content := range files {
		if err := state.WriteFile(filepath.Join(dir, name), content); err != nil {
			return nil, nil, err
		}
	}
	_, err = config.Load(config.Sources{Path: filepath.Join(dir, configFile), Env: res.environment(filepath.Join(abs, configFile), filepath.Join(abs, secretsDir)),
		Needs: []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}})
	if err != nil {
		lacking = strings.Split(err.Error(), "\n")
	}
	var page bytes.Buffer
	if err := checklist.Execute(&page, res.view(dir, lacking)); err != nil {
		return nil, nil, err
	}
	return names, lacking, state.WriteFile(filepath.Join(dir, Checklist), page.Bytes())
}

// files are all but the checklist, by name.
func (res *Result) files(abs string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, s := range res.Secrets {
		files[filepath.Join(secretsDir, s.File())] = []byte(s.Text.Reveal() + "\n")
	}
	var settings, env, proxies bytes.Buffer
	fmt.Fprintf(&settings, "# Made by harfangsync migrate of %s, %s. Secrets are files in %s.\n", res.Names(), res.now.Format("2006-01-02"), secretsDir)
	if err := config.Write(&settings, res.Settings); err != nil {
		return nil, err
	}
	files[configFile] = settings.Bytes()
	fmt.Fprintf(&env, "# Names the settings and the secrets for a shell: set -a; . %s; set +a\n", quote(filepath.Join(abs, Env)))
	for _, line := range res.environment(filepath.Join(abs, configFile), filepath.Join(abs, secretsDir)) {
		name, value, _ := strings.Cut(line, "=")
		fmt.Fprintf(&env, "%s=%s\n", name, quote(value))
	}
	files[Env] = env.Bytes()
	for _, p := range res.Proxies {
		if p.Private() {
			fmt.Fprintf(&proxies, "%s=%s\n", p.Name, quote(p.Value.Reveal()))
			files[proxyFile] = proxies.Bytes()
			files[filepath.Join(secretsDir, fileName(p.Name))] = []byte(p.Value.Reveal())
		}
	}
	var err, err2 error
	files[composeFile], err = res.compose(abs)
	files[cronJobFile], err2 = res.cronJob(settings.String())
	return files, errors.Join(err, err2)
}

// environment names the settings and the secrets, and sets the proxies.
func (res *Result) environment(settings, secrets string) []string {
	lines := []string{"HARFANGSYNC_CONFIG=" + settings}
	for _, s := range res.Secrets {
		lines = append(lines, s.Variable()+"_FILE="+filepath.Join(secrets, s.File()))
	}
	for _, p := range res.Proxies {
		lines = append(lines, p.Name+"="+p.Value.Reveal())
	}
	return lines
}

// Names are the connectors, for people.
func (res *Result) Names() string {
	var names []string
	for i := range res.connectors {
		names = append(names, res.connectors[i].String())
	}
	return strings.Join(names, " and ")
}

// quote is a text as a shell, and an env file of docker compose, take it.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// compose is the service of deploy/docker-compose.yml with these settings.
func (res *Result) compose(abs string) ([]byte, error) {
	var of struct{ Services map[string]map[string]any }
	if err := yaml.Unmarshal(deploy.Compose, &of); err != nil {
		return nil, err
	}
	for _, service := range of.Services {
		env := map[string]string{"HARFANGSYNC_CONFIG": mounted}
		secrets := map[string]any{}
		var uses []any
		for _, s := range res.Secrets {
			env[s.Variable()+"_FILE"] = secretsAt + "/" + s.File()
			secrets[s.File()] = map[string]string{"file": filepath.Join(abs, secretsDir, s.File())}
			uses = append(uses, map[string]string{"source": s.File(), "target": secretsAt + "/" + s.File()})
		}
		for _, p := range res.Proxies {
			if p.Private() {
				service["env_file"] = []string{filepath.Join(abs, proxyFile)}
			} else {
				env[p.Name] = p.Value.Reveal()
			}
		}
		service["command"], service["environment"] = []string{res.command()}, env
		if res.command() == "run" {
			service["command"] = []string{"run", "--every", "15m"}
		}
		service["volumes"] = []string{filepath.Join(abs, configFile) + ":" + mounted + ":ro"}
		if len(uses) > 0 {
			service["secrets"] = uses
		}
		if res.command() == "pull" { // from the host's cron
			service["restart"] = "no"
		}
		if uid := os.Getuid(); uid >= 0 { // who may read the files
			service["user"] = fmt.Sprintf("%d:%d", uid, os.Getgid())
		}
		if networks := res.networks(); len(networks) > 0 {
			service["networks"] = networks
		}
		out := map[string]any{"services": map[string]any{"harfangsync": service}}
		if len(secrets) > 0 {
			out["secrets"] = secrets
		}
		return encode("# Takes the place of "+res.Names()+"; CHECKLIST.md says how. Fill in the image.\n", out)
	}
	return nil, errors.New("deploy/docker-compose.yml has no service")
}

// networks are those of the services that are replaced.
func (res *Result) networks() (names []string) {
	for _, c := range res.connectors {
		for _, n := range c.networks {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// cronJob is deploy/cronjob.yaml with these settings, its comments kept.
func (res *Result) cronJob(settings string) ([]byte, error) {
	_, manifest, _ := bytes.Cut(deploy.CronJob, []byte("\napiVersion:")) // its comment is about filling it in
	manifest = bytes.ReplaceAll(append([]byte("apiVersion:"), manifest...), []byte("../docs/"), []byte("cmd/harfangsync/docs/"))
	dec := yaml.NewDecoder(bytes.NewReader(manifest))
	var env, job yaml.Node
	if err := errors.Join(dec.Decode(&env), dec.Decode(&job)); err != nil {
		return nil, err
	}
	data := map[string]string{"HARFANGSYNC_CONFIG": mounted}
	for _, name := range []string{"HARFANGSYNC_RUN_EVERY", "HARFANGSYNC_DEADLINE"} {
		data[name] = at(&env, "data", name).Value
	}
	variables := []any{}
	for _, s := range res.Secrets {
		variables = append(variables, map[string]string{"name": s.Variable() + "_FILE", "value": secretsAt + "/" + s.File()})
	}
	for _, p := range res.Proxies {
		if p.Private() {
			variables = append(variables, map[string]any{"name": p.Name, "valueFrom": map[string]any{"secretKeyRef": map[string]string{"name": "harfangsync", "key": fileName(p.Name)}}})
		} else {
			data[p.Name] = p.Value.Reveal()
		}
	}
	pod := at(&job, "spec", "jobTemplate", "spec", "template", "spec")
	container := at(pod, "containers").Content[0]
	mount := at(container, "volumeMounts")
	volumes := at(pod, "volumes")
	mount.Content = append(mount.Content, node(map[string]any{"name": "settings", "mountPath": filepath.ToSlash(filepath.Dir(mounted)), "readOnly": true}))
	volumes.Content = append(volumes.Content, node(map[string]any{"name": "settings", "configMap": map[string]string{"name": "harfangsync-settings"}}))
	*at(container, "env") = *node(variables)
	*at(&env, "data") = *node(data)
	args := at(container, "args")
	if res.command() == "pull" {
		args.Content[0].Value = "pull"
	}
	config := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "harfangsync-settings"}, "data": map[string]string{configFile: settings}}
	return encode("# The job in the place of "+res.Names()+", every quarter of an hour. Fill in the image. Before:\n"+
		"#   kubectl create secret generic harfangsync --from-file="+secretsDir+"\n", &env, config, &job)
}

// at is the value below a path of keys.
func at(n *yaml.Node, path ...string) *yaml.Node {
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	for _, key := range path {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				n = n.Content[i+1]
				break
			}
		}
	}
	return n
}

func node(v any) *yaml.Node {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		panic(err) // maps and texts always encode
	}
	return &n
}

// encode writes documents below a comment.
func encode(head string, docs ...any) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(head)
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for _, d := range docs {
		if err := enc.Encode(d); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), enc.Close()
}

// Cell is a value in a table of the checklist.
func (*view) Cell(v any) string {
	text := fmt.Sprint(v)
	if lines := strings.Count(text, "\n"); lines > 0 {
		return fmt.Sprintf("a text of %d lines", lines)
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

// view is what the checklist shows.
type view struct {
	Names, Dir, Date, Compose                           string
	Files, Stops, Starts                                []string
	Taken                                               []config.Statement
	Secrets                                             []Secret
	Open, Notes                                         []string
	Lists, Imports, Unverified, Stream, Once, KeepsOnly bool
	ID                                                  string
	OtherIDs                                            []string
}

func (res *Result) view(dir string, lacking []string) *view {
	v := &view{Names: res.Names(), Dir: dir, Date: res.now.Format("2006-01-02 15:04 UTC"),
		Taken: res.Settings, Secrets: res.Secrets, Open: append(slices.Clone(res.Open), lacking...), Notes: res.Notes,
		Lists: res.fills(), Imports: res.imports(), Stream: res.command() == "tail", Once: res.command() == "pull",
		Unverified: res.value("opencti.ssl_verify") == false || res.value("harfanglab.ssl_verify") == false, KeepsOnly: res.value("sync.policy") != nil}
	v.ID, _ = res.value("connector.id").(string)
	for i := range res.connectors {
		c := &res.connectors[i]
		if !slices.Contains(v.Files, c.file) {
			v.Files = append(v.Files, c.file)
		}
		stop, start := "# stop the connector of "+c.file+" as it was started", "# start it again"
		if c.service != "" {
			v.Compose = "-f " + c.file + " "
			stop, start = "docker compose -f "+c.file+" stop "+c.service, "docker compose -f "+c.file+" start "+c.service
		}
		v.Stops, v.Starts = append(v.Stops, stop), append(v.Starts, start)
		for _, s := range c.stated {
			if s.Setting == "connector.id" && s.Value != v.ID {
				v.OtherIDs = append(v.OtherIDs, fmt.Sprintf("%v of %s", s.Value, c.String()))
			}
		}
	}
	return v
}
