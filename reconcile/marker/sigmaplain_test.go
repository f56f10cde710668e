package marker_test

import (
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

func TestPlainSigmaIsTheSameForTwoWritings(t *testing.T) {
	const ours = "title: T 😀  # note\nid: 'a-1'\ndescription: |\n  one\n  two\ntags: [x, \"y\"]\ndetection:\n    sel:\n        A|contains: ['-enc', \"1\"]\n    condition: sel\n"
	const theirs = "\"detection\":\n  \"condition\": \"sel\"\n  \"sel\":\n    \"A|contains\":\n    - \"-enc\"\n    - \"1\"\n\"id\": \"a-1\"\n\"description\": \"one\\ntwo\\n\"\n\"tags\":\n- \"x\"\n- y\n\"title\": \"T \\U0001F600\"\n"
	a, b := marker.PlainSigma(ours), marker.PlainSigma(theirs)
	if a != b {
		t.Errorf("ours:\n%s\ntheirs:\n%s", a, b)
	}
	if !strings.Contains(a, "title: T 😀\n") {
		t.Errorf("a title of emoji becomes\n%s", a)
	}
	if again := marker.PlainSigma(a); again != a {
		t.Errorf("not stable:\n%s\nthen\n%s", a, again)
	}
	x, err := marker.ReadSigma(ours)
	y, err2 := marker.ReadSigma(a)
	if err != nil || err2 != nil || marker.SigmaText("", x) != marker.SigmaText("", y) {
		t.Errorf("it says something else: %v %v\n%s", err, err2, a)
	}
	if got := marker.PlainSigma(": ["); got != ": [" {
		t.Errorf("no YAML: %q", got)
	}
}
