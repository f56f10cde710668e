package marker_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

func TestNormalForm(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"null", "", ""},
		{"outer blanks", " \t x y \n", "x y"},
		{"line ends", "a\r\nb\rc\r\r\nd", "a\nb\nc\n\nd"},
		{"composition", "e\u0301", "é"},
		{"a NUL and invalid bytes", "a\x00b\xff", "a\uFFFDb\uFFFD"},
		{"a thousand runes", strings.Repeat("é", 1001), strings.Repeat("é", 1000)},
		{"a cut that ends in a blank", strings.Repeat("x", 999) + " y", strings.Repeat("x", 999)},
	} {
		if got := marker.Normal(tt.in); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzNormal(f *testing.F) {
	for _, s := range []string{"", "e\u0301", "\r\u0301\r\n", "\x00\u0301", strings.Repeat("\u1100\u1161\u11a8", 400), "\u2000x\u3000", "\xff\u0338<\u0338"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := marker.Normal(s)
		if twice := marker.Normal(once); twice != once {
			t.Errorf("%q becomes %q, then %q", s, once, twice)
		}
		if !utf8.ValidString(once) || utf8.RuneCountInString(once) > marker.MaxText || !norm.NFC.IsNormalString(once) || strings.ContainsAny(once, "\r\x00") {
			t.Errorf("%q becomes %q", s, once)
		}
	})
}

func TestNames(t *testing.T) {
	const id = "0a1b2c3d-4e5f-4000-8000-000000000000"
	for _, tt := range []struct{ name, in, want string }{
		{"as it is", "Loader C2", "Loader C2"},
		{"outer blanks", "  x ", "x"},
		{"control characters", "a\tb\nc", "a b c"},
		{"a hundred", strings.Repeat("é", 100), strings.Repeat("é", 100)},
		{"a hundred and one", strings.Repeat("é", 101), strings.Repeat("é", 91) + "~0a1b2c3d"},
		{"a cut that ends in a blank", strings.Repeat("x", 90) + " " + strings.Repeat("y", 20), strings.Repeat("x", 90) + "~0a1b2c3d"},
	} {
		if got := marker.Name(tt.in, id); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "name")
		got := marker.Name(s, id)
		if utf8.RuneCountInString(got) > marker.MaxName || !utf8.ValidString(got) || strings.TrimSpace(got) != got || marker.Name(got, id) != got {
			t.Fatalf("%q becomes %q", s, got)
		}
	})
}

func TestOldNamesAreCutAtRuneBoundaries(t *testing.T) {
	long := strings.Repeat("é", 98) + "x yz"
	got := marker.OldNames(long)
	want := []string{long, strings.Repeat("é", 98) + "x", strings.Repeat("é", 98) + "x"}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%q", got)
	}
	if got := marker.OldNames(" short "); len(got) != 1 || got[0] != "short" {
		t.Errorf("%q", got)
	}
	if got := marker.OldNames(strings.Repeat("x", 101)); len(got) != 3 || len(got[1]) != 100 || len(got[2]) != 99 {
		t.Errorf("%q", got)
	}
}

func TestDigestsTellPartsApart(t *testing.T) {
	if marker.Hash("ab", "c") == marker.Hash("a", "bc") || marker.Key("ab", "c") == marker.Key("a", "bc") {
		t.Error("two lists of parts have one digest")
	}
	if marker.OwnersDigest("a", "b") != marker.OwnersDigest("b", "a") {
		t.Error("the order of owners matters")
	}
}
