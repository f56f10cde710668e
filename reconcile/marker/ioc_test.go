package marker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

const instance = "11111111-1111-4111-8111-111111111111"

func owners(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
	}
	return ids
}

func iocMark(n int) marker.IOC {
	score := 80
	ids := owners(n)
	return marker.IOC{StandardID: "indicator--0e6c1f7a-6a51-5a5e-9a55-2d7b9f0f1c11", Score: &score, Platforms: []string{"linux", "windows"},
		Owners: ids[:min(n, marker.MaxOwners)], Count: n, Digest: marker.OwnersDigest(ids...), Instance: instance,
		Applied: marker.Applied{Known: true, Sent: 0xabc, Maturity: "stable"}}
}

func TestACommentKeepsTheOldConnectorsFieldsAndNamesEightOwners(t *testing.T) {
	m := iocMark(12)
	text := m.Comment()
	var o struct {
		ID        string   `json:"indicator_id"`
		Score     int      `json:"indicator_score"`
		Platforms []string `json:"indicator_platforms"`
		Owners    []string `json:"indicators"`
		Count     int      `json:"owners_count"`
		Digest    string   `json:"owners_digest"`
		By        string   `json:"managed_by"`
		Instance  string   `json:"instance"`
		Applied   string   `json:"applied"`
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		t.Fatal(err)
	}
	if o.ID != m.StandardID || o.Score != 80 || len(o.Platforms) != 2 || len(o.Owners) != 8 || o.Count != 12 || len(o.Digest) != 16 || o.By != "harfangsync" || o.Instance != instance || !strings.HasPrefix(o.Applied, "1:") {
		t.Errorf("%+v", o)
	}
	got, class := marker.ParseIOC(text)
	if d := cmp.Diff(m, got); class != marker.Ours || d != "" {
		t.Errorf("class %d (-want +got):\n%s", class, d)
	}
}

func TestACommentNeverExceedsAThousandCharacters(t *testing.T) {
	for name, change := range map[string]func(*marker.IOC){
		"eight owners":        func(*marker.IOC) {},
		"long ids":            func(m *marker.IOC) { m.Owners[0] = strings.Repeat("i", 120); m.Owners[1] = strings.Repeat("j", 400) },
		"platforms to escape": func(m *marker.IOC) { m.Platforms = controls() },
	} {
		m := iocMark(8)
		change(&m)
		text := m.Comment()
		if n := utf8.RuneCountInString(text); n > marker.MaxText {
			t.Errorf("%s: %d characters", name, n)
		}
		got, class := marker.ParseIOC(text)
		if class != marker.Ours || got.Count != 8 || got.Digest != m.Digest || got.Owners[0] != m.Owners[0] {
			t.Errorf("%s: class %d, %+v", name, class, got)
		}
	}
}

// controls is eight platform names of 32 bytes, of which JSON makes six times as many.
func controls() []string {
	var out []string
	for i := range 8 {
		out = append(out, "p"+strings.Repeat("\x01", 30)+string(rune('a'+i)))
	}
	return out
}

func TestTheShortFormNamesTheWinnerAlone(t *testing.T) {
	m := iocMark(12)
	short := m.Short()
	got, class := marker.ParseIOC(short)
	if class != marker.Ours || len(got.Owners) != 1 || got.Count != 12 || got.Digest != m.Digest || len(short) > 400 {
		t.Errorf("class %d, %d characters, %+v", class, len(short), got)
	}
}

func TestACutCommentIsStillOurs(t *testing.T) {
	m := iocMark(8)
	text := m.Comment()
	for n := 170; n < len(text); n++ {
		got, class := marker.ParseIOC(text[:n])
		if class != marker.Ours || got.StandardID != m.StandardID || got.Instance != instance {
			t.Fatalf("cut at %d: class %d, %+v", n, class, got)
		}
		whole := strings.Contains(text[:n], fmt.Sprintf("%016x", m.Digest)+`"`)
		if got.Partial == whole || whole && (got.Digest != m.Digest || got.Count != 8) {
			t.Fatalf("cut at %d: partial %t, %+v", n, got.Partial, got)
		}
		if len(got.Owners) > 0 && got.Owners[0] != m.Owners[0] {
			t.Fatalf("cut at %d: owner %q", n, got.Owners[0])
		}
	}
}

func TestCommentsOfOthers(t *testing.T) {
	const id = "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11"
	old := `{"indicator_id": "` + id + `", "indicator_score": 40, "indicator_platforms": ["windows"]}`
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	for _, tt := range []struct {
		name, comment string
		class         marker.Class
		id            string
	}{
		{"nothing", "", marker.None, ""},
		{"words", "blocked by hand", marker.None, ""},
		{"another JSON", `{"ticket": 17}`, marker.None, ""},
		{"an old comment", old, marker.Old, id},
		{"an old comment of an indicator without a score and platforms", `{"indicator_platforms":null,"indicator_score":null,"indicator_id":"` + id + `"}`, marker.Old, id},
		{"an old comment with a score of another type", strings.Replace(old, "40", `"40"`, 1), marker.None, ""},
		{"an old comment with a member more", strings.Replace(old, "{", `{"tool": "x", `, 1), marker.None, ""},
		{"an old comment with a member less", strings.Replace(old, `, "indicator_score": 40`, "", 1), marker.None, ""},
		{"an old comment with a member twice", strings.Replace(old, "{", `{"indicator_score": 1, "x": 2, `, 1), marker.None, ""},
		{"an old comment of no indicator", strings.Replace(old, "indicator--", "", 1), marker.None, ""},
		{"an old comment of what is no id", strings.Replace(old, id, "indicator--a", 1), marker.None, ""},
		{"an old comment inside a comment", `{"comment": ` + quoted(old) + `}`, marker.None, ""},
		{"an old comment as a JSON text", quoted(old), marker.None, ""},
		{"an old comment as an object inside", `{"old": ` + old + `}`, marker.None, ""},
		{"an old comment that is cut", old[:len(old)-1], marker.None, ""},
		{"another product's", `{"managed_by": "other", "indicator_id": "indicator--a", "instance": "x"}`, marker.None, ""},
		{"ours without an instance", `{"managed_by": "harfangsync", "indicator_id": "indicator--a"}`, marker.None, ""},
		{"ours with a member of another type", strings.Replace(iocMark(1).Comment(), `"indicator_score":80`, `"indicator_score":"80"`, 1), marker.Ours, iocMark(1).StandardID},
		{"ours with more members", strings.Replace(iocMark(1).Comment(), `{`, `{"note":"x",`, 1), marker.Ours, iocMark(1).StandardID},
		{"ours with words behind it", iocMark(1).Comment() + " - keep, Anna", marker.Ours, iocMark(1).StandardID},
		{"ours with another's behind it", iocMark(1).Comment() + strings.ReplaceAll(iocMark(2).Comment(), "indicator--", "indicator--x"), marker.Ours, iocMark(1).StandardID},
		{"ours quoted by a person", "{ticket 4711, Anna} was first blocked by OpenCTI: " + iocMark(1).Comment() + " - keep", marker.None, ""},
		{"another's with ours behind it", `{"indicator_id": "indicator--a"} ` + iocMark(1).Comment(), marker.None, ""},
		{"ours printed with blanks", strings.ReplaceAll(iocMark(1).Comment(), `":"`, `": "`), marker.Ours, iocMark(1).StandardID},
	} {
		got, class := marker.ParseIOC(tt.comment)
		if class != tt.class || got.StandardID != tt.id {
			t.Errorf("%s: class %d of %q, want %d of %q", tt.name, class, got.StandardID, tt.class, tt.id)
		}
	}
}

func TestAppliedOfAnotherVersionIsNotKnown(t *testing.T) {
	for _, s := range []string{"", "1", "1:", "1:xyz-stable", "2:00000000000000ab-stable", "1:00000000000000ab", "1:00000000000000ab-stable-xyz", "1:00000000000000ab-stable-01-02"} {
		if a := marker.ParseApplied(s); a.Known {
			t.Errorf("%q is read as %+v", s, a)
		}
	}
	for _, a := range []marker.Applied{{Known: true, Sent: 1, Maturity: "testing"}, {Known: true, Sent: 1 << 63, Maturity: "stable", Stored: 7}} {
		if got := marker.ParseApplied(a.String()); got != a {
			t.Errorf("%+v is read as %+v", a, got)
		}
	}
}

func FuzzParseIOC(f *testing.F) {
	f.Add(iocMark(12).Comment())
	f.Add(iocMark(12).Comment()[:230])
	f.Add(`{"comment": "{\"indicator_id\": \"indicator--a\"}"}`)
	f.Add(`"\"\\\"{}\\\"\""`)
	f.Fuzz(func(t *testing.T, s string) {
		m, class := marker.ParseIOC(s)
		if class != marker.Ours || !utf8.ValidString(s) {
			return
		}
		again, class := marker.ParseIOC(m.Comment())
		if class != marker.Ours || again.Instance != m.Instance || again.Count != m.Count || again.Digest != m.Digest {
			t.Errorf("%q gives %+v, and again %+v", s, m, again)
		}
	})
}
