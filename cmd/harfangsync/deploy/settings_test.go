package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	strict "sigs.k8s.io/yaml"

	"github.com/harfangsync/harfangsync/cmd/config"
)

// The settings are valid once the placeholders are filled in, and nothing in them is misspelt.
func TestTheSettingsAreSettings(t *testing.T) {
	for _, m := range manifests(t) {
		for name, pod := range m.pods {
			job := m.jobs[name]
			indexes := 1
			if job != nil && job.Completions != nil {
				indexes = int(*job.Completions)
			}
			for i := range indexes {
				for _, c := range pod.Containers {
					t.Run(fmt.Sprintf("%s %s %d", m.file, name, i), func(t *testing.T) { m.check(t, pod, job, &c, strconv.Itoa(i)) })
				}
			}
		}
	}
}

// check loads the settings of a container as the program would.
func (m *manifest) check(t *testing.T, pod *corev1.PodSpec, job *batchv1.JobSpec, c *corev1.Container, index string) {
	env := m.env(t, c, index)
	needs := []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}
	switch {
	case c.Args[0] == "snapshot":
		needs = needs[:1]
	case slices.Contains(c.Args, "--from"):
		needs = needs[1:]
	}
	cfg, err := config.Load(config.Sources{Env: filled(t, env, pod, c), Needs: needs, ReadFile: m.mounted(pod, c)})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %q", cfg.Warnings)
	}
	if grace := pod.TerminationGracePeriodSeconds; grace == nil || time.Duration(*grace)*time.Second <= cfg.Sync.RequestTimeout {
		t.Errorf("grace period %v, request timeout %v: what is in flight may be killed", grace, cfg.Sync.RequestTimeout)
	}
	if job == nil {
		return
	}
	if limit := job.ActiveDeadlineSeconds; limit == nil || cfg.Sync.Deadline == 0 || time.Duration(*limit)*time.Second <= cfg.Sync.Deadline {
		t.Errorf("the job ends after %v, the run after %v: it has to end first, to say why", limit, cfg.Sync.Deadline)
	}
}

const instance = "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01"

// mounted reads the files of ConfigMaps where a container sees them, with an id for ChangeMe; any other
// file is that of the machine.
func (m *manifest) mounted(pod *corev1.PodSpec, c *corev1.Container) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		for _, mount := range c.VolumeMounts {
			name, below := strings.CutPrefix(path, mount.MountPath+"/")
			for _, v := range pod.Volumes {
				if below && v.Name == mount.Name && v.ConfigMap != nil && m.configs[v.ConfigMap.Name] != nil {
					if text, ok := m.configs[v.ConfigMap.Name].Data[name]; ok {
						return []byte(strings.ReplaceAll(text, "ChangeMe", instance)), nil
					}
				}
			}
		}
		return os.ReadFile(path)
	}
}

// filled is an environment with an id for ChangeMe, and files for the secrets that the pod mounts.
func filled(t *testing.T, env map[string]string, pod *corev1.PodSpec, c *corev1.Container) []string {
	t.Helper()
	dir := t.TempDir()
	var out []string
	for k, v := range env {
		if v == "ChangeMe" {
			v = instance
		}
		if strings.HasSuffix(k, "_FILE") {
			mounted := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
				secret := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.Secret != nil })
				return secret && (v == m.MountPath || strings.HasPrefix(v, m.MountPath+"/"))
			})
			if !mounted {
				t.Errorf("%s=%s is in no mounted secret", k, v)
			}
			v = filepath.Join(dir, filepath.Base(v))
			if err := os.WriteFile(v, []byte("a-token\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, k+"="+v)
	}
	return out
}

// The service of docker-compose takes the environment of an old connector, and is as locked down as a
// pod.
func TestComposeTakesTheOldEnvironment(t *testing.T) {
	b, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image, Restart       string
			Command, Environment []string
			Tmpfs, CapDrop       []string
			SecurityOpt          []string
			StopGracePeriod      string
			ReadOnly             bool
		}
	}
	// Compose spells its keys with underscores; the strict decoder is Kubernetes', which reads JSON's.
	spelt := strings.NewReplacer("stop_grace_period", "stopGracePeriod", "read_only", "readOnly", "cap_drop", "capDrop", "security_opt", "securityOpt").Replace(string(b))
	if err := strict.UnmarshalStrict([]byte(spelt), &file); err != nil {
		t.Fatal(err)
	}
	s, ok := file.Services["connector-harfanglab"]
	if !ok || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.Tmpfs, []string{"/tmp"}) || len(s.SecurityOpt) == 0 {
		t.Errorf("service %+v", s)
	}
	env := s.Environment
	for i := range env {
		env[i] = strings.Replace(env[i], "=ChangeMe", "="+instance, 1)
	}
	cfg, err := config.Load(config.Sources{Path: os.DevNull, Env: env, Needs: []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance, config.NeedImports}})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 1 || !strings.HasPrefix(cfg.Warnings[0], "opencti.url is an http address") { // within the compose network, as it was
		t.Errorf("warnings: %q", cfg.Warnings)
	}
	if grace, err := time.ParseDuration(s.StopGracePeriod); err != nil || grace <= cfg.Sync.RequestTimeout {
		t.Errorf("grace period %s, request timeout %v", s.StopGracePeriod, cfg.Sync.RequestTimeout)
	}
}
