package pattern_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// row is one block of testdata/pattern/*.txt; the form is described in its README.md.
type row struct {
	where, name, pattern string
	observables          []reconcile.Observable
	options              pattern.Options
	excluded             map[string]bool
	want                 []string // "rule type value" and "skip reason", in the order of a Result
	details              []string // what the details of the skips contain, by skip
}

func TestTable(t *testing.T) {
	rows := readTable(t)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got := pattern.Deploy(r.pattern, r.observables, r.options)
			if diff := cmp.Diff(r.want, brief(got)); diff != "" {
				t.Errorf("%s\n%s\n(-want +got):\n%s", r.where, r.pattern, diff)
			}
			for i, part := range r.details {
				if i < len(got.Skipped) && !strings.Contains(got.Skipped[i].Detail, part) {
					t.Errorf("%s: detail %q does not say %q", r.where, got.Skipped[i].Detail, part)
				}
			}
		})
	}
}

func brief(r pattern.Result) []string {
	var lines []string
	for _, v := range r.Values {
		lines = append(lines, "rule "+v.Type+" "+v.Value)
	}
	for _, s := range r.Skipped {
		lines = append(lines, "skip "+string(s.Reason))
	}
	return lines
}

// patternReasons are the skip reasons that a pattern or an observable can give.
var patternReasons = []reconcile.Reason{
	reconcile.PatternSyntax, reconcile.PatternTemporal, reconcile.PatternNegation, reconcile.PatternOperator,
	reconcile.PatternAnd, reconcile.TooLong, reconcile.UnsupportedType, reconcile.UnsupportedHash,
	reconcile.InvalidValue, reconcile.TooBroad, reconcile.Excluded,
}

func TestTheTableHoldsThreeRowsForEachSkipReason(t *testing.T) {
	count, attached := map[reconcile.Reason]int{}, map[reconcile.Reason]int{}
	types := map[string]int{}
	for _, r := range readTable(t) {
		got := pattern.Deploy(r.pattern, r.observables, r.options)
		for _, s := range got.Skipped {
			count[s.Reason]++
			if len(r.observables) > 0 {
				attached[s.Reason]++
			}
		}
		for _, v := range got.Values {
			types[v.Type]++
		}
	}
	for _, reason := range patternReasons {
		if count[reason] < 3 || attached[reason] < 1 {
			t.Errorf("%s: %d rows, %d with an observable; want 3 and 1", reason, count[reason], attached[reason])
		}
	}
	for _, typ := range []string{"hash", "filename", "filepath", "ip_src", "ip_dst", "ip_both", "domain_name", "url"} {
		if types[typ] < 3 {
			t.Errorf("%s: %d rules, want 3", typ, types[typ])
		}
	}
}

// readTable reads every block of every file.
func readTable(t testing.TB) []row {
	t.Helper()
	files, err := filepath.Glob("../../testdata/pattern/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no table: %v", err)
	}
	slices.Sort(files)
	var rows []row
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		part, err := readRows(f.Name(), bufio.NewScanner(f))
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, part...)
	}
	return rows
}

func readRows(file string, lines *bufio.Scanner) (rows []row, err error) {
	var r *row
	var rules, skips []string
	flush := func() {
		if r != nil {
			r.want = slices.Concat(rules, skips)
			rows = append(rows, *r)
		}
		r, rules, skips = nil, nil, nil
	}
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			flush()
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if r == nil {
			if key != "name" {
				return nil, fmt.Errorf("%s:%d: a block begins with name:", file, n)
			}
			r = &row{where: fmt.Sprintf("%s:%d", file, n), name: value}
			r.options.Observables = true
			continue
		}
		switch key {
		case "pattern":
			r.pattern, err = plain(value)
		case "observable":
			var o reconcile.Observable
			o, err = readObservable(value)
			r.observables = append(r.observables, o)
		case "option":
			err = r.option(value)
		case "exclude":
			r.exclude(value)
		case "rule":
			rules = append(rules, "rule "+value)
		case "skip":
			reason, part, _ := strings.Cut(value, " ")
			skips = append(skips, "skip "+reason)
			r.details = append(r.details, strings.TrimSpace(part))
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	flush()
	return rows, lines.Err()
}

// plain undoes Go quoting where a text needed it.
func plain(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		return strconv.Unquote(s)
	}
	return s, nil
}

func (r *row) option(s string) error {
	switch s {
	case "strongest":
		r.options.StrongestHash = true
	case "pattern only":
		r.options.Observables = false
	default:
		return fmt.Errorf("unknown option %q", s)
	}
	return nil
}

func (r *row) exclude(value string) {
	if r.excluded == nil {
		r.excluded = map[string]bool{}
	}
	r.excluded[value] = true
	excluded := r.excluded
	r.options.Excluded = func(v reconcile.Value) (string, bool) {
		return v.Value + " (test list)", excluded[v.Value]
	}
}

// readObservable reads "Type value" or "Type name=x | MD5=y | SHA-256=z".
func readObservable(s string) (reconcile.Observable, error) {
	typ, rest, _ := strings.Cut(s, " ")
	o := reconcile.Observable{Type: typ, ID: "0f8f2f3a-7f57-4b44-9a0e-4b1f0a6a1d0c"}
	if typ != "StixFile" && typ != "Artifact" {
		var err error
		o.Value, err = plain(strings.TrimSpace(rest))
		return o, err
	}
	for part := range strings.SplitSeq(rest, "|") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok && key != "":
			return o, fmt.Errorf("observable part %q has no =", part)
		case key == "name":
			o.Name = value
		case ok:
			if o.Hashes == nil {
				o.Hashes = map[string]string{}
			}
			o.Hashes[key] = value
		}
	}
	for _, alg := range slices.Sorted(maps.Keys(o.Hashes)) {
		o.Value = o.Hashes[alg]
		break
	}
	if o.Value == "" {
		o.Value = o.Name
	}
	return o, nil
}
