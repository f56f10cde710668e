package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// Whoever watches hears that a value went out of force, and that it comes back; what metrics say of the last run stays.
func TestUnblockTellsTheWebhook(t *testing.T) {
	t.Parallel()
	w, a := newChaosWorld(t), newAudience(t)
	w.stix(1, "[domain-name:value = 'shop.example']")
	file := filepath.Join(t.TempDir(), "harfangsync.prom")
	w.env = []string{"HARFANGSYNC_METRICS_TEXTFILE=" + file, "HARFANGSYNC_NOTIFY_WEBHOOK=" + a.URL + "/hooks/" + hookSecret}
	dir := t.TempDir()
	w.ends(t, exit.OK, dir, "run")
	a.heard()
	list, err := w.hl.AddSource("ioc", "from_OpenCTI")
	if err != nil {
		t.Fatal(err)
	}
	w.hl.Add("ioc", hlsim.Rule{SourceID: list, Type: "domain_name", Value: "theirs.example", Enabled: true})
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		code int
		args []string
		says []string
	}{
		{exit.OK, []string{"unblock", "shop[.]example", "--reason", "ticket 4711", "--by", "anna", "--auto-approve"}, []string{"harfangsync unblock", "shop.example, until ", "by anna: ticket 4711 is unblocked.", "1 rule went out of force."}},
		{exit.Partly, []string{"unblock", "theirs.example", "--reason", "in advance", "--auto-approve"}, []string{"theirs.example, until ", "0 rules went out of force.", "Still in force, since they are not ours: domain_name theirs.example (unmanaged, row "}},
		{exit.OK, []string{"unblock", "nobody.example", "--reason", "in advance", "--auto-approve"}, []string{"nobody.example, until ", "0 rules went out of force."}},
		{exit.OK, []string{"block", "shop.example", "--auto-approve"}, []string{"harfangsync block", "shop.example is not unblocked any more."}},
		{exit.OK, []string{"unblock", "https://nobody.example/x", "--reason", "in advance", "--auto-approve"}, nil},
		{exit.Partly, []string{"block", "https://nobody.example/x", "--auto-approve"}, []string{"(address) is not unblocked any more.", "Still out of force: url (address) falls under nobody.example, until "}},
	} {
		w.ends(t, step.code, dir, step.args...)
		notices, _ := a.heard()
		if len(notices) != 1 {
			t.Errorf("%q: %d notices", step.args, len(notices))
			continue
		}
		for _, want := range step.says {
			if !strings.Contains(notices[0].Text, want) {
				t.Errorf("%q: want %q in %s", step.args, want, notices[0].Text)
			}
		}
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the metrics of the run are replaced: %v\n%s", err, after)
	}
}

// A terminal that speaks Latin-1 sends bytes that JSON cannot keep as they are.
func TestUnblockTakesTextsOfALatin1Terminal(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.stix(1, "[domain-name:value = 'shop.example']")
	w.env = []string{"HARFANGSYNC_STATE=file:" + filepath.Join(t.TempDir(), "state.json")}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"run"}, exit.OK, "1 added"},
		{[]string{"unblock", "shop.example", "--reason", "gepr\xfcft", "--by", "J\xfcrgen", "--auto-approve"}, exit.OK, "1 rule disabled"},
		{[]string{"unblock", "--list"}, exit.OK, "gepr\uFFFDft"},
		{[]string{"unblock", "gepr\xfcft.exe", "--reason", "x", "--auto-approve"}, exit.Usage, "can be no value of a rule"},
	} {
		if code, out, errs := w.command(t.Context(), tt.args...); code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%q: code %d, want %d and %q\n%s%s", tt.args, code, tt.code, tt.says, out, errs)
		}
	}
}

// A state that is there and cannot be read is not taken for none by what writes: it may say what is unblocked.
func TestNothingIsWrittenWithoutTheStateThatIsThere(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.stix(1, "[domain-name:value = 'shop.example']")
	dir := t.TempDir() // a file that not even root can read
	w.env = []string{"HARFANGSYNC_STATE=file:" + dir, "HARFANGSYNC_LOCK=none"}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"run"}, exit.Usage, "give this user the right to read and write " + dir},
		{[]string{"apply", "--auto-approve"}, exit.Usage, "sync.state: "},
		{[]string{"unblock", "shop.example", "--reason", "x", "--auto-approve"}, exit.Usage, "sync.state: "},
		{[]string{"unblock", "--list"}, exit.Usage, "sync.state: "},
		{[]string{"plan"}, exit.OK, "the state cannot be read and counts as empty"},
		{[]string{"run", "--state", "none", "--lock", "file:" + filepath.Join(dir, "gone", "lock")}, exit.Usage, "sync.lock: "},
	} {
		if code, out, errs := w.command(t.Context(), tt.args...); code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%q: code %d, want %d and %q\n%s%s", tt.args, code, tt.code, tt.says, out, errs)
		}
	}
	if n := w.writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
}
