package metrics_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/metrics"
)

func TestTheLastSuccessOutlivesFailures(t *testing.T) {
	const name = "harfangsync_last_success_timestamp_seconds"
	at := func(h int) time.Time { return ended.Add(time.Duration(h) * time.Hour) }
	file := func(v string) string { return "# TYPE " + name + " gauge\n" + name + " " + v + "\n" }
	for _, tt := range []struct {
		name   string
		before string // content of the file; "" is none
		known  time.Time
		want   time.Time // zero is no such sample
	}{
		{name: "of the first run nothing is known"},
		{name: "this run's own", known: at(0), want: at(0)},
		{name: "an earlier run's", before: file("1.7723556e+09"), want: at(-1)},
		{name: "the later of the two, from the state", before: file("1.7723556e+09"), known: at(0), want: at(0)},
		{name: "the later of the two, from the file", before: file("1.7723556e+09"), known: at(-3), want: at(-1)},
		{name: "a file from the future is not believed", before: file("9e+18")},
		{name: "nor one without a number", before: file("NaN")},
		{name: "nor one before 1970", before: file("-5")},
		{name: "nor one that is no metrics", before: "<html>\x00", known: at(-3), want: at(-3)},
		{name: "nor another type", before: "# TYPE " + name + " histogram\n" + name + "_count 3\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.prom")
			if tt.before != "" {
				if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := metrics.Report{Ended: ended, ExitCode: 8, LastSuccess: tt.known}
			if err := r.WriteFile(path); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("\n%s %.8g\n", name, float64(tt.want.Unix()))
			if tt.want.IsZero() {
				want = "harfangsync_last_run"
				if strings.Contains(string(b), "last_success") {
					t.Errorf("a success is known:\n%s", b)
				}
			}
			if !strings.Contains(string(b), want) {
				t.Errorf("no line %q in\n%.2000s", want, b)
			}
		})
	}
}

func TestTheFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "harfangsync.prom")
	r := metrics.Report{Ended: ended}
	for range 2 {
		if err := r.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, error %v; the collector is another user", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := r.WriteFile(filepath.Join(dir, "missing", "x.prom")); err == nil || !strings.Contains(err.Error(), "write metrics") {
		t.Errorf("a file in a missing directory: %v", err)
	}
	if err := r.WriteFile(dir); err == nil {
		t.Error("a directory was replaced")
	}
}

// gateway is a Pushgateway that holds the last push.
type gateway struct {
	*httptest.Server
	status       int
	method, path string
	user         string
	body         string
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{status: http.StatusOK}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		g.method, g.path, g.body = r.Method, r.URL.Path, string(b)
		login, password, _ := r.BasicAuth()
		g.user = login + ":" + password
		w.WriteHeader(g.status)
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	t.Cleanup(g.Close)
	return g
}

func TestPush(t *testing.T) {
	g := newGateway(t)
	r := metrics.Report{Ended: ended, ExitCode: 4}
	to := metrics.Gateway{URL: g.URL + "/base", Instance: "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01", HTTP: g.Client()}
	if err := r.Push(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if g.method != http.MethodPut || g.path != "/base/metrics/job/harfangsync/instance/"+to.Instance || g.user != ":" {
		t.Errorf("%s %s as %q; what a failed run does not know must not stay, as a POST would let it", g.method, g.path, g.user)
	}
	if got := strings.Split(g.body, "\n"); !slices.Contains(got, "harfangsync_last_exit_code 4") || strings.Contains(g.body, "last_success") {
		t.Errorf("pushed\n%s", g.body)
	}
	r.LastSuccess = ended
	if err := r.Push(t.Context(), to); err != nil || !slices.Contains([]string{"/base/metrics/job/harfangsync/instance/" + to.Instance + "/kept/success", "/base/metrics/job/harfangsync/kept/success/instance/" + to.Instance}, g.path) || strings.Count(g.body, "# HELP ") != 1 {
		t.Errorf("the last success stands beside what each run replaces: %s, error %v\n%s", g.path, err, g.body)
	}
	r.LastSuccess = time.Time{}
	to.Login, to.Password = "job", "s3cret-password"
	if err := r.Push(t.Context(), to); err != nil || g.user != "job:s3cret-password" {
		t.Errorf("as %q, error %v", g.user, err)
	}
}

func TestAGatewayThatFailsIsAnErrorWithoutSecrets(t *testing.T) {
	g := newGateway(t)
	to := metrics.Gateway{URL: g.URL, Login: "job", Password: "s3cret-password", HTTP: g.Client()}
	r := metrics.Report{Ended: ended}
	for status, want := range map[int]string{
		401: "push metrics: the gateway answers 401 Unauthorized", 400: "push metrics: the gateway answers 400 Bad Request", 503: "push metrics: the gateway answers 503 Service Unavailable",
	} {
		g.status = status
		if err := r.Push(t.Context(), to); err == nil || err.Error() != want {
			t.Errorf("%d: got %v, want %s", status, err, want)
		}
	}
	g.Close()
	if err := r.Push(t.Context(), to); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "push metrics: ") {
		t.Errorf("a gateway that is not there: %v", err)
	}
}
