package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
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

// The image is built with the Go of go.mod, of a base that cannot change, and holds the binary, the authorities and the
// licences alone.
func TestTheImageHoldsTheBinaryAlone(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(mod))[1]
	build, final, ok := strings.Cut(dockerfile(t), "FROM scratch\n")
	if !ok || !regexp.MustCompile(` golang:`+regexp.QuoteMeta(version)+`@sha256:[0-9a-f]{64} AS build\n`).MatchString(build) || !strings.Contains(build, "CGO_ENABLED=0 ") {
		t.Errorf("the build stage is not of Go %s, or the binary not static:\n%s", version, build)
	}
	want := `COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /harfangsync /harfangsync
COPY --from=build /src/LICENSE /src/cmd/harfangsync/deploy/THIRD_PARTY_LICENCES /licences/
USER 65532:65532
ENTRYPOINT ["/harfangsync"]
CMD ["run", "--every", "setting", "--log-format", "json"]
`
	if final != want {
		t.Errorf("the last stage is\n%s", final)
	}
}

// TestTheLicencesTravel: they are those of what the binaries hold now, in the image and in every release.
func TestTheLicencesTravel(t *testing.T) {
	have, err := os.ReadFile("THIRD_PARTY_LICENCES")
	if err != nil {
		t.Fatal(err)
	}
	now, err := exec.Command("../../../.ci/licences").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, now) {
		t.Error("THIRD_PARTY_LICENCES is not what the binaries hold: make licences")
	}
	for _, part := range []string{"\nGo ", "\ngithub.com/urfave/cli/v2 ", "Copyright (c) ", "Apache License"} {
		if !strings.Contains(string(now), part) {
			t.Errorf("the licences lack %q", part)
		}
	}
	release, err := os.ReadFile("../../../.ci/release")
	if err != nil || !strings.Contains(string(release), "cp cmd/harfangsync/deploy/THIRD_PARTY_LICENCES ") || !strings.Contains(string(release), "sha256sum harfangsync[-_]* *LICENCE*") {
		t.Errorf("a release lacks the licences, %v", err)
	}
}

// TestWhatTestsIsNotWhatSigns: the job that may sign and publish runs nothing of this repository.
func TestWhatTestsIsNotWhatSigns(t *testing.T) {
	b, err := os.ReadFile("../../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct {
			Needs       string
			Permissions map[string]string
			Steps       []struct{ Uses, Run string }
		}
	}
	if err := yaml.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	signs := 0
	for name, job := range w.Jobs {
		writes := false
		for _, may := range job.Permissions {
			writes = writes || may == "write"
		}
		for _, s := range job.Steps {
			if ours := strings.HasPrefix(s.Uses, "actions/checkout@") || strings.Contains(s.Run, "make "); writes && ours {
				t.Errorf("job %s may write, and runs what was checked out: %s%s", name, s.Uses, s.Run)
			}
			if strings.HasPrefix(s.Uses, "actions/attest-build-provenance@") {
				signs++
				if !writes || job.Needs == "" {
					t.Errorf("job %s signs what no other job has tested", name)
				}
			}
		}
	}
	if signs != 2 {
		t.Errorf("%d signatures, want that of the files and that of the image", signs)
	}
	// The image is made for both platforms, with its parts and its origin, where nothing may be signed, and pushed as it is.
	for job, want := range map[string]string{
		"build":   `docker buildx build --file cmd/harfangsync/deploy/Dockerfile --platform linux/amd64,linux/arm64 \\\s+--sbom=true --provenance=mode=max --output type=oci,dest=image/image.tar `,
		"publish": `skopeo copy --all --preserve-digests [^\n]*\\\s+oci-archive:image/image.tar `,
	} {
		found := false
		for _, s := range w.Jobs[job].Steps {
			found = found || regexp.MustCompile(want).MatchString(s.Run)
		}
		if !found {
			t.Errorf("job %s has no step like %s", job, want)
		}
	}
}

// The limits let a plan of a million rules through, the requests one of a hundred thousand: the budgets
// of the figures.
func TestResourcesFitTheMeasurements(t *testing.T) {
	figures, err := os.ReadFile("../../bench/README.md")
	if err != nil {
		t.Fatal(err)
	}
	budget := func(row string) *resource.Quantity {
		t.Helper()
		m := regexp.MustCompile(`(?m)^\| ` + row + `[^|]*\|[^|]*under ([0-9]+) MiB[^|]*\| [^|]*?([0-9]+) MiB`).FindStringSubmatch(string(figures))
		if m == nil {
			t.Fatalf("the figures have no %q", row)
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
				if limit := r.Limits.Memory(); limit.Cmp(*budget("plan with nothing to do, 1000000 rules")) < 0 {
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
	cron := read(t, "cronjob.yaml").crons["harfangsync"]
	if cron.ConcurrencyPolicy != batchv1.ForbidConcurrent || cron.StartingDeadlineSeconds == nil || *cron.StartingDeadlineSeconds < 10 || cron.Schedule == "" {
		t.Errorf("concurrencyPolicy %s, startingDeadlineSeconds %v, schedule %q", cron.ConcurrencyPolicy, cron.StartingDeadlineSeconds, cron.Schedule)
	}
}
