package render_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const us = "11111111-1111-4111-8111-111111111111"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func policy() reconcile.Policy {
	return reconcile.Policy{Own: reconcile.Identity{Instance: us}, List: "from_OpenCTI", Base: "https://cti.example", Maturity: "stable", Mode: reconcile.SyncMode}
}

func ind(id, typ, pattern string) reconcile.Indicator {
	score := 70
	return reconcile.Indicator{ID: id, StandardID: "indicator--" + id, Name: "name of " + id, Description: "about " + id, Pattern: pattern, PatternType: typ, Score: &score, CreatedAt: noon}
}

// made is a plan from OpenCTI's side and the rows of the lists.
func made(t testing.TB, p reconcile.Policy, evidence map[string]reconcile.Finding, rows []reconcile.Row, inds ...reconcile.Indicator) *reconcile.Plan {
	t.Helper()
	w, r := reconcile.NewWanted(), reconcile.NewRows(p.Own, func(_, v string) string { return v })
	for i := range inds {
		var values []reconcile.Value
		var skips []reconcile.Skip
		if inds[i].PatternType == "stix" {
			for v := range strings.SplitSeq(inds[i].Pattern, "; ") {
				typ, value, _ := strings.Cut(v, " ")
				if typ == "skip" {
					skips = append(skips, reconcile.Skip{Reason: reconcile.Reason(value), Detail: "a branch of its pattern"})
				} else {
					values = append(values, reconcile.Value{Type: typ, Value: value})
				}
			}
		}
		w.Add(&inds[i], reconcile.Given{Values: values, Skips: skips})
	}
	for i := range rows {
		r.Add(&rows[i])
	}
	if err := errors.Join(w.Seal(), r.Seal(w)); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Compute(r, w, p, reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	g3 := plan.Explain(reconcile.Evidence{Started: noon, Found: evidence}, p)
	plan.Judge(reconcile.Gate{ID: "G1", Name: "complete", OK: true, Message: "read to the end"}, g3, reconcile.Memory{}, "f", p, reconcile.Limits{SourceShrink: 20, Additions: 1000, Changes: 200, Failures: 10}, reconcile.Overrides{})
	return plan
}

// rowsOf is what a complete apply leaves, by the first owner's id.
func rowsOf(t testing.TB, inds ...reconcile.Indicator) []reconcile.Row {
	t.Helper()
	var rows []reconcile.Row
	plan := made(t, policy(), nil, nil, inds...)
	for i := range plan.Changes.Len() {
		row := plan.Changes.At(i).Row()
		row.ID = fmt.Sprintf("row-%02d", i)
		rows = append(rows, row)
	}
	return rows
}

func document(plan *reconcile.Plan, lists ...planfile.List) *planfile.Document {
	if len(lists) == 0 {
		id := "5b0c2f0e-6f0b-4a53-9c77-0d3a3f6e1a11"
		lists = []planfile.List{{Kind: reconcile.IOC, ID: &id, Name: "from_OpenCTI"}}
	}
	return planfile.New(plan, planfile.Document{ToolVersion: "v0.0.0-test", Timestamp: noon, Complete: true, Applyable: !plan.Refused(),
		Source: planfile.Source{URL: "https://cti.example", FilterDigest: "f", Count: plan.Indicators, Digest: plan.WantedDigest},
		Target: planfile.Target{URL: "https://edr.example:8443", Version: "9.11.0", Lists: lists}, Policy: "sync", SettingsDigest: "s"})
}

const sigmaRule = `id: aaaaaaaa-0000-4000-8000-00000000000a
title: Encoded command
logsource:
  product: windows
  category: process_creation
detection:
  sel:
    Image|endswith: '\powershell.exe'
    CommandLine|contains: %s
  condition: sel
level: high
`

func cases(t *testing.T) map[string]*planfile.Document {
	many := []reconcile.Indicator{ind("sig", "sigma", fmt.Sprintf(sigmaRule, "-enc")), ind("yar", "yara", "rule r { condition: true }")}
	for i := range 30 {
		many = append(many, ind(fmt.Sprintf("i%02d", i), "stix", fmt.Sprintf("domain_name host-%02d.campaign.example", i)))
	}
	many = append(many, ind("mixed", "stix", "url http://h.example/a; ip_both 192.0.2.1; skip pattern_and; skip too_broad"))
	c2, other := ind("c2", "stix", "domain_name c2.example"), ind("other", "stix", "domain_name c2.example")
	sig := ind("sig", "sigma", fmt.Sprintf(sigmaRule, "-enc"))
	newSig := ind("sig", "sigma", fmt.Sprintf(sigmaRule, "['-enc ', '-e ']"))
	current := append(rowsOf(t, c2, sig, ind("gone", "stix", "hash 0cc175b9c0f1b6a831c399e269772661"), ind("old", "stix", "ip_both 192.0.2.9"), ind("pin", "stix", "domain_name pinned.example")),
		reconcile.Row{Kind: reconcile.IOC, ID: "row-old", Type: "url", Value: "http://old.example/x", Description: "old words", Comment: `{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "indicator_score": 40, "indicator_platforms": []}`, Enabled: true, HLStatus: "experimental"},
		reconcile.Row{Kind: reconcile.IOC, ID: "row-stray", Type: "hash", Value: "900150983cd24fb0d6963f7d28e17f72", Enabled: true, HLStatus: "stable"})
	for i := range current {
		if current[i].Value == "pinned.example" {
			current[i].Enabled = false
		}
	}
	revoked := ind("old", "stix", "ip_both 192.0.2.9")
	adopted := ind("adopted", "stix", "url http://old.example/x")
	adopted.StandardID = "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11"
	changed := []reconcile.Indicator{c2, other, newSig, ind("pin", "stix", "domain_name pinned.example"), adopted}
	for i := range changed {
		if changed[i].ID == "c2" {
			changed[i].Description = "about c2, seen again"
		}
	}
	var shrunk []reconcile.Indicator
	for i := range 40 {
		shrunk = append(shrunk, ind(fmt.Sprintf("i%02d", i), "stix", fmt.Sprintf("domain_name host-%02d.campaign.example", i)))
	}
	hostile := ind("evil", "stix", "url http://x.example/|`<script>alert(1)</script>`@admin#1")
	hostile.Name = "![x](http://t.example/p.png) \u202egnp.exe\x1b[2J @everyone | a\nb"
	hostile.Description = "<img src=x>"
	deletes := policy()
	deletes.Remove = true
	return map[string]*planfile.Document{
		"first-load": document(made(t, policy(), nil, nil, many...), planfile.List{Kind: reconcile.IOC, Name: "from_OpenCTI"}, planfile.List{Kind: reconcile.Sigma, Name: "from_OpenCTI"}, planfile.List{Kind: reconcile.YARA, Name: "from_OpenCTI"}),
		"changes":    document(made(t, policy(), map[string]reconcile.Finding{"old": {Indicator: revoked, Judged: reconcile.Revoked}}, current, changed...)),
		"refused":    document(made(t, deletes, nil, rowsOf(t, shrunk...), shrunk[:20]...)),
		"in-sync":    document(made(t, policy(), nil, rowsOf(t, many...), many...)),
		"hostile":    document(made(t, policy(), nil, nil, hostile)),
		"felt":       document(feltPlan(t, many...)),
	}
}

// feltPlan is a plan whose impact was asked for.
func feltPlan(t testing.TB, inds ...reconcile.Indicator) *reconcile.Plan {
	plan := made(t, policy(), nil, nil, inds...)
	ago := func(d time.Duration) *time.Time { return new(noon.Add(-d)) }
	names := []string{"WKS-042", "SRV-007", "WKS-001", "WKS-002", "ta|x"}
	impacts := []*reconcile.Impact{
		{Status: reconcile.ImpactExact, Endpoints: 42, Events: 1042, LastSeen: ago(2 * time.Hour), Names: names},
		{Status: reconcile.ImpactExact},
		{Status: reconcile.ImpactAtLeast, Endpoints: 1100, Events: 12000, LastSeen: ago(time.Second), Names: names, Why: "more were not counted"},
		{Status: reconcile.ImpactExact, Endpoints: 1, Events: 3, LastSeen: ago(90 * time.Hour), Names: names[:1]},
		{Status: reconcile.ImpactAtLeast, Why: "2 of 3 policies send all DNS resolutions"},
		{Status: reconcile.ImpactUnknown, Why: "telemetry cannot be asked for a value with a comma"},
		{Status: reconcile.ImpactUnsupported, Why: "this manager does not have it"},
		{Status: reconcile.ImpactUnknown, Endpoints: 900, Events: 9000, LastSeen: ago(30 * time.Minute), Why: "that is its host: telemetry does not tell URLs"},
		{Status: reconcile.ImpactNotAsked, Why: "the budget of 500 requests is spent (sync.impact_budget)"},
	}
	n := 0
	for i := range plan.Changes.Len() {
		ch := plan.Changes.At(i)
		if ch.Kind != reconcile.IOC {
			continue
		}
		ch.Impact = impacts[min(n, len(impacts)-1)]
		if ch.Type == "ip_both" {
			ch.Impact = &reconcile.Impact{Status: reconcile.ImpactExact, Own: true, Why: "it is the address of WKS-042"}
		}
		plan.Changes.Set(i, ch)
		n++
	}
	plan.Promotion = &reconcile.Promotion{Promoted: 3, Waiting: []reconcile.Waiting{{For: "unchanged for 336h", Rules: 1200, Some: []string{"domain_name a.example: since 2026-02-16"}}, {For: "at most 0 false positives", Rules: 1, Some: []string{"sigma s: 1 of 3 alerts"}}}}
	plan.Estimate = &reconcile.Estimate{Days: 7, Endpoints: 1300, Asked: 9, NotAsked: n - 9, Requests: 500, Budget: 500, Notes: []string{"the budget of 500 requests is spent (sync.impact_budget)", "not counted: libraries"}}
	plan.Judge(reconcile.Gate{ID: "G1", Name: "complete", OK: true, Message: "read to the end"}, reconcile.Gate{ID: "G3", Name: "absence", OK: true}, reconcile.Memory{}, "f", policy(),
		reconcile.Limits{SourceShrink: 20, Additions: 1000, Changes: 200, Impact: 1, Failures: 10, Hold: true}, reconcile.Overrides{})
	return plan
}

var fixed = regexp.MustCompile(`(?s)(<style>).*(</style>)|(<script>).*(</script>)|(sha256-)(?:[0-9A-Za-z/=]|&#43;)*()`)

// body is a page without what is the same on every page: its style, its script and their digests.
func body(b *bytes.Buffer, d *planfile.Document) error {
	var page bytes.Buffer
	if err := render.HTML(&page, d, render.Options{}); err != nil {
		return err
	}
	b.Write(fixed.ReplaceAll(page.Bytes(), []byte("$1$3$5$2$4$6")))
	return nil
}

func TestGolden(t *testing.T) {
	for name, d := range cases(t) {
		for ext, write := range map[string]func(*bytes.Buffer) error{
			"txt":  func(b *bytes.Buffer) error { return render.Text(b, d, render.Options{}) },
			"json": func(b *bytes.Buffer) error { return render.JSON(b, d) },
			"md":   func(b *bytes.Buffer) error { return render.Markdown(b, d, render.Options{}) },
			"html": func(b *bytes.Buffer) error { return body(b, d) },
		} {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("..", "..", "testdata", "plan", name, "want."+ext)
			if *update {
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, got.Bytes(), 0o644)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		}
	}
}
