package pattern_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/pattern"
)

// TestNormalForm shows how patterns print. An empty want means: as it is.
func TestNormalForm(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"blanks around operators", "  [ ipv4-addr:value='198.51.100.7' ] ", "[ipv4-addr:value = '198.51.100.7']"},
		{"other spellings", "[a:b=='x' OR a:b<>'y']", "[a:b = 'x' OR a:b != 'y']"},
		{"quotes that are not needed", "[file:'hashes'.'MD5' = 'x']", "[file:hashes.MD5 = 'x']"},
		{"quotes that are needed", "[file:hashes.'SHA-256' = 'x' OR a:'AND' = 1 OR a:'' = 2 OR a:'1x' = 3]", ""},
		{"comments", "[a:b /* x */ = // y\n 1]", "[a:b = 1]"},
		{"sets", "[a:b IN('x' ,2,3.5,true,h'ff',b'AAAA',t'2026-03-01T10:20:60.5Z')]", "[a:b IN ('x', 2, 3.5, true, h'ff', b'AAAA', t'2026-03-01T10:20:60.5Z')]"},
		{"the empty set", "[a:b IN ( )]", "[a:b IN ()]"},
		{"signs", "[a:b = +5 OR a:b = -5 OR a:b > -.5 OR a:b < +0.25]", "[a:b = 5 OR a:b = -5 OR a:b > -.5 OR a:b < 0.25]"},
		{"escapes", `[a:b = 'It\'s C:\\x' OR a:'k\'\\' = '']`, ""},
		{"indexes", "[a:b[ * ].c [0][-1].'d-e'[7] = 1]", "[a:b[*].c[0][-1].'d-e'[7] = 1]"},
		{"every operator", "[a:b != 1 OR a:b < 1 OR a:b <= 1 OR a:b > 1 OR a:b >= 1 OR a:b LIKE 'x' OR a:b MATCHES 'x' OR a:b ISSUBSET 'x' OR a:b ISSUPERSET 'x' OR EXISTS a:b]", ""},
		{"every negation", "[a:b NOT = 1 OR a:b NOT != 1 OR a:b NOT < 1 OR a:b NOT IN (1) OR a:b NOT LIKE 'x' OR a:b NOT MATCHES 'x' OR a:b NOT ISSUBSET 'x' OR a:b NOT ISSUPERSET 'x' OR NOT EXISTS a:b]", ""},
		{"parentheses that change nothing", "(([(a:b = 1 AND (a:c = 2)) OR ((a:d = 3 OR a:e = 4))]))", "[a:b = 1 AND a:c = 2 OR a:d = 3 OR a:e = 4]"},
		{"parentheses that change the meaning", "[(a:b = 1 OR a:c = 2) AND a:d = 3]", ""},
		{"AND binds tighter than OR", "[a:b = 1 OR a:c = 2 AND a:d = 3]", ""},
		{"observation AND binds tighter than OR, OR than FOLLOWEDBY", "([a:b = 1] OR ([c:d = 2] AND [e:f = 3])) FOLLOWEDBY [g:h = 4]", "[a:b = 1] OR [c:d = 2] AND [e:f = 3] FOLLOWEDBY [g:h = 4]"},
		{"observations in parentheses", "([a:b = 1] FOLLOWEDBY [c:d = 2]) AND ([e:f = 3] OR [g:h = 4])", ""},
		{"qualifiers", "[a:b=1] WITHIN 5 SECONDS REPEATS 2 TIMES START t'2026-03-01T00:00:00Z' STOP t'2026-03-02T00:00:00.25Z'", "[a:b = 1] WITHIN 5 SECONDS REPEATS 2 TIMES START t'2026-03-01T00:00:00Z' STOP t'2026-03-02T00:00:00.25Z'"},
		{"qualifiers of a group", "([a:b = 1] AND [c:d = 2]) WITHIN 1.5 SECONDS OR [e:f = 3]", ""},
		{"qualifiers of a qualified group", "([a:b = 1] REPEATS 2 TIMES) REPEATS 3 TIMES", ""},
		{"parentheses around a qualifier alone", "([a:b = 1] REPEATS 2 TIMES)", "[a:b = 1] REPEATS 2 TIMES"},
		{"object types with hyphens, properties that look like literals", "[x-a-:h = 1 OR h:t.b = 2]", ""},
		{"text of other scripts", "[a:'größe' = 'Ω\u202e']", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := pattern.Parse(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = tt.src
			}
			if diff := cmp.Diff(want, p.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again, err := pattern.Parse(p.String())
			if err != nil || again.String() != p.String() {
				t.Errorf("printed %q; parsed again %v, %v", p.String(), again, err)
			}
		})
	}
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	tests := []struct {
		src string
		pos int
		say string
	}{
		{"", 0, "expected [ or ("},
		{"[", 1, "object path"},
		{"[]", 1, "object path"},
		{"[a:b]", 4, "comparison operator"},
		{"[a:b = ]", 7, "literal"},
		{"[a = 1]", 3, "expected :"},
		{"[a:1 = 1]", 3, "property name"},
		{"[a:b. = 1]", 6, "property name"},
		{"[a:b[x] = 1]", 5, "index"},
		{"[a:b[1.5] = 1]", 5, "index"},
		{"[a:b = 01]", 7, "leading zero"},
		{"[a:b = 1.]", 8, "expected ]"},
		{"[a:b = -]", 7, "unexpected character"},
		{"[a:b =! 1]", 6, "unexpected character"},
		{"[a:b =? 1]", 6, "unexpected character"},
		{"[a:b = \"x\"]", 7, "single quotes"},
		{"[a:b = 'x\\n']", 9, `\\`},
		{"[a:b = h'abc']", 7, "hex"},
		{"[a:b = h'gg']", 7, "hex"},
		{"[a:b = b'']", 7, "base64"},
		{"[a:b = b'AA_=']", 7, "base64"},
		{"[a:b = t'2026-03-01T10:20:30']", 7, "UTC"},
		{"[a:b = t'2026-02-32T10:20:30Z']", 7, "UTC"},
		{"[a:b = t'2026-02-01T24:20:30Z']", 7, "UTC"},
		{"[a:b = t'2026-02-01T23:20:30.Z']", 7, "UTC"},
		{"[a:b = x'00']", 7, "unexpected letter"},
		{"[a:b IN 1]", 8, "expected ("},
		{"[a:b IN (1,)]", 11, "literal"},
		{"[a:b IN (1 2)]", 11, "expected )"},
		{"[a:b LIKE 1]", 10, "expected a string"},
		{"[a:b < true]", 7, "literal"},
		{"[a:b NOT 'x']", 9, "comparison operator"},
		{"[a:b = 1 and a:c = 2]", 9, "expected ]"},
		{"[a:b = 1 AND]", 12, "object path"},
		{"[(a:b = 1]", 9, "expected )"},
		{"[a:b = 1", 8, "expected ]"},
		{"[a:b = 1] OR", 12, "expected [ or ("},
		{"([a:b = 1]", 10, "expected )"},
		{"[a:b = 1]]", 9, "expected AND"},
		{"[a:b = 1] WITHIN 5", 18, "SECONDS"},
		{"[a:b = 1] WITHIN -5 SECONDS", 17, "without a sign"},
		{"[a:b = 1] WITHIN -0.5 SECONDS", 17, "integer"},
		{"[a:b = 1] REPEATS 2.5 TIMES", 18, "integer"},
		{"[a:b = 1] START t'2026-03-01T00:00:00Z'", 39, "STOP"},
		{"[a:b = 1] LIKE", 10, "expected AND"},
		{"[a:b = 'x\xff']", 9, "UTF-8"},
		{"[a:b = 1] #", 10, "unexpected character"},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			_, err := pattern.Parse(tt.src)
			e, ok := errors.AsType[*pattern.SyntaxError](err)
			if !ok || e.Pos != tt.pos || !strings.Contains(e.Msg, tt.say) {
				t.Errorf("got %v (%+v); want position %d and %q", err, e, tt.pos, tt.say)
			}
		})
	}
}

func TestDeepNestingIsASyntaxErrorAndNoCrash(t *testing.T) {
	nest := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, tt := range []struct {
		name string
		src  string
		ok   bool
	}{
		{"200 comparisons deep", "[" + nest(200, "(", "a:b = 1", ")") + "]", true},
		{"201 comparisons deep", "[" + nest(201, "(", "a:b = 1", ")") + "]", false},
		{"200 observations deep", nest(200, "(", "[a:b = 1]", ")"), true},
		{"100 of each", nest(100, "(", "["+nest(100, "(", "a:b = 1", ")")+"]", ")"), true},
		{"a million deep", nest(1_000_000, "(", "[a:b = 1]", ")"), false},
		{"a million open", strings.Repeat("(", 1_000_000), false},
		{"a chain of 100,000 is not deep", "[a:b = 1" + strings.Repeat(" AND a:b = 1", 100_000) + "]", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := pattern.Parse(tt.src); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			pattern.Deploy(tt.src, nil, pattern.Options{})
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range readTable(f) {
		f.Add(r.pattern)
	}
	f.Add("([a:b = 1] REPEATS 2 TIMES) WITHIN .5 SECONDS FOLLOWEDBY [c-d:'e'[*][-1] NOT IN (h'ff', b'AA==', true)]")
	f.Fuzz(func(t *testing.T, src string) {
		p, err := pattern.Parse(src)
		if err != nil {
			if e, ok := errors.AsType[*pattern.SyntaxError](err); !ok || e.Pos < 0 || e.Pos > len(src) {
				t.Fatalf("%q: error %#v", src, err)
			}
			return
		}
		printed := p.String()
		again, err := pattern.Parse(printed)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", src, printed, err)
		}
		if again.String() != printed {
			t.Fatalf("%q printed as %q, then as %q", src, printed, again)
		}
	})
}
