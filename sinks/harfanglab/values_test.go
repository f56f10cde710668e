package harfanglab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// Rules are found by many values at once, whether or not the manager takes a list of them.
func TestRulesByTheirValues(t *testing.T) {
	for _, commas := range []bool{true, false} {
		now := noon
		_, c := simulated(t, hlsim.Knobs{CommaOr: commas}, &now)
		list, err := c.CreateList(t.Context(), reconcile.IOC, "from_OpenCTI")
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range []string{"domain_name c2.example", "url c2.example", "filename Invoice, final.EXE", "filename evil.exe", "filename Evil.exe", "url https://E.example/A,b", "ip_both 198.51.100.0/24", "ip_dst 198.51.100.7", "hash " + md5} {
			typ, value, _ := strings.Cut(r, " ")
			row := reconcile.Row{Kind: reconcile.IOC, Type: typ, Value: value, Enabled: true, HLStatus: "stable", Description: fmt.Sprint("https://", i)}
			if _, err := c.Create(t.Context(), list.ID, row); err != nil {
				t.Fatal(err)
			}
		}
		brief := func(rows []reconcile.Located, err error) []string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, r := range rows {
				if r.List != list.ID {
					t.Errorf("%+v is of another list", r)
				}
				out = append(out, r.Type+" "+r.Value)
			}
			slices.Sort(out)
			return out
		}
		for asked, want := range map[string][]string{
			"domain_name c2.example|filename none":                    {"domain_name c2.example", "url c2.example"},
			"domain_name c2.example":                                  {"domain_name c2.example", "url c2.example"},
			"ip_dst 203.0.113.1|ip_dst 203.0.113.2":                   nil,
			"filename invoice, FINAL.exe|url https://e.example/a,b":   {"filename Invoice, final.EXE", "url https://E.example/A,b"},
			"ip_dst 198.51.100.7|hash " + md5 + "|hash " + sha1 + "|": {"hash " + md5, "ip_dst 198.51.100.7"},
			"filename evil.exe":                                       {"filename Evil.exe", "filename evil.exe"},
			"filename none|filename EVIL.exe|filename Evil.exe":       {"filename Evil.exe", "filename evil.exe"},
			"": nil,
		} {
			var values []reconcile.Value
			for _, s := range strings.FieldsFunc(asked, func(r rune) bool { return r == '|' }) {
				typ, value, _ := strings.Cut(s, " ")
				values = append(values, reconcile.Value{Type: typ, Value: value})
			}
			if diff := cmp.Diff(want, brief(c.Values(t.Context(), list.ID, values))); diff != "" {
				t.Errorf("commas %v, %q (-want +got):\n%s", commas, asked, diff)
			}
		}
		if diff := cmp.Diff([]string{"ip_both 198.51.100.0/24"}, brief(c.Networks(t.Context(), list.ID))); diff != "" {
			t.Errorf("networks (-want +got):\n%s", diff)
		}
	}
}
