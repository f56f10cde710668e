package marker_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

func TestFieldsAreThreeLetters(t *testing.T) {
	for _, tt := range []struct{ name, level, confidence, state, want string }{
		{"nothing", "", "", "", "000"},
		{"everything", "critical", "strong", "quarantine", "csq"},
		{"one", "", "", "block", "00k"},
		{"in another case", "High", "", "", "h00"},
		{"words of nobody", "extreme", "sure", "asleep", "xxx"},
	} {
		f := marker.FieldsOf(tt.level, tt.confidence, tt.state)
		if f.String() != tt.want || f.None() != (tt.want == "000") {
			t.Errorf("%s: %s, none %t", tt.name, f, f.None())
		}
		if back, ok := marker.ParseFields(f.String()); !ok || back != f {
			t.Errorf("%s: read back as %s, %t", tt.name, back, ok)
		}
	}
	if got := marker.Word(marker.State, 'k') + marker.Word(marker.Level, 'x') + marker.Word(marker.Level, marker.Unset); got != "block" {
		t.Errorf("words %q", got)
	}
	if (marker.Fields{}).Has(marker.Level) || !(marker.Fields{}).None() {
		t.Error("no fields have a field")
	}
}

func TestAppliedComesBack(t *testing.T) {
	letters := rapid.Custom(func(t *rapid.T) marker.Fields {
		word := func(words ...string) string { return rapid.SampledFrom(append(words, "", "other")).Draw(t, "word") }
		return marker.FieldsOf(word("low", "high"), word("weak", "strong"), word("alert", "block"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a := marker.Applied{Known: true, Sent: rapid.Uint64().Draw(t, "sent"), Maturity: rapid.SampledFrom([]string{"stable", "testing"}).Draw(t, "maturity")}
		if rapid.Bool().Draw(t, "rewritten") {
			a.Stored = rapid.Uint64Min(1).Draw(t, "stored")
		}
		if asked := letters.Draw(t, "asked"); !asked.None() {
			a.Asked = asked
			if rapid.Bool().Draw(t, "not taken") {
				a.Kept = letters.Draw(t, "kept")
			}
		}
		if rapid.Bool().Draw(t, "translated") {
			a.Source = rapid.Uint64Min(1).Draw(t, "source")
		}
		if got := marker.ParseApplied(a.String()); got != a {
			t.Fatalf("%s: %+v, want %+v", a, got, a)
		}
	})
	for _, s := range []string{"1:0-stable-m", "1:0-stable-mh", "1:0-stable-mh0kh", "1:0-stable-mH0K", "1:0-stable-mh0k-00", "1:0-stable-00-mh0k-0", "1:0-stable-m???", "1:0", "2:0-stable-mh0k"} {
		if a := marker.ParseApplied(s); a.Known {
			t.Errorf("%s is taken for %+v", s, a)
		}
	}
}
