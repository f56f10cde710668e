package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	strict "sigs.k8s.io/yaml"
)

const (
	release     = "harfangsync"
	kubeVersion = "1.33.0" // that helm renders for; it asks no cluster
)

// helm runs the real helm, which `make tools` installs; without it a test is skipped, but not in CI.
func helm(t *testing.T, args ...string) (out []byte, err error) {
	t.Helper()
	path, err := exec.LookPath("helm")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("no helm: make tools")
	}
	if err != nil {
		t.Skip("no helm: make tools")
	}
	cmd := exec.Command(path, append(args, "--kube-version", kubeVersion)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if out, err = cmd.Output(); err != nil {
		return append(out, errs.Bytes()...), err
	}
	return out, nil
}

// chartValues are the sets of values that the chart is tried with.
func chartValues(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("helm/ci/*-values.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d sets of values, %v", len(files), err)
	}
	return files
}

var renders sync.Map // what the chart gives, by the file of values

// render is what the chart gives with a set of values.
func render(t *testing.T, values string, sets ...string) *manifest {
	t.Helper()
	key := strings.Join(append(sets, values), " ")
	if out, done := renders.Load(key); done {
		return decode(t, key, out.([]byte))
	}
	args := []string{"template", release, "helm", "-f", values}
	for _, s := range sets {
		args = append(args, "--set", s)
	}
	out, err := helm(t, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", key, err, out)
	}
	renders.Store(key, out)
	return decode(t, key, out)
}

func TestTheChartIsClean(t *testing.T) {
	for _, values := range chartValues(t) {
		if out, err := helm(t, "lint", "--strict", "helm", "-f", values); err != nil || bytes.Contains(out, []byte("[WARNING]")) {
			t.Errorf("%s: %v\n%s", values, err, out)
		}
	}
}

// The chart gives what the manifests say, so that one of them is read for both.
func TestTheChartGivesTheManifests(t *testing.T) {
	plain := func(p *corev1.PodSpec) *corev1.PodSpec {
		p = p.DeepCopy()
		for i := range p.Containers {
			c := &p.Containers[i]
			c.ImagePullPolicy = ""
			c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool {
				return e.Name == "CONNECTOR_LIVE_STREAM_ID" || e.Name == "HARFANGSYNC_DEADLINE"
			}) // which a ConfigMap or a file of settings holds in one of the two
			for j := range c.EnvFrom {
				c.EnvFrom[j].ConfigMapRef.Name = strings.TrimSuffix(c.EnvFrom[j].ConfigMapRef.Name, "-opencti")
			}
		}
		for i := range p.Volumes {
			if s := p.Volumes[i].Secret; s != nil {
				s.SecretName = strings.TrimSuffix(s.SecretName, "-opencti")
			}
		}
		if p.RestartPolicy == corev1.RestartPolicyAlways {
			p.RestartPolicy = ""
		}
		return p
	}
	nothing := []string{"podAnnotations=null", "nodeSelector=null", "tolerations=null", "image.digest=", "image.pullSecrets=null", "args=null"}
	for _, tt := range []struct{ file, values, pod, chartPod string }{
		{"cronjob.yaml", "helm/ci/cronjob-values.yaml", "harfangsync", "harfangsync"},
		{"tail.yaml", "helm/ci/tail-values.yaml", "harfangsync-tail", "harfangsync"},
		{"tenants.yaml", "helm/ci/tenants-values.yaml", "harfangsync-snapshot", "harfangsync-snapshot"},
		{"tenants.yaml", "helm/ci/tenants-values.yaml", "harfangsync-tenants", "harfangsync-tenants"},
	} {
		m, chart := read(t, tt.file), render(t, tt.values, nothing...)
		if m.pods[tt.pod] == nil || chart.pods[tt.chartPod] == nil {
			t.Fatalf("%s has no pod %s, or the chart none %s", tt.file, tt.pod, tt.chartPod)
		}
		if d := cmp.Diff(plain(m.pods[tt.pod]), plain(chart.pods[tt.chartPod]), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s %s (-manifest +chart):\n%s", tt.file, tt.pod, d)
		}
		if m.crons[tt.pod] == nil {
			continue
		}
		about := cmp.Options{cmpopts.IgnoreFields(batchv1.CronJobSpec{}, "Suspend", "SuccessfulJobsHistoryLimit", "FailedJobsHistoryLimit"),
			cmpopts.IgnoreFields(batchv1.JobSpec{}, "Template"), cmpopts.IgnoreFields(batchv1.JobTemplateSpec{}, "ObjectMeta")}
		if d := cmp.Diff(m.crons[tt.pod], chart.crons[tt.chartPod], about); d != "" {
			t.Errorf("%s %s (-manifest +chart):\n%s", tt.file, tt.pod, d)
		}
	}
}

// Numbers are what they are in YAML, however large.
func TestNumbersOfSettingsAreWrittenOut(t *testing.T) {
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte("settings: {HARFANGSYNC_LIMITS_ADDITIONS: 123456789, HARFANGSYNC_PAGE_SIZE: 500, HARFANGSYNC_RATE_LIMIT: 0.5, HARFANGSYNC_LIMITS_CHANGES: 1e6}"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := helm(t, "template", release, "helm", "-f", "helm/ci/cronjob-values.yaml", "-f", values)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`HARFANGSYNC_LIMITS_ADDITIONS: "123456789"`, `HARFANGSYNC_PAGE_SIZE: "500"`, `HARFANGSYNC_RATE_LIMIT: "0.5"`, `HARFANGSYNC_LIMITS_CHANGES: "1000000"`} {
		if !strings.Contains(string(out), line) {
			t.Errorf("no %s", line)
		}
	}
}

// What cannot work is refused before anything is made of it.
func TestTheChartRefuses(t *testing.T) {
	for _, tt := range []struct{ values, set, says string }{
		{"cronjob", "settings.CONNECTOR_ID=", "settings.CONNECTOR_ID is needed with mode cronjob"},
		{"tail", "settings.CONNECTOR_LIVE_STREAM_ID=", "settings.CONNECTOR_LIVE_STREAM_ID is needed with mode tail"},
		{"tenants", "tenants.list=null", "tenants.list is empty"},
		{"tenants", "tenants.list[0].harfanglab.token=s3cret", "/tenants/list/0"},
		{"cronjob", "mode=daemon", "/mode"},
		{"cronjob", "settings.OPENCTI_TOKEN=s3cret", "OPENCTI_TOKEN"},
		{"cronjob", "settings.HARFANGSYNC_DEADLINE=30m", "settings.HARFANGSYNC_DEADLINE is given by cronjob.deadline"},
		{"cronjob", "settings.HARFANGSYNC_RUN_EVERY=30m", "settings.HARFANGSYNC_RUN_EVERY is given by cronjob.every"},
		{"cronjob", "sttings.X=1", "sttings"},
		{"cronjob", "metrics.podMonitor.enabled=true", "are for mode tail"},
		{"tail", "metrics.serviceMonitor.enabled=true", "both would scrape everything twice"},
		{"cronjob", "externalSecret.store.name=", "externalSecret.store.name is needed"},
	} {
		out, err := helm(t, "template", release, "helm", "-f", "helm/ci/"+tt.values+"-values.yaml", "--set", tt.set)
		if err == nil || !strings.Contains(string(out), tt.says) {
			t.Errorf("%s with %s: %v, want a refusal that says %q\n%.600s", tt.values, tt.set, err, tt.says, out)
		}
	}
}

// A policy is about a pod that is there, lets nothing in but scrapers, and a tenant's pod not to OpenCTI.
func TestPoliciesFitTheirPods(t *testing.T) {
	const openCTI = 8443
	policies := 0
	for _, values := range []string{"cronjob", "tail", "tenants"} {
		m := render(t, "helm/ci/"+values+"-values.yaml", "networkPolicy.opencti.ports[0]=8443", "networkPolicy.harfanglab.ports={443}")
		for name, p := range m.policies {
			policies++
			pod := ""
			for n, labels := range m.labels {
				if matches(p.PodSelector.MatchLabels, labels) {
					pod = n
				}
			}
			if pod == "" || len(p.PolicyTypes) != 2 {
				t.Errorf("%s: policy %s selects no pod, or leaves a direction open", values, name)
				continue
			}
			args := m.pods[pod].Containers[0].Args
			if reads, may := !slices.Contains(args, "--from"), allows(p, openCTI); reads != may {
				t.Errorf("%s: %s reads OpenCTI: %t, and may: %t", values, pod, reads, may)
			}
			if writes, may := args[0] != "snapshot", allows(p, 443); writes != may && len(p.Egress) < 4 {
				t.Errorf("%s: %s writes to HarfangLab: %t, and may: %t", values, pod, writes, may)
			}
			if in := len(p.Ingress); (in > 0) != (args[0] == "tail") || in > 0 && len(p.Ingress[0].From) == 0 {
				t.Errorf("%s: %s lets in %+v", values, pod, p.Ingress)
			}
		}
	}
	if policies != 4 {
		t.Errorf("%d policies", policies)
	}
	if m := render(t, "helm/ci/service-values.yaml"); len(m.policies) > 0 {
		t.Error("a policy that nobody asked for")
	}
}

func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

func allows(p *networkingv1.NetworkPolicySpec, port int32) bool {
	return slices.ContainsFunc(p.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return slices.ContainsFunc(r.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntVal == port })
	})
}

// Either monitor finds the tail's port; the rules and the dashboard are those that are tried elsewhere.
func TestTheOperatorFindsTheTail(t *testing.T) {
	tail, service, job := render(t, "helm/ci/tail-values.yaml"), render(t, "helm/ci/service-values.yaml"), render(t, "helm/ci/cronjob-values.yaml")
	pod := tail.monitors["PodMonitor"]
	if pod == nil || len(tail.monitors) != 1 || pod.Spec.PodMetricsEndpoints[0].Port != tail.pods[release].Containers[0].Ports[0].Name {
		t.Fatalf("%+v", tail.monitors)
	}
	selects(t, "PodMonitor", pod.Spec.Selector.MatchLabels, tail.labels[release])
	s := service.services[release]
	if s == nil || s.Ports[0].TargetPort.StrVal != service.pods[release].Containers[0].Ports[0].Name || service.monitors["ServiceMonitor"].Spec.Endpoints[0].Port != s.Ports[0].Name {
		t.Fatalf("%+v %+v", s, service.monitors)
	}
	selects(t, "Service", s.Selector, service.labels[release])

	var alerts any
	b, err := os.ReadFile("helm/files/alerts.yaml")
	if err == nil {
		err = strict.Unmarshal(b, &alerts)
	}
	if err != nil || job.rules[release] == nil || !reflect.DeepEqual(job.rules[release].Spec, alerts) || job.rules[release].Labels["release"] != "prometheus" {
		t.Errorf("the PrometheusRule is something else than the rules, %v", err)
	}
	board, err := os.ReadFile("helm/files/dashboard.json")
	if c := job.configs[release+"-dashboard"]; err != nil || c == nil || strings.TrimSpace(c.Data["harfangsync.json"]) != strings.TrimSpace(string(board)) || c.Labels["grafana_dashboard"] != "1" {
		t.Errorf("the dashboard is something else, %v", err)
	}
}

// An ExternalSecret makes the Secret that pods mount, with the files that they read.
func TestTheExternalSecretIsTheOneMounted(t *testing.T) {
	m := render(t, "helm/ci/cronjob-values.yaml", "secret.name=tokens", "settings.HARFANGLAB_LOGIN=soc")
	if env := m.env(t, &m.pods[release].Containers[0], ""); env["HARFANGLAB_TOKEN_FILE"] != "" || filepath.Base(env["HARFANGLAB_PASSWORD_FILE"]) != m.external["tokens"].Spec.Data[0].SecretKey {
		t.Errorf("with a login: %v, %+v", env, m.external["tokens"].Spec.Data)
	}
	m = render(t, "helm/ci/cronjob-values.yaml", "secret.name=tokens")
	e := m.external["tokens"]
	if e == nil || e.Spec.Target.Name != m.pods[release].Volumes[0].Secret.SecretName || e.Spec.SecretStoreRef.Name != "vault" {
		t.Fatalf("%+v", m.external)
	}
	c := &m.pods[release].Containers[0]
	for _, name := range []string{"OPENCTI_TOKEN_FILE", "HARFANGLAB_TOKEN_FILE"} {
		file := filepath.Base(m.env(t, c, "")[name])
		found := false
		for _, d := range e.Spec.Data {
			found = found || d.SecretKey == file && d.RemoteRef.Key != ""
		}
		if !found {
			t.Errorf("%s reads the file %s, which the secret does not get", name, file)
		}
	}
}
