package deploy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/harfangsync/harfangsync/cmd/metrics"
)

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
	if _, tag, _ := strings.Cut(c.Image, ":v"); tag == "" && !strings.Contains(c.Image, "@sha256:") {
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

// A tail is alone: two would wait for each other's lock. It is asked where it listens.
func TestOneTailAtATime(t *testing.T) {
	tails := 0
	for _, m := range manifests(t) {
		for name, d := range m.deploys {
			tails++
			if d.Replicas == nil || *d.Replicas != 1 || d.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
				t.Errorf("%s: %+v", m.file, d)
			}
			selects(t, m.file, d.Selector.MatchLabels, m.labels[name])
			c := d.Template.Spec.Containers[0]
			if len(c.Ports) != 1 || m.env(t, &c, "")["HARFANGSYNC_LISTEN"] != fmt.Sprintf("0.0.0.0:%d", c.Ports[0].ContainerPort) {
				t.Errorf("%s: it listens at %s, and its port is %+v", m.file, m.env(t, &c, "")["HARFANGSYNC_LISTEN"], c.Ports)
			}
			served := new(metrics.Server).Handler()
			for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
				rec := httptest.NewRecorder()
				if served.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, probe.HTTPGet.Path, nil)); rec.Code == http.StatusNotFound || probe.HTTPGet.Port.StrVal != c.Ports[0].Name {
					t.Errorf("%s: nothing answers at %+v", m.file, probe.HTTPGet)
				}
			}
			if c.LivenessProbe.HTTPGet.Path == "/healthz" {
				t.Errorf("%s: a tail is killed because a platform is away", m.file)
			}
		}
	}
	if tails == 0 {
		t.Error("no manifest has a tail")
	}
}

func selects(t *testing.T, where string, selector, labels map[string]string) {
	t.Helper()
	for k, v := range selector {
		if labels[k] != v {
			t.Errorf("%s: %s=%s selects no pod, whose labels are %v", where, k, v, labels)
		}
	}
	if len(selector) == 0 {
		t.Errorf("%s: it selects every pod", where)
	}
}

// Every tenant has its settings, and its pod no token and no state but its own, and no way to change the snapshot.
func TestTenantsAreApart(t *testing.T) {
	seen := 0
	for _, m := range manifests(t) {
		for name, job := range m.jobs {
			if job.CompletionMode == nil || *job.CompletionMode != batchv1.IndexedCompletion {
				continue
			}
			seen++
			if int(*job.Completions) != len(m.configs[name].Data) {
				t.Errorf("%s: %v completions for %d tenants", m.file, *job.Completions, len(m.configs[name].Data))
			}
			for _, mount := range m.pods[name].Containers[0].VolumeMounts {
				switch mount.Name {
				case "secrets", "state":
					if mount.SubPathExpr != "$(TENANT)" {
						t.Errorf("%s: the pod of a tenant sees what is others': %+v", m.file, mount)
					}
				case "shared":
					if !mount.ReadOnly {
						t.Errorf("%s: a tenant can change the snapshot of all", m.file)
					}
				}
			}
			for _, v := range m.pods[name].Volumes {
				if v.Secret != nil && v.Secret.SecretName != "harfangsync-tenants" {
					t.Errorf("%s: the pod of a tenant sees the secret %s", m.file, v.Secret.SecretName)
				}
				if c := v.PersistentVolumeClaim; c != nil && m.claims[c.ClaimName] == nil {
					t.Errorf("%s: no claim %s", m.file, c.ClaimName)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no manifest has tenants")
	}
}
