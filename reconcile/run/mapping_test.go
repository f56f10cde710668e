package run_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

// TestAMappingAgainstManagers holds that a mapping is written where it is known, and never twice where it is not.
func TestAMappingAgainstManagers(t *testing.T) {
	enabled := func(r *reconcile.Row, sent reconcile.Patch) {
		if sent.Enabled != nil {
			r.Enabled = *sent.Enabled
		}
	}
	refusing := func(r *reconcile.Row, sent reconcile.Patch) error {
		var fields []string
		for name, f := range map[string]*string{"rule_confidence_override": sent.Confidence, "global_state": sent.State} {
			if f != nil && *f != "" {
				fields = append(fields, name)
			}
		}
		if len(fields) > 0 {
			return &fault{reconcile.Fault{Verdict: true, Words: "unknown", Fields: fields}}
		}
		enabled(r, sent)
		if sent.Level != nil {
			r.Level = *sent.Level
		}
		return nil
	}
	for _, tt := range []struct {
		name string
		take func(*reconcile.Row, reconcile.Patch) error
		held string // state, level, confidence of the rules afterwards
		warn string // of what the server did not take
	}{
		{name: "one that knows all fields", held: "block high strong"},
		{name: "an old one, which ignores what it does not know and makes rules that are enabled", take: func(r *reconcile.Row, sent reconcile.Patch) error {
			r.Enabled = r.Enabled || r.ID == ""
			enabled(r, sent)
			return nil
		}, held: "  ", warn: "global_state"},
		{name: "an old one that makes rules that are not", take: func(r *reconcile.Row, sent reconcile.Patch) error { enabled(r, sent); return nil }, held: "  ", warn: "rule_level_override"},
		{name: "one that refuses what it does not know", take: refusing, held: " high ", warn: "rule_confidence_override"},
		{name: "one without blocking", take: func(r *reconcile.Row, sent reconcile.Patch) error {
			if sent.State != nil {
				r.State, r.Enabled = "alert", true
			}
			if enabled(r, sent); !r.Enabled {
				r.State = "disabled"
			}
			if sent.Level != nil && *sent.Level != "" {
				r.Level, r.Confidence = *sent.Level, *sent.Confidence
			}
			return nil
		}, held: "alert high strong", warn: "held=alert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), sigma("s", ruleA), yara("y")}}, newSink()
			snk.take = tt.take
			j := job(t, src, snk)
			j.Log = slog.New(slog.NewTextHandler(&log, nil))
			j.Policy.Mapping = reconcile.Mapping{{Mapped: reconcile.Mapped{Level: "high", Confidence: "strong", State: "block"}}}
			syncAll(t, j)
			for _, r := range snk.rows {
				if got := r.State + " " + r.Level + " " + r.Confidence; !r.Enabled || got != tt.held {
					t.Errorf("%s row: enabled %t, %q, want %q", r.Kind, r.Enabled, got, tt.held)
				}
			}
			if n := strings.Count(log.String(), "something else than the mapping asks for"); (n > 0) != (tt.warn != "") || !strings.Contains(log.String(), tt.warn) || strings.Count(log.String(), "rules=3") != n {
				t.Errorf("the log says\n%s\nwant one line a field, about %q", log.String(), tt.warn)
			}
			for _, what := range []string{"after it", "after a text changed", "after it came back"} {
				snk.log = nil
				if p := plan(t, j); p.Plan.Changes.Len() > 0 {
					t.Fatalf("%s: %q", what, changes(p))
				}
				switch what {
				case "after it":
					src.read[0].Description = "other words"
					syncAll(t, j)
				case "after a text changed":
					now := src.read
					src.known = map[string]reconcile.Indicator{"a": revoked(now[0])}
					src.read = now[1:]
					j.Overrides.AllowEmpty, j.Limits.SourceShrink = true, 100
					syncAll(t, j)
					if i := slices.IndexFunc(snk.rows, func(r reconcile.Row) bool { return r.Kind == reconcile.IOC }); snk.rows[i].Enabled {
						t.Fatalf("disabled as %+v", snk.rows[i])
					}
					src.read, src.known = now, nil
					syncAll(t, j)
				}
			}
			for _, r := range snk.rows {
				if got := r.State + " " + r.Level + " " + r.Confidence; !r.Enabled || got != tt.held {
					t.Errorf("in the end: %s row: enabled %t, %q, want %q", r.Kind, r.Enabled, got, tt.held)
				}
			}
		})
	}
}

// What is sent of a state and of the flag is one of the two.
func TestAStateIsSentAlone(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
	var sent []string
	snk.take = func(r *reconcile.Row, p reconcile.Patch) error {
		words := ""
		if p.Enabled != nil {
			words += map[bool]string{true: "enabled ", false: "not enabled "}[*p.Enabled]
			r.Enabled, r.State = *p.Enabled, map[bool]string{true: "alert", false: "disabled"}[*p.Enabled]
		}
		if p.State != nil && *p.State != "" {
			words += *p.State
			r.State, r.Enabled = *p.State, true
		}
		sent = append(sent, words)
		return nil
	}
	j := job(t, src, snk)
	j.Overrides.AllowEmpty = true
	step := func(m reconcile.Mapping, wanted bool) {
		j.Policy.Mapping = m
		a := ind("a", "domain_name x.example")
		src.read, src.known = []reconcile.Indicator{a}, nil
		if !wanted {
			src.read, src.known = nil, map[string]reconcile.Indicator{"a": revoked(a)}
		}
		syncAll(t, j)
	}
	block := reconcile.Mapping{{Mapped: reconcile.Mapped{State: "block"}}}
	step(nil, true)    // a create without a mapping
	step(block, true)  // an update by it
	step(block, false) // a disable
	step(block, true)  // and back
	step(nil, true)    // nothing: the state stays
	want := []string{"enabled ", "block", "not enabled ", "block"}
	if d := cmp.Diff(want, sent); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
	if snk.rows[0].State != "block" {
		t.Errorf("in the end the rule is %+v", snk.rows[0])
	}
}

// The last good run's mapping tells a change of ours from one of the indicator's.
func TestWhoChangedTheMapping(t *testing.T) {
	score := func(n int) reconcile.Indicator {
		i := ind("a", "domain_name x.example")
		i.Score = &n
		return i
	}
	levels := reconcile.Mapping{{MinScore: new(80), Mapped: reconcile.Mapped{Level: "critical"}}, {Mapped: reconcile.Mapped{Level: "low"}}}
	src, snk := &source{read: []reconcile.Indicator{score(50)}}, newSink()
	j := job(t, src, snk)
	syncAll(t, j)
	for _, tt := range []struct {
		what    string
		mapping reconcile.Mapping
		score   int
		want    reconcile.Cause
	}{
		{"a mapping", levels, 50, reconcile.MappingChanged},
		{"a score", levels, 90, reconcile.SourceChanged},
		{"another mapping", levels[1:], 90, reconcile.MappingChanged},
	} {
		j.Policy.Mapping, src.read = tt.mapping, []reconcile.Indicator{score(tt.score)}
		p := plan(t, j)
		if p.Plan.Changes.Len() != 1 || p.Plan.Changes.At(0).Cause != tt.want {
			t.Errorf("%s: %q, cause %s, want %s", tt.what, changes(p), p.Plan.Changes.At(0).Cause, tt.want)
		}
		apply(t, j, p, true)
	}
	snk.rows[0].Level = "high"
	if p := plan(t, j); p.Plan.Changes.Len() != 1 || p.Plan.Changes.At(0).Cause != reconcile.Drifted {
		t.Errorf("an edit in the console: %q", changes(p))
	}
}
