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
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
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
	case "v1 PersistentVolumeClaim":
		into(&corev1.PersistentVolumeClaim{})
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

// env is what a container of one index of a job sees: the ConfigMaps it takes whole, then its own
// variables, with those filled in that stand before them.
func (m *manifest) env(t *testing.T, c *corev1.Container, index string) map[string]string {
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
		switch {
		case e.ValueFrom == nil:
			env[e.Name] = os.Expand(strings.NewReplacer("$(", "${", ")", "}").Replace(e.Value), func(k string) string { return env[k] })
		case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.annotations['"+batchv1.JobCompletionIndexAnnotation+"']":
			env[e.Name] = index
		default:
			t.Errorf("%s: %s comes from somewhere else; secrets are files", m.file, e.Name)
		}
	}
	return env
}
