package deploy_test

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
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

// A tail is alone: two would wait for each other's lock.
func TestOneTailAtATime(t *testing.T) {
	d := read(t, "tail.yaml").deploys["harfangsync-tail"]
	if d == nil || d.Replicas == nil || *d.Replicas != 1 || d.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Fatalf("%+v", d)
	}
	for k, v := range d.Selector.MatchLabels {
		if d.Template.Labels[k] != v {
			t.Errorf("the Deployment does not select its own pods by %s", k)
		}
	}
}

// Every tenant has its settings, and its pod no token but its own.
func TestTenantsAreApart(t *testing.T) {
	m := read(t, "tenants.yaml")
	job, pod := m.jobs["harfangsync-tenants"], m.pods["harfangsync-tenants"]
	if *job.CompletionMode != batchv1.IndexedCompletion || int(*job.Completions) != len(m.configs["harfangsync-tenants"].Data) {
		t.Errorf("%v completions for %d tenants", *job.Completions, len(m.configs["harfangsync-tenants"].Data))
	}
	for _, mount := range pod.Containers[0].VolumeMounts {
		if mount.Name == "secrets" && mount.SubPathExpr != "$(TENANT)" {
			t.Errorf("the pod of a tenant sees all secrets: %+v", mount)
		}
	}
	for _, v := range pod.Volumes {
		if v.Secret != nil && v.Secret.SecretName != "harfangsync-tenants" {
			t.Errorf("the pod of a tenant sees the secret %s", v.Secret.SecretName)
		}
	}
}
