package deploy_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// advice is what the table of a page says about each code in a CronJob.
func advice(t *testing.T, page string) map[int]string {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([0-9]+(?:, [0-9]+)*) \|.*\| ([^|]*?) ?\|$`)
	table := map[int]string{}
	for _, m := range row.FindAllStringSubmatch(string(b), -1) {
		for _, word := range strings.Split(m[1], ", ") {
			code, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			table[code] = m[2]
		}
	}
	return table
}

// What a code means for a job, in the words of the table.
var actions = map[string]batchv1.PodFailurePolicyAction{
	"retry": batchv1.PodFailurePolicyActionCount, "ignore": batchv1.PodFailurePolicyActionIgnore,
	"fail the job": batchv1.PodFailurePolicyActionFailJob, "fail the job, page someone": batchv1.PodFailurePolicyActionFailJob,
	"plan again": batchv1.PodFailurePolicyActionFailJob, // no repetition of the same command helps
}

func TestTheTableHasEveryCode(t *testing.T) {
	table := advice(t, "../docs/exitcodes.md")
	for _, row := range exit.Table {
		if _, ok := table[row.First]; !ok {
			t.Errorf("%s is not in the table", row.Codes)
		}
	}
	for _, code := range []int{exit.Signal + 2, exit.Signal + 15} {
		if table[code] != "retry" {
			t.Errorf("%d: the table says %q", code, table[code])
		}
	}
}

func TestPodFailurePoliciesFollowTheTable(t *testing.T) {
	table := advice(t, "../docs/exitcodes.md")
	jobs := 0
	for _, m := range manifests(t) {
		for name, job := range m.jobs {
			jobs++
			t.Run(m.file+" "+name, func(t *testing.T) {
				if job.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
					t.Error("a pod failure policy needs restartPolicy Never")
				}
				if job.BackoffLimit == nil && job.BackoffLimitPerIndex == nil {
					t.Error("no limit to retries")
				}
				if job.PodFailurePolicy == nil {
					t.Fatal("no pod failure policy")
				}
				decided := decisions(t, job)
				for code, words := range table {
					want := actions[words]
					if job.CompletionMode != nil && *job.CompletionMode == batchv1.IndexedCompletion && want == batchv1.PodFailurePolicyActionFailJob {
						want = batchv1.PodFailurePolicyActionFailIndex // one tenant's failure is not another's
					}
					if code == 0 || code == 2 {
						want = "" // no failure, and a code of plan alone
					}
					if decided[code] != want {
						t.Errorf("code %d: %q, want %q (%s)", code, decided[code], want, words)
					}
				}
			})
		}
	}
	if jobs == 0 {
		t.Error("no manifest has a job")
	}
}

// decisions are what a job does about each code. Values stand in order, without repeats (the API server
// insists), and a drained node comes first: it ends pods with 143, which is nobody's failure.
func decisions(t *testing.T, job *batchv1.JobSpec) map[int]batchv1.PodFailurePolicyAction {
	t.Helper()
	decided := map[int]batchv1.PodFailurePolicyAction{}
	for i, r := range job.PodFailurePolicy.Rules {
		if i == 0 {
			if r.Action != batchv1.PodFailurePolicyActionIgnore || len(r.OnPodConditions) != 1 || r.OnPodConditions[0].Type != corev1.DisruptionTarget || r.OnPodConditions[0].Status != corev1.ConditionTrue {
				t.Errorf("the first rule is %+v, want one that ignores disruptions", r)
			}
			continue
		}
		e := r.OnExitCodes
		if e == nil || e.ContainerName == nil || *e.ContainerName != container || e.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn {
			t.Errorf("rule %d: %+v, want codes of the container %s", i, r, container)
			continue
		}
		if !slices.IsSorted(e.Values) || len(slices.Compact(slices.Clone(e.Values))) != len(e.Values) || slices.Contains(e.Values, 0) {
			t.Errorf("rule %d: values %v", i, e.Values)
		}
		for _, v := range e.Values {
			if was, twice := decided[int(v)]; twice {
				t.Errorf("code %d is in two rules, %s and %s", v, was, r.Action)
			}
			decided[int(v)] = r.Action
		}
	}
	return decided
}
