package mark_test

import (
	"testing"

	"harfangsync/reconcile/mark"
)

func TestPlainSigmaIsTheSameForTwoWritings(t *testing.T) {
	const ours = "title: T  # note\nid: 'a-1'\ndescription: |\n  one\n  two\ntags: [x, \"y\"]\ndetection:\n    sel:\n        A|contains: ['-enc', \"1\"]\n    condition: sel\n"
	const theirs = "\"detection\":\n  \"condition\": \"sel\"\n  \"sel\":\n    \"A|contains\":\n    - \"-enc\"\n    - \"1\"\n\"id\": \"a-1\"\n\"description\": \"one\\ntwo\\n\"\n\"tags\":\n- \"x\"\n- y\n\"title\": \"T\"\n"
	a, b := mark.PlainSigma(ours), mark.PlainSigma(theirs)
	if a != b {
		t.Errorf("ours:\n%s\ntheirs:\n%s", a, b)
	}
	if again := mark.PlainSigma(a); again != a {
		t.Errorf("not stable:\n%s\nthen\n%s", a, again)
	}
	x, err := mark.ReadSigma(ours)
	y, err2 := mark.ReadSigma(a)
	if err != nil || err2 != nil || mark.SigmaText("", x) != mark.SigmaText("", y) {
		t.Errorf("it says something else: %v %v\n%s", err, err2, a)
	}
	if got := mark.PlainSigma(": ["); got != ": [" {
		t.Errorf("no YAML: %q", got)
	}
}
