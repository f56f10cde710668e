package deploy_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func dockerfile(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// uid is the user that the image runs as.
func uid(t *testing.T) int64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^USER ([0-9]+):([0-9]+)$`).FindStringSubmatch(dockerfile(t))
	if m == nil || m[1] != m[2] {
		t.Fatal("the image names no user by number, which runAsNonRoot needs")
	}
	id, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || id == 0 {
		t.Fatalf("the image runs as %s", m[1])
	}
	return id
}

// The image is built with the Go of go.mod, and holds the binary and the authorities alone.
func TestTheImageHoldsTheBinaryAlone(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(mod))[1]
	build, final, ok := strings.Cut(dockerfile(t), "FROM scratch\n")
	if !ok || !strings.Contains(build, " golang:"+version+" AS build\n") || !strings.Contains(build, "CGO_ENABLED=0 ") {
		t.Errorf("the build stage is not of Go %s, or the binary not static:\n%s", version, build)
	}
	want := `COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /harfangsync /harfangsync
USER 65532:65532
ENTRYPOINT ["/harfangsync"]
`
	if final != want {
		t.Errorf("the last stage is\n%s", final)
	}
}

// The limits let a plan of a million rules through, the requests one of a hundred thousand: the budgets
// of the README.
func TestResourcesFitTheMeasurements(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	budget := func(row string) *resource.Quantity {
		t.Helper()
		m := regexp.MustCompile(`(?m)^\| ` + row + `[^|]*\|[^|]*under ([0-9]+) MiB[^|]*\| [^|]*?([0-9]+) MiB`).FindStringSubmatch(string(readme))
		if m == nil {
			t.Fatalf("the README measures no %q", row)
		}
		q := resource.MustParse(m[1] + "Mi")
		return &q
	}
	for _, m := range manifests(t) {
		for name, pod := range m.pods {
			for _, c := range pod.Containers {
				r := c.Resources
				if c.Name != container {
					continue
				}
				if limit := r.Limits.Memory(); limit.Cmp(*budget("plan, 1000000 against 1000000")) < 0 {
					t.Errorf("%s %s: memory limit %v is below what a million rules may take", m.file, name, limit)
				}
				if r.Requests.Memory().IsZero() || r.Requests.Cpu().IsZero() || r.Requests.Memory().Cmp(*r.Limits.Memory()) > 0 {
					t.Errorf("%s %s: requests %v", m.file, name, r.Requests)
				}
				if !r.Limits.Cpu().IsZero() {
					t.Errorf("%s %s: a limit of CPU only makes a run longer", m.file, name)
				}
			}
		}
	}
}

// The CronJob runs one job at a time and gives up a start that is late, so that missed ones do not pile
// up.
func TestOneJobAtATime(t *testing.T) {
	cron := read(t, "cronjob.yaml").cron
	if cron.ConcurrencyPolicy != batchv1.ForbidConcurrent || cron.StartingDeadlineSeconds == nil || *cron.StartingDeadlineSeconds < 10 || cron.Schedule == "" {
		t.Errorf("concurrencyPolicy %s, startingDeadlineSeconds %v, schedule %q", cron.ConcurrencyPolicy, cron.StartingDeadlineSeconds, cron.Schedule)
	}
}
