package state_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/state"
)

func TestParsePosition(t *testing.T) {
	for text, want := range map[string]state.Position{
		"0-0": {}, "0": {}, "1772359200000-3": {Ms: 1772359200000, Seq: 3}, "1772359200000": {Ms: 1772359200000},
		"007-01": {Ms: 7, Seq: 1}, "9223372036854775807-9223372036854775807": {Ms: 1<<63 - 1, Seq: 1<<63 - 1},
	} {
		if got, err := state.ParsePosition(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-", "1-", "-1", "1-2-3", "+1-0", "1-+0", "-1-0", "1_000-0", "0x1-0", " 1-0", "1-0\n", "9223372036854775808-0", "1-18446744073709551615",
		"2026-03-01T10:00:00Z", "now", strings.Repeat("9", 1000), "\x1b[31m",
	} {
		got, err := state.ParsePosition(text)
		switch {
		case err == nil:
			t.Errorf("%q is taken for the position %s", text, got)
		case strings.ContainsRune(err.Error(), '\x1b') || len(err.Error()) > 300:
			t.Errorf("error %q shows too much of %q", err, text)
		}
	}
}

func TestPositionsCompareByNumbers(t *testing.T) {
	order := []state.Position{{}, {Seq: 1}, {Ms: 9}, {Ms: 9, Seq: 2}, {Ms: 9, Seq: 10}, {Ms: 10}, {Ms: 1772359200000}}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%s against %s = %d, want %d", a, b, got, want)
			}
		}
		if got, want := a.IsZero(), i == 0; got != want {
			t.Errorf("%s is zero = %v", a, got)
		}
	}
}

func TestPositionBack(t *testing.T) {
	tests := []struct {
		name, from string
		back       time.Duration
		want       string
	}{
		{"a minute is sixty thousand milliseconds", "1772359200000-7", time.Minute, "1772359140000-7"},
		{"less than a millisecond is nothing", "100-7", 999 * time.Microsecond, "100-7"},
		{"a negative while does not go on", "100-7", -time.Hour, "100-7"},
		{"the beginning is reached", "60000-7", time.Minute, "0-7"},
		{"and not passed", "59999-7", time.Minute, "0-0"},
		{"the longest while overflows nothing", "9223372036854775807-0", 1<<63 - 1, "9223362813482738953-0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, err := state.ParsePosition(tt.from)
			if err != nil {
				t.Fatal(err)
			}
			if got := from.Back(tt.back).String(); got != tt.want {
				t.Errorf("%v back from %s is %s, want %s", tt.back, tt.from, got, tt.want)
			}
		})
	}
}

func TestPositionReadsAsItself(t *testing.T) {
	positions := rapid.Custom(func(t *rapid.T) state.Position {
		return state.Position{Ms: rapid.Int64Min(0).Draw(t, "ms"), Seq: rapid.Int64Min(0).Draw(t, "seq")}
	})
	rapid.Check(t, func(t *rapid.T) {
		p := positions.Draw(t, "p")
		if got, err := state.ParsePosition(p.String()); err != nil || got != p {
			t.Fatalf("%s read as %s, %v", p, got, err)
		}
		back := p.Back(time.Duration(rapid.Int64().Draw(t, "while")))
		if back.Compare(p) > 0 || back.Compare(state.Position{}) < 0 {
			t.Fatalf("back from %s is %s", p, back)
		}
		if q := positions.Draw(t, "q"); p.Compare(q) != -q.Compare(p) || (p.Compare(q) == 0) != (p == q) {
			t.Fatalf("%s and %s have no order", p, q)
		}
	})
}
