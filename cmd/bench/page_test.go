package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestMeasurementsTakeTheirPlace(t *testing.T) {
	page := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(page, []byte("# Figures\n\n| work | budget | measured |\n| --- | --- | --- |\n| load | 5 | 4 |\n| plan | 5 | 4 |\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bench{rows: []row{{"load", "5", "6", true}, {"tail", "5", "3", false}}}
	if err := b.write(page); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Figures\n\n| work | budget | measured |\n| --- | --- | --- |\n| load | 5 | 6 **over** |\n| plan | 5 | 4 |\n| tail | 5 | 3 |\n"; string(got) != want {
		t.Errorf("the page is\n%s\nwant\n%s", got, want)
	}
}

func TestRowsOfOneWorkStandTogether(t *testing.T) {
	b := &bench{}
	for _, work := range []string{"load, 10 rules", "plan, 10 rules", "plan of nothing", "load, 100 rules", "plan, 100 rules"} {
		b.add(work, "", "", true)
	}
	var got []string
	for _, r := range b.rows {
		got = append(got, r.work)
	}
	if want := []string{"load, 10 rules", "load, 100 rules", "plan, 10 rules", "plan, 100 rules", "plan of nothing"}; !slices.Equal(got, want) {
		t.Errorf("the rows are %q, want %q", got, want)
	}
}

func TestGrowth(t *testing.T) {
	at := func(rules, amount, times int) point {
		return point{cost{usage{wall: time.Duration(times) * time.Second, cpu: time.Duration(times) * time.Second, peakMiB: int64(times)}, times, times}, "work", rules, amount, "", "", true, false}
	}
	longer := func(p point) point {
		p.wall, p.searches = 10*p.wall, true
		return p
	}
	tests := []struct {
		name   string
		before point
		now    point
		over   bool
	}{
		{"ten times the rules, a third more for each", at(10, 10, 100), at(100, 100, 1330), false},
		{"ten times the rules, more than that", at(10, 10, 100), at(100, 100, 1331), true},
		{"as many alerts among ten times the rules", at(10, 5, 100), at(100, 5, 133), false},
		{"as many alerts, which take more", at(10, 5, 100), at(100, 5, 134), true},
		{"as many alerts, and longer searches", at(10, 5, 100), longer(at(100, 5, 133)), false},
		{"as many alerts, which take more, and longer searches", at(10, 5, 100), longer(at(100, 5, 134)), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{points: map[string]point{}}
			b.grown(tt.before)
			b.grown(tt.now)
			if got := b.rows[1]; b.rows[0].over || got.over != tt.over {
				t.Errorf("%v, over %v", got, got.over)
			}
		})
	}
}
