// Package deploy_test holds the manifests of this directory to Kubernetes' own types and to the program:
// its exit codes, settings and measurements. It is a package of its own so that those types stay out of
// everything else.
package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"

	"harfangsync/cmd/config"
)

const container = "harfangsync"

// manifest is what one file holds.
type manifest struct {
	file    string
	configs map[string]*corev1.ConfigMap
	jobs    map[string]*batchv1.JobSpec
	pods    map[string]*corev1.PodSpec
	cron    *batchv1.CronJobSpec
	deploys map[string]*appsv1.DeploymentSpec
}

// read decodes every document of a file; a field that Kubernetes does not know is an error.
func read(t *testing.T, file string) *manifest {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := &manifest{file: file, configs: map[string]*corev1.ConfigMap{}, jobs: map[string]*batchv1.JobSpec{},
		pods: map[string]*corev1.PodSpec{}, deploys: map[string]*appsv1.DeploymentSpec{}}
	docs := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(b)))
	buf := make([]byte, len(b)+1)
	for {
		n, err := docs.Read(buf)
		if errors.Is(err, io.EOF) {
			return m
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		m.add(t, buf[:n])
	}
}

func (m *manifest) add(t *testing.T, doc []byte) {
	t.Helper()
	var meta metav1.TypeMeta
	if err := strict.Unmarshal(doc, &meta); err != nil {
		t.Fatalf("%s: %v", m.file, err)
	}
	into := func(v any) {
		t.Helper()
		if err := strict.UnmarshalStrict(doc, v); err != nil {
			t.Fatalf("%s, %s: %v", m.file, meta.Kind, err)
		}
	}
	switch meta.APIVersion + " " + meta.Kind {
	case "v1 ConfigMap":
		var c corev1.ConfigMap
		into(&c)
		m.configs[c.Name] = &c
	case "batch/v1 CronJob":
		var c batchv1.CronJob
		into(&c)
		m.cron, m.jobs[c.Name], m.pods[c.Name] = &c.Spec, &c.Spec.JobTemplate.Spec, &c.Spec.JobTemplate.Spec.Template.Spec
	case "batch/v1 Job":
		var j batchv1.Job
		into(&j)
		m.jobs[j.Name], m.pods[j.Name] = &j.Spec, &j.Spec.Template.Spec
	case "apps/v1 Deployment":
		var d appsv1.Deployment
		into(&d)
		m.deploys[d.Name], m.pods[d.Name] = &d.Spec, &d.Spec.Template.Spec
	default:
		t.Fatalf("%s holds a %s %s, which nothing here checks", m.file, meta.APIVersion, meta.Kind)
	}
}

// manifests are all of this directory.
func manifests(t *testing.T) []*manifest {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []*manifest
	for _, f := range files {
		all = append(all, read(t, f))
	}
	if len(all) == 0 {
		t.Fatal("no manifests")
	}
	return all
}

// env is what a container sees: the ConfigMaps it takes whole, then its own variables.
func (m *manifest) env(t *testing.T, c *corev1.Container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			t.Fatalf("%s: the environment of %s comes from something else than a ConfigMap", m.file, c.Name)
		}
		source := m.configs[from.ConfigMapRef.Name]
		if source == nil { // a file may rely on what the CronJob's brings
			source = read(t, "cronjob.yaml").configs[from.ConfigMapRef.Name]
		}
		if source == nil {
			t.Fatalf("%s: no ConfigMap %s", m.file, from.ConfigMapRef.Name)
		}
		for k, v := range source.Data {
			env[k] = v
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			t.Errorf("%s: %s is a secret in the environment; mount a file", m.file, e.Name)
		}
		env[e.Name] = e.Value
	}
	return env
}

func TestEveryPodIsLockedDown(t *testing.T) {
	for _, m := range manifests(t) {
		for name, pod := range m.pods {
			t.Run(m.file+" "+name, func(t *testing.T) {
				isFalse := func(b *bool) bool { return b != nil && !*b }
				if !isFalse(pod.AutomountServiceAccountToken) || !isFalse(pod.EnableServiceLinks) {
					t.Error("the pod gets a token or service links that it does not need")
				}
				if pod.HostNetwork || pod.HostPID || pod.HostIPC {
					t.Error("the pod sees its node")
				}
				s := pod.SecurityContext
				if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser != uid(t) || s.FSGroup == nil ||
					s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
					t.Errorf("pod security context %+v", s)
				}
				for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
					locked(t, pod, &c)
				}
			})
		}
	}
}

func locked(t *testing.T, pod *corev1.PodSpec, c *corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 || s.Privileged != nil {
		t.Errorf("%s: security context %+v", c.Name, s)
	}
	if _, tag, ok := strings.Cut(c.Image, ":v"); !ok || tag == "" {
		t.Errorf("%s: image %s has no version", c.Name, c.Image)
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
	}
	tmp := false
	for _, mount := range c.VolumeMounts {
		v, ok := volumes[mount.Name]
		switch {
		case !ok:
			t.Errorf("%s mounts %s, which is no volume", c.Name, mount.Name)
		case v.Secret != nil:
			// Group-readable: the files belong to root, and fsGroup lets the user in.
			if !mount.ReadOnly || v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440 {
				t.Errorf("%s: the secret %s can be written or read by others", c.Name, mount.Name)
			}
		case mount.MountPath == "/tmp":
			tmp = v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil
		}
	}
	if !tmp {
		t.Errorf("%s: /tmp is not writable, so big plans stay in memory", c.Name)
	}
}

// The settings are valid once the placeholders are filled in, and nothing in them is misspelt.
func TestTheSettingsAreSettings(t *testing.T) {
	for _, m := range manifests(t) {
		for name, pod := range m.pods {
			for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
				t.Run(m.file+" "+name+" "+c.Name, func(t *testing.T) {
					cfg, err := config.Load(config.Sources{Path: os.DevNull, Env: filled(t, m.env(t, &c), pod, &c),
						Needs: []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}})
					if err != nil {
						t.Fatal(err)
					}
					if len(cfg.Warnings) > 0 {
						t.Errorf("warnings: %q", cfg.Warnings)
					}
					if grace := pod.TerminationGracePeriodSeconds; grace == nil || time.Duration(*grace)*time.Second <= cfg.Sync.RequestTimeout {
						t.Errorf("grace period %v, request timeout %v: what is in flight may be killed", grace, cfg.Sync.RequestTimeout)
					}
					job := m.jobs[name]
					if job == nil {
						return
					}
					if limit := job.ActiveDeadlineSeconds; limit == nil || cfg.Sync.Deadline == 0 || time.Duration(*limit)*time.Second <= cfg.Sync.Deadline {
						t.Errorf("the job ends after %v, the run after %v: it has to end first, to say why", limit, cfg.Sync.Deadline)
					}
				})
			}
		}
	}
}

// filled is an environment with an id for ChangeMe and files for the secrets, where the pod mounts them.
func filled(t *testing.T, env map[string]string, pod *corev1.PodSpec, c *corev1.Container) []string {
	t.Helper()
	dir := t.TempDir()
	var out []string
	for k, v := range env {
		if v == "ChangeMe" {
			v = "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01"
		}
		if strings.HasSuffix(k, "_FILE") {
			mounted := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
				secret := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.Secret != nil })
				return secret && strings.HasPrefix(v, m.MountPath+"/")
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
