// Package deploy_test holds the manifests of this directory to Kubernetes' own types and to the program:
// its exit codes, settings and measurements. It is a package of its own so that those types stay out of
// everything else.
package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

const container = "harfangsync"

// manifest is what one file holds, or what the chart gives with one set of values.
type manifest struct {
	file     string
	configs  map[string]*corev1.ConfigMap
	jobs     map[string]*batchv1.JobSpec
	pods     map[string]*corev1.PodSpec
	labels   map[string]map[string]string // of pods
	crons    map[string]*batchv1.CronJobSpec
	deploys  map[string]*appsv1.DeploymentSpec
	claims   map[string]*corev1.PersistentVolumeClaimSpec
	services map[string]*corev1.ServiceSpec
	policies map[string]*networkingv1.NetworkPolicySpec
	monitors map[string]*monitor
	rules    map[string]*ruleGroups
	external map[string]*externalSecret
}

// What of the operators' own kinds is used here; another field is an error.
type (
	monitor struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Selector            metav1.LabelSelector `json:"selector"`
			PodMetricsEndpoints []endpoint           `json:"podMetricsEndpoints"`
			Endpoints           []endpoint           `json:"endpoints"`
		} `json:"spec"`
	}
	endpoint struct {
		Port     string `json:"port"`
		Interval string `json:"interval"`
	}
	ruleGroups struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              any `json:"spec"`
	}
	externalSecret struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			RefreshInterval metav1.Duration             `json:"refreshInterval"`
			SecretStoreRef  struct{ Kind, Name string } `json:"secretStoreRef"`
			Target          struct{ Name string }       `json:"target"`
			Data            []struct {
				SecretKey string               `json:"secretKey"`
				RemoteRef struct{ Key string } `json:"remoteRef"`
			} `json:"data"`
		} `json:"spec"`
	}
)

// read decodes every document of a file; a field that Kubernetes does not know is an error.
func read(t *testing.T, file string) *manifest {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, file, b)
}

func decode(t *testing.T, name string, text []byte) *manifest {
	t.Helper()
	m := &manifest{file: name, configs: map[string]*corev1.ConfigMap{}, jobs: map[string]*batchv1.JobSpec{}, pods: map[string]*corev1.PodSpec{},
		labels: map[string]map[string]string{}, crons: map[string]*batchv1.CronJobSpec{}, deploys: map[string]*appsv1.DeploymentSpec{},
		claims: map[string]*corev1.PersistentVolumeClaimSpec{}, services: map[string]*corev1.ServiceSpec{}, policies: map[string]*networkingv1.NetworkPolicySpec{},
		monitors: map[string]*monitor{}, rules: map[string]*ruleGroups{}, external: map[string]*externalSecret{}}
	docs := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	buf := make([]byte, len(text)+1)
	for {
		n, err := docs.Read(buf)
		if errors.Is(err, io.EOF) {
			return m
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
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
	pod := func(name string, template *corev1.PodTemplateSpec) {
		m.pods[name], m.labels[name] = &template.Spec, template.Labels
	}
	switch meta.APIVersion + " " + meta.Kind {
	case "v1 ConfigMap":
		var c corev1.ConfigMap
		into(&c)
		m.configs[c.Name] = &c
	case "batch/v1 CronJob":
		var c batchv1.CronJob
		into(&c)
		m.crons[c.Name], m.jobs[c.Name] = &c.Spec, &c.Spec.JobTemplate.Spec
		pod(c.Name, &c.Spec.JobTemplate.Spec.Template)
	case "batch/v1 Job":
		var j batchv1.Job
		into(&j)
		m.jobs[j.Name] = &j.Spec
		pod(j.Name, &j.Spec.Template)
	case "v1 PersistentVolumeClaim":
		var c corev1.PersistentVolumeClaim
		into(&c)
		m.claims[c.Name] = &c.Spec
	case "apps/v1 Deployment":
		var d appsv1.Deployment
		into(&d)
		m.deploys[d.Name] = &d.Spec
		pod(d.Name, &d.Spec.Template)
	case "v1 Service":
		var s corev1.Service
		into(&s)
		m.services[s.Name] = &s.Spec
	case "networking.k8s.io/v1 NetworkPolicy":
		var n networkingv1.NetworkPolicy
		into(&n)
		m.policies[n.Name] = &n.Spec
	case "monitoring.coreos.com/v1 PodMonitor", "monitoring.coreos.com/v1 ServiceMonitor":
		var o monitor
		into(&o)
		m.monitors[meta.Kind] = &o
	case "monitoring.coreos.com/v1 PrometheusRule":
		var r ruleGroups
		into(&r)
		m.rules[r.Name] = &r
	case "external-secrets.io/v1 ExternalSecret":
		var e externalSecret
		into(&e)
		m.external[e.Name] = &e
	default:
		t.Fatalf("%s holds a %s %s, which nothing here checks", m.file, meta.APIVersion, meta.Kind)
	}
}

// manifests are all of this directory, and those that the chart gives where helm is there.
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
	if _, err := exec.LookPath("helm"); err == nil {
		for _, values := range chartValues(t) {
			all = append(all, render(t, values))
		}
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
