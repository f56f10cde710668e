package pattern_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// sound fails unless a result keeps its promises: canonical values, no repeats, readable details.
func sound(t testing.TB, src string, r pattern.Result) {
	t.Helper()
	seen := map[reconcile.Value]bool{}
	for _, v := range r.Values {
		if got, err := pattern.Canonical(v.Type, v.Value); err != nil || got != v.Value {
			t.Fatalf("%q: %v is not canonical: %q, %v", src, v, got, err)
		}
		if seen[v] {
			t.Fatalf("%q: %v comes twice", src, v)
		}
		seen[v] = true
	}
	for _, s := range r.Skipped {
		if !slices.Contains(patternReasons, s.Reason) {
			t.Fatalf("%q: reason %q", src, s.Reason)
		}
		if n := utf8.RuneCountInString(s.Detail); n == 0 || n > 200 || !utf8.ValidString(s.Detail) {
			t.Fatalf("%q: a detail of %d characters: %q", src, n, s.Detail)
		}
		if strings.ContainsFunc(s.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q: a detail with hidden characters: %q", src, s.Detail)
		}
	}
	if len(r.Values) == 0 && len(r.Skipped) == 0 {
		t.Fatalf("%q: neither a value nor a reason", src)
	}
}

func TestEveryRowIsSoundAndLosesNothingWithoutObservables(t *testing.T) {
	for _, r := range readTable(t) {
		all := pattern.Deploy(r.pattern, r.observables, r.options)
		sound(t, r.pattern, all)
		r.options.Observables = false
		alone := pattern.Deploy(r.pattern, r.observables, r.options)
		if len(alone.Values) > len(all.Values) || !slices.Equal(alone.Values, all.Values[:len(alone.Values)]) {
			t.Errorf("%s: with observables %v, alone %v", r.where, all.Values, alone.Values)
		}
	}
}

func TestTheBoundOfTermsIsExact(t *testing.T) {
	or := func(n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf("domain-name:value = 'h%d.example.org'", i)
		}
		return strings.Join(parts, " OR ")
	}
	in := func(path string, n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf("'h%d.example.org'", i)
		}
		return path + " IN (" + strings.Join(parts, ", ") + ")"
	}
	// Exponents that overflow every integer, in a pattern that takes no time.
	huge := strings.Repeat("("+or(9)+") AND ", 200) + or(1)
	tests := []struct {
		name, src       string
		values, skipped int
		reason          reconcile.Reason
	}{
		{"5000 branches, which are flat", "[" + or(5000) + "]", 5000, 0, ""},
		{"5000 branches beside an AND that explodes", "[" + or(5000) + " OR (" + in("x:a", 501) + " AND (x:b = 1 OR x:c = 2))]", 5000, 1, reconcile.TooLong},
		{"1000 terms of an AND", "[" + in("x:a", 500) + " AND (x:b = 1 OR x:c = 2)]", 0, 1000, reconcile.PatternAnd},
		{"1002 terms of an AND", "[" + in("x:a", 501) + " AND (x:b = 1 OR x:c = 2)]", 0, 1, reconcile.TooLong},
		{"an IN alone is one term, however long", "[" + in("domain-name:value", 5000) + "]", 5000, 0, ""},
		{"a NOT IN is one term", "[x:b = 1 AND " + strings.Replace(in("x:a", 5000), "IN", "NOT IN", 1) + "]", 0, 1, reconcile.PatternNegation},
		{"two observations of 600 branches", "[" + or(600) + "] OR [" + or(600) + "]", 600, 0, ""},
		{"9 to the power of 200", "[" + huge + "]", 0, 1, reconcile.TooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := pattern.Deploy(tt.src, nil, pattern.Options{})
			if len(r.Values) != tt.values || len(r.Skipped) != tt.skipped {
				t.Fatalf("%d values, %d skipped; want %d and %d", len(r.Values), len(r.Skipped), tt.values, tt.skipped)
			}
			for _, s := range r.Skipped {
				if s.Reason != tt.reason {
					t.Fatalf("got %v", s)
				}
			}
			sound(t, tt.name, r)
		})
	}
}

func TestDetails(t *testing.T) {
	long := strings.Repeat("long-", 100)
	tests := []struct{ name, src, want string }{
		{
			"a value and its cause", "[domain-name:value = 'nodot']",
			"domain-name:value = 'nodot': a domain name has a dot",
		},
		{
			"control characters are escaped", "[file:name = 'a\x1b[31m\nb']",
			`file:name = 'a\x1b[31m\nb': the value holds a control character`,
		},
		{
			"marks of direction are escaped", "[user-account:user_id = 'a\u202eb']",
			`user-account:user_id = 'a\u202eb': no HarfangLab rule type expresses this`,
		},
		{
			"a long value is cut, its cause is not", "[email-addr:value = '" + long + "']",
			"email-addr:value = '" + strings.Repeat("long-", 27) + "long…: no HarfangLab rule type expresses this",
		},
		{
			"a syntax error says where", "[domain-name:value 'x']",
			"expected a comparison operator, found a string (at byte 20)",
		},
		{
			"an IN cut by an AND shows the one value", "[domain-name:value IN ('a.example', 'b.example') AND x:y = 1 OR domain-name:value = 'c.example' AND x:z = 1]",
			"domain-name:value = 'a.example' AND x:y = 1: no single value stands for this AND",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := pattern.Deploy(tt.src, nil, pattern.Options{})
			sound(t, tt.src, r)
			if got := r.Skipped[0].Detail; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestALongExclusionEntryLeavesRoomForTheValue(t *testing.T) {
	o := pattern.Options{Excluded: func(reconcile.Value) (string, bool) { return strings.Repeat("é", 500), true }}
	r := pattern.Deploy("[domain-name:value = 'c2.example.org']", nil, o)
	sound(t, "excluded", r)
	if !strings.HasPrefix(r.Skipped[0].Detail, "domain-name:value = 'c2.example.org': excluded by é") {
		t.Errorf("got %q", r.Skipped[0].Detail)
	}
}

func TestExclusionsSeeCanonicalValues(t *testing.T) {
	var asked []reconcile.Value
	o := pattern.Options{Excluded: func(v reconcile.Value) (string, bool) { asked = append(asked, v); return "", false }}
	pattern.Deploy("[domain-name:value = 'C2.Example.ORG.' OR ipv6-addr:value = '::ffff:198.51.100.7']", nil, o)
	want := []reconcile.Value{{Type: "domain_name", Value: "c2.example.org"}, {Type: "ip_both", Value: "198.51.100.7"}}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
}

// One hash blocks a file as well as another.
func TestAFileIsExcludedByAnyOfItsHashes(t *testing.T) {
	const md5, sha256, other = "79054025255fb1a26e4bc422aef54eb4", "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f", "bec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f"
	src := "[file:hashes.'SHA-256' = '" + sha256 + "' OR file:hashes.'SHA-256' = '" + other + "']"
	observables := []reconcile.Observable{{ID: "1", Type: "StixFile", Hashes: map[string]string{"MD5": md5, "SHA-256": sha256}}}
	for _, read := range []bool{true, false} {
		o := pattern.Options{Observables: read, Excluded: func(v reconcile.Value) (string, bool) { return "own.txt: " + md5, v.Value == md5 }}
		r := pattern.Deploy(src, observables, o)
		if want := []reconcile.Value{{Type: "hash", Value: other}}; !slices.Equal(r.Values, want) || r.Skipped[0].Reason != reconcile.Excluded || !strings.Contains(r.Skipped[0].Detail, "own.txt") {
			t.Errorf("observables %t: %v, skipped %v", read, r.Values, r.Skipped)
		}
		if !slices.Contains(r.Excluded, reconcile.Value{Type: "hash", Value: sha256}) || slices.Contains(r.Excluded, reconcile.Value{Type: "hash", Value: other}) {
			t.Errorf("observables %t: %v count as excluded", read, r.Excluded)
		}
	}
}

func TestAnAddressInFullWidthIsAnAddress(t *testing.T) {
	r := pattern.Deploy("[domain-name:value = '１98.51.100.７' OR hostname:value = '１98.51.100.8']", nil, pattern.Options{})
	if want := []reconcile.Value{{Type: "ip_both", Value: "198.51.100.7"}, {Type: "ip_both", Value: "198.51.100.8"}}; !slices.Equal(r.Values, want) {
		t.Errorf("%v", r)
	}
}

func FuzzDeploy(f *testing.F) {
	for _, r := range readTable(f) {
		o := reconcile.Observable{Type: "StixFile", Value: "x.exe"}
		if len(r.observables) > 0 {
			o = r.observables[0]
		}
		f.Add(r.pattern, o.Type, o.Value, o.Name, "SHA-256", "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f", uint8(0))
	}
	f.Fuzz(func(t *testing.T, src, typ, value, name, alg, hash string, bits uint8) {
		observables := []reconcile.Observable{
			{Type: typ, Value: value, Name: name, ID: "1"},
			{Type: "StixFile", Name: name, Hashes: map[string]string{alg: hash, "MD5": value}},
		}
		o := pattern.Options{StrongestHash: bits&1 != 0, Observables: bits&2 == 0}
		if bits&4 != 0 {
			o.Excluded = func(v reconcile.Value) (string, bool) { return name, len(v.Value)%2 == 0 }
		}
		r := pattern.Deploy(src, observables, o)
		sound(t, src, r)
		for _, v := range r.Values {
			if _, hit := excludedBy(o, v); hit {
				t.Fatalf("%q: %v is excluded and deployed", src, v)
			}
		}
		if _, err := pattern.Parse(src); err != nil && (len(r.Values) > 0 || len(r.Skipped) != 1) {
			t.Fatalf("%q: a syntax error gave %v", src, r)
		}
	})
}

func excludedBy(o pattern.Options, v reconcile.Value) (string, bool) {
	if o.Excluded == nil {
		return "", false
	}
	return o.Excluded(v)
}

// BenchmarkDeploy reports patterns a second over what feeds consist of; the budget is 300,000.
func BenchmarkDeploy(b *testing.B) {
	patterns := []string{
		"[ipv4-addr:value = '198.51.100.77']",
		"[domain-name:value = 'c2.example.org']",
		"[url:value = 'https://c2.example.org/gate.php?id=7']",
		"[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
		"[file:hashes.MD5 = '79054025255FB1A26E4BC422AEF54EB4']",
		"[hostname:value = 'SRV.example.org']",
		"[file:name = 'foo.dll' AND file:parent_directory_ref.path = 'C:\\\\Windows\\\\System32']",
		"[email-addr:value = 'a@example.org']",
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pattern.Deploy(patterns[i%len(patterns)], nil, pattern.Options{})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "patterns/s")
}

func TestManyANDsThatMultiplyAreBoundedTogether(t *testing.T) {
	var b strings.Builder
	for i := range 300 { // of 500 terms each
		fmt.Fprintf(&b, "(x:a%d IN (1,2,3,4,5,6,7,8,9,10) AND x:b IN (1,2,3,4,5,6,7,8,9,10) AND x:c IN (1,2,3,4,5)) OR ", i)
	}
	r := pattern.Deploy("["+b.String()+"domain-name:value = 'c2.example.org']", nil, pattern.Options{})
	tooLong := 0
	for _, s := range r.Skipped {
		if s.Reason == reconcile.TooLong {
			tooLong++
		}
	}
	if tooLong != 234 || len(r.Skipped) != 66*500+234 || len(r.Values) != 1 { // 66 have 99,000 comparisons
		t.Errorf("%d too long of %d skipped, %d values", tooLong, len(r.Skipped), len(r.Values))
	}
}

func TestAWideANDThatMultipliesIsOneSkip(t *testing.T) {
	var b strings.Builder
	b.WriteString("[domain-name:value = 'c2.example.org' OR file:name IN ('a'")
	for i := range 999 {
		fmt.Fprintf(&b, ",'%d'", i)
	}
	b.WriteString(")")
	for i := range 10_000 {
		fmt.Fprintf(&b, " AND file:hashes.X%d = 'x'", i)
	}
	r := pattern.Deploy(b.String()+"]", nil, pattern.Options{})
	if len(r.Values) != 1 || len(r.Skipped) != 1 || r.Skipped[0].Reason != reconcile.TooLong {
		t.Errorf("%d values, %d skipped", len(r.Values), len(r.Skipped))
	}
}

func TestTermsAreBoundedBeforeTheyAreBuilt(t *testing.T) {
	for name, tt := range map[string]struct {
		pattern string
		terms   int
	}{
		"what people write":     {crossed(20, 5, 1), 20},
		"many comparisons":      {crossed(400, 400, 1), 0},
		"long comparisons":      {crossed(1000, 1, 10_000), 0},
		"several that multiply": {strings.Repeat(crossed(40, 20, 20)+" OR ", 20) + crossed(40, 20, 20), 0},
		"no comparison of many": {"[" + strings.Repeat("process:command_line LIKE '%a%' OR ", 999) + "process:cwd = 'b']", 1000},
	} {
		var terms [][]pattern.Comparison
		var ok bool
		allocs := testing.AllocsPerRun(1, func() { terms, ok = pattern.Terms(tt.pattern) })
		if ok != (tt.terms > 0) || ok && len(terms) != tt.terms || allocs > 50_000 {
			t.Errorf("%s: %t with %d terms, want %d, in %.0f allocations", name, ok, len(terms), tt.terms, allocs)
		}
	}
}

// crossed is an AND of an OR of so many comparisons with others, each of so many bytes.
func crossed(or, and, long int) string {
	one := "process:command_line LIKE '%%" + strings.Repeat("a", long) + "%d%%'"
	var b strings.Builder
	b.WriteString("[(" + fmt.Sprintf(one, 0))
	for i := range or - 1 {
		fmt.Fprintf(&b, " OR "+one, i+1)
	}
	b.WriteString(")")
	for i := range and {
		fmt.Fprintf(&b, " AND "+one, or+i)
	}
	return b.String() + "]"
}

func TestAWideConjunctionTakesNoTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("[file:name IN ('a', 'b', 'c', 'd')")
	for i := range 20_000 {
		fmt.Fprintf(&b, " AND file:hashes.X%d = 'x'", i)
	}
	r := pattern.Deploy(b.String()+"]", nil, pattern.Options{})
	if len(r.Values) != 0 || len(r.Skipped) != 4*20_000 || r.Skipped[0].Reason != reconcile.UnsupportedHash {
		t.Errorf("%d values, %d skipped", len(r.Values), len(r.Skipped))
	}
}

// What MayGive denies, no observable gives; and it denies what a pattern leaves no room for.
func TestMayGiveKnowsWhatObservablesAdd(t *testing.T) {
	for _, r := range readTable(t) {
		alone := pattern.Deploy(r.pattern, nil, r.options).Values
		for _, v := range pattern.Deploy(r.pattern, r.observables, r.options).Values {
			if !slices.Contains(alone, v) && !pattern.MayGive(r.pattern, v.Type) {
				t.Errorf("%s: %s gives %s, and may not", r.where, r.pattern, v)
			}
		}
	}
	for _, tt := range []struct {
		src, typ string
		want     bool
	}{
		{"[domain-name:value = 'c2.example.org']", "url", true},
		{"[domain-name:value = 'c2.example.org']", "filename", false},
		{"[domain-name:value = 'c2.example.org']", "ip_src", false},
		{"[file:name = 'evil.exe']", "filename", true},
		{"[file:name = 'evil.exe' AND file:size = 5]", "hash", true},
		{"[file:name = 'evil.exe' AND file:size = 5]", "domain_name", false},
		{"[domain-name:value != 'c2.example.org']", "url", false},
		{"no pattern", "url", false},
	} {
		if got := pattern.MayGive(tt.src, tt.typ); got != tt.want {
			t.Errorf("%s, %s: %t, want %t", tt.src, tt.typ, got, tt.want)
		}
	}
}
