package sigma_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/sigma"
)

// hash values that rules and events share.
var hashPool = map[string][]string{
	"MD5":     {strings.Repeat("a1", 16), strings.Repeat("B2", 16)},
	"SHA1":    {strings.Repeat("c3", 20), strings.Repeat("d4", 20)},
	"SHA256":  {strings.Repeat("e5", 32), strings.Repeat("f6", 32)},
	"IMPHASH": {strings.Repeat("17", 16), strings.Repeat("28", 16)},
}

var algorithms = []string{"SHA1", "MD5", "SHA256", "IMPHASH"}

var texts = []string{`C:\Windows\System32\cmd.exe`, `C:\Users\é\evil.exe`, `/usr/bin/curl`, "10.0.0.7", "443", "true", "evil.example", "a -enc b", "😀 smile", ""}

var parts = []string{`C:\`, `Users\`, "evil", `\cmd.exe`, ".exe", "C:", "curl", "443", "true", "-enc", "😀", "10.0.0.7", "*", "*evil*", "??.exe", "it''s"}

// drawEvent is an event of a public form.
func drawEvent(t *rapid.T, f *form) event {
	e := event{product: f.product, category: f.category, service: f.service, fields: map[string]string{}}
	for _, name := range f.fields() {
		switch {
		case f.only[name] != nil:
			e.fields[name] = rapid.SampledFrom(f.only[name]).Draw(t, name)
		case name == "Hashes":
			var all []string
			for _, a := range algorithms {
				if a == "IMPHASH" && f.product != "windows" {
					continue
				}
				all = append(all, a+"="+strings.ToUpper(rapid.SampledFrom(hashPool[a]).Draw(t, a)))
			}
			e.fields[name] = strings.Join(all, ",")
		case rapid.IntRange(0, 9).Draw(t, "there") > 0:
			e.fields[name] = rapid.SampledFrom(texts).Draw(t, name)
		}
	}
	if f.category == "ps_module" || f.channel != "" && f.service == "" {
		e.fields["EventID"] = f.values["EventID"]
	}
	return e
}

// drawRule is a random rule about a public form.
func drawRule(t *rapid.T, f *form) string {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"selection", "selection_a", "selection_b", "filter_main", "filter_opt", "harfanglab", "_hidden", "s1"}), 1, 4, rapid.ID).Draw(t, "names")
	var b strings.Builder
	fmt.Fprintf(&b, "title: A rule 😀\nid: 0a1b2c3d-4e5f-4000-8000-000000000000\n# about the source\nlogsource:\n    product: %s # the product\n", f.product)
	if f.category != "" {
		fmt.Fprintf(&b, "    category: %s\n", f.category)
	} else {
		fmt.Fprintf(&b, "    service: '%s'\n", f.service)
	}
	b.WriteString("detection:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    %s:%s\n", name, drawSelection(t, f))
	}
	fmt.Fprintf(&b, "    condition: %s\nlevel: high\n", drawCondition(t, names))
	text := b.String()
	if rapid.Bool().Draw(t, "crlf") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func drawSelection(t *rapid.T, f *form) string {
	switch n := rapid.IntRange(0, 20).Draw(t, "shape"); {
	case n == 0:
		return "\n        - words\n        - more"
	case n < 5:
		var items []string
		for range rapid.IntRange(1, 3).Draw(t, "mappings") {
			items = append(items, "\n        - "+strings.Join(drawTests(t, f), "\n          "))
		}
		return strings.Join(items, "")
	case n < 8:
		var flow []string
		for _, test := range drawTests(t, f) {
			if strings.Contains(test, "\n") {
				return "\n        " + test
			}
			flow = append(flow, test)
		}
		return " {" + strings.Join(flow, ", ") + "}"
	}
	return "\n        " + strings.Join(drawTests(t, f), "\n        ")
}

func drawTests(t *rapid.T, f *form) []string {
	fields := rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(f.fields()), "Unheard", "EventID")), 1, 3, rapid.ID).Draw(t, "fields")
	var out []string
	for _, name := range fields {
		out = append(out, drawTest(t, f, name))
	}
	return out
}

func drawTest(t *rapid.T, f *form, name string) string {
	value := func() string { return "'" + rapid.SampledFrom(parts).Draw(t, "value") + "'" }
	mods := []string{"", "", "|contains", "|startswith", "|endswith", "|contains|all", "|re", "|cased", "|exists"}
	switch {
	case name == "EventID" && f.channel != "":
		mods, value = []string{""}, func() string {
			return rapid.SampledFrom(words("4624 1102 4673 4663 7045 104 400 600 4103 1 6 1116")).Draw(t, "id")
		}
	case name == "EventType":
		mods, value = []string{"", "", "|contains"}, func() string {
			return rapid.SampledFrom(words("SetValue CreateKey DeleteKey RenameKey DeleteValue")).Draw(t, "type")
		}
	case name == "Provider_Name":
		mods, value = []string{""}, func() string {
			return rapid.SampledFrom([]string{"Service Control Manager", "Microsoft-Windows-Security-Auditing", "NTFS"}).Draw(t, "provider")
		}
	case name == "Hashes":
		mods, value = drawHashes(t)
	}
	mod := rapid.SampledFrom(mods).Draw(t, "modifier")
	switch mod {
	case "|exists":
		return name + mod + ": " + rapid.SampledFrom([]string{"true", "false"}).Draw(t, "exists")
	case "|re":
		return name + mod + ": '" + rapid.SampledFrom([]string{`ev.l`, `(?i)CMD`, `^C:`}).Draw(t, "re") + "'"
	}
	if n := rapid.IntRange(0, 3).Draw(t, "values"); n > 0 && mod != "|cased" {
		var list []string
		for range n {
			list = append(list, value())
		}
		if rapid.Bool().Draw(t, "flow") {
			return name + mod + ": [" + strings.Join(list, ", ") + "]"
		}
		return name + mod + ":\n            - " + strings.Join(list, "\n            - ")
	}
	if mod == "" && rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return name + ": null"
	}
	return name + mod + ": " + value()
}

// drawHashes are the modifiers and the values of a test of Hashes: parts of what an event holds, and what none does.
func drawHashes(t *rapid.T) (mods []string, value func() string) {
	whole := rapid.IntRange(0, 3).Draw(t, "whole") == 0
	if mods = []string{"|contains", "|contains", "|contains|all"}; whole {
		mods = []string{""}
	}
	hash := func(a string) string { return a + "=" + rapid.SampledFrom(hashPool[a]).Draw(t, "hash") }
	value = func() string {
		from, n := rapid.IntRange(0, 3).Draw(t, "first"), rapid.SampledFrom([]int{1, 1, 1, 2, 3, 4}).Draw(t, "algorithms")
		if whole && rapid.Bool().Draw(t, "all") {
			from, n = 0, 4
		}
		var all []string
		for _, a := range algorithms[from:min(from+n, 4)] {
			all = append(all, hash(a))
		}
		v := strings.Join(all, ",")
		switch rapid.IntRange(0, 14).Draw(t, "how") {
		case 0:
			v = v[:len(v)-5]
		case 1:
			_, v, _ = strings.Cut(v, "=")
		case 2:
			v = "*" + v + "*"
		case 3:
			v += ","
		case 4:
			v += "," + hash(rapid.SampledFrom(algorithms).Draw(t, "algorithm"))
		case 5:
			at := strings.Index(v+",", ",")
			v = v[:at-3] + v[at:]
		}
		return "'" + v + "'"
	}
	return mods, value
}

func drawCondition(t *rapid.T, names []string) string {
	quantified := func() string {
		count := rapid.SampledFrom([]string{"1", "all", "any", "2"}).Draw(t, "count")
		for _, p := range rapid.Permutation([]string{"selection*", "filter_*", "h*", "*"}).Draw(t, "pattern") {
			prefix := strings.TrimSuffix(p, "*")
			if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) && !strings.HasPrefix(n, "_") }) {
				return count + " of " + p
			}
		}
		return "1 of them"
	}
	var expr func(depth int) string
	expr = func(depth int) string {
		n := rapid.IntRange(0, 9).Draw(t, "op")
		if depth == 0 && n > 4 {
			n = 0
		}
		switch {
		case n < 3:
			return rapid.SampledFrom(names).Draw(t, "name")
		case n == 3:
			return quantified()
		case n == 4 && slices.ContainsFunc(names, func(n string) bool { return !strings.HasPrefix(n, "_") }):
			return rapid.SampledFrom([]string{"1", "all"}).Draw(t, "count") + " of them"
		case n < 6:
			return "not " + "(" + expr(max(depth-1, 0)) + ")"
		case n < 8:
			return expr(depth-1) + " and " + expr(depth-1)
		}
		return "(" + expr(depth-1) + " or  " + expr(depth-1) + ")"
	}
	return expr(2)
}

// TestATranslatedRuleFiresAsItsAuthorMeant draws rules and events: the author's rule on the public form of
// an event and the translated one on HarfangLab's agree, in one direction only where the rule is narrower.
func TestATranslatedRuleFiresAsItsAuthorMeant(t *testing.T) {
	var fired, translated, events, narrow, skipped int
	rapid.Check(t, func(t *rapid.T) {
		f := &forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")]
		src := drawRule(t, f)
		got, skip := sigma.Translate(src)
		if skip != nil {
			skipped++
			return
		}
		translated++
		narrower := slices.ContainsFunc(got.Notes, func(n string) bool { return strings.HasPrefix(n, "narrower: ") })
		if narrower {
			narrow++
		}
		if len(got.Changes) == 0 && !narrower && got.Text != src {
			t.Fatalf("nothing is said to change, and the text does:\n%s\nbecomes\n%s", src, got.Text)
		}
		onlyKnownNames(t, got.Text)
		author, ours := readRule(t, src), readRule(t, got.Text)
		for range 20 {
			e := drawEvent(t, f)
			held, has := f.harfanglab(e)
			was, is := author.fires(e), has && ours.fires(held)
			events++
			if was {
				fired++
			}
			if is && !was || was && !is && has && !narrower {
				t.Fatalf("on %v, in HarfangLab %v: the author's fires %t, ours %t, %q\n%s\nbecomes\n%s", e, held, was, is, got.Notes, src, got.Text)
			}
			if f.to == "registry_event" {
				for _, typ := range []string{"ReadValue", "SaveKey"} {
					if held.fields["EventType"] = typ; ours.fires(held) {
						t.Fatalf("fires on %s, which the public form does not have\n%s\nbecomes\n%s", typ, src, got.Text)
					}
				}
			}
		}
	})
	t.Logf("%d rules translated (%d narrower), %d skipped; %d events, %d of them fired", translated, narrow, skipped, events, fired)
}

// reasonOf is the reason of a skip, "" for none.
func reasonOf(s *reconcile.Skip) reconcile.Reason {
	if s == nil {
		return ""
	}
	return s.Reason
}
