package main

import (
	"os"
	"path/filepath"
	"testing"
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
