package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/pattern"
	"github.com/harfangsync/harfangsync/sources/sigma"
)

// stream adopts the filters of the configured stream. ownFilter says that there are none and the built-in
// filter is used. quietly leaves out warnings that were given before.
func (t *target) stream(ctx context.Context, p *program, quietly bool) (filter *opencti.FilterGroup, ownFilter bool, err error) {
	if t.away != nil { // the filters were those of the snapshot's read
		return nil, t.snap != nil && t.snap.Header.Source.OwnFilter, nil
	}
	if t.cfg.Connector.LiveStreamID == "" {
		return nil, true, nil
	}
	c, err := t.octi.Stream(ctx, t.cfg.Connector.LiveStreamID)
	if errors.Is(err, opencti.ErrUnknownStream) {
		return nil, false, exit.Usagef("connector.live_stream_id: OpenCTI knows no stream %s; create it under Data sharing, or leave the setting empty for the built-in filter", t.cfg.Connector.LiveStreamID)
	}
	if err != nil && t.leave(ctx, p, err) {
		return t.stream(ctx, p, quietly)
	}
	if err != nil {
		return nil, false, err
	}
	t.unfiltered = c.Unfiltered
	if !c.Live && !quietly {
		p.log.Warn("the stream is stopped; its filters are used all the same", "stream", c.Name)
	}
	if c.Filters == nil && !quietly {
		p.log.Warn("the stream has no filters; the built-in filter is used: not revoked, valid now, flagged for detection", "stream", c.Name)
	}
	return c.Filters, c.Filters == nil, nil
}

// filterDigest covers the stream's filters, by their own digest, and our selection, but no moment and no
// choice of kinds.
func filterDigest(stream string, s *reconcile.Selection) string {
	own := *s
	own.Kinds = nil
	b, err := json.Marshal(own)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	h := sha256.Sum256([]byte(stream + "\n" + string(b)))
	return hex.EncodeToString(h[:])
}

// rulesOfMeaning counts how often the code that judges patterns and rules began to give less, or other, of the same text: what
// goes with an upgrade is then no evidence that its indicator gives it no more.
const rulesOfMeaning = 2

// meaningDigest covers what decides which values an indicator gives.
func meaningDigest(s *config.Sync) string {
	settings := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %q %q", s.ValuesFrom, s.Hashes, s.BuiltinExclusions, s.ExclusionsDigest, s.Sigma+s.Behaviour))
	version := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", exclude.Version(), sigma.Version(), rulesOfMeaning))
	return reconcile.MeaningOf(hex.EncodeToString(settings[:8]), hex.EncodeToString(version[:8]))
}

func patternOptions(s *config.Sync) pattern.Options {
	return pattern.Options{StrongestHash: s.Hashes == config.StrongestHash, Observables: s.Observables(), Excluded: s.Excluded.Match}
}

// meaning says what an indicator gives, by the settings.
func meaning(opts pattern.Options, s *config.Sync) func(*reconcile.Indicator) reconcile.Given {
	return func(ind *reconcile.Indicator) (g reconcile.Given) {
		switch strings.ToLower(ind.PatternType) {
		case "stix":
			r := pattern.Deploy(ind.Pattern, ind.Observables, opts)
			if g.Values, g.Skips, g.Excluded = r.Values, r.Skipped, r.Excluded; sayable(&g) {
				compile(&g, ind, opts, s.Behaviour)
			}
		case "sigma":
			rule, skip := sigma.Rule{Text: ind.Pattern}, sigma.Check(ind.Pattern)
			if skip == nil && s.Sigma == config.TranslateSigma {
				rule, skip = sigma.Translate(ind.Pattern)
			}
			if g.Text, g.Changes, g.Notes = rule.Text, rule.Changes, rule.Notes; skip != nil {
				g.Skips = []reconcile.Skip{*skip}
			}
		case "yara":
			if rule, hit := marker.MatchesEveryFile(ind.Pattern); hit {
				g.Skips = []reconcile.Skip{{Reason: reconcile.MatchesEverything, Detail: "the condition of " + rule + " is true of every file"}}
			}
			for _, m := range marker.Modules(ind.Pattern) {
				if !slices.Contains(s.YARAModules, strings.ToLower(m)) {
					g.Notes = append(g.Notes, "unsure: the manager may not know the module "+m+" (sync.yara_modules)")
				}
			}
		}
		return g
	}
}

// sayable says whether a pattern gives no value, and for no other reason than that a value cannot say it.
func sayable(g *reconcile.Given) bool {
	return len(g.Values) == 0 && len(g.Skips) > 0 && !slices.ContainsFunc(g.Skips, func(s reconcile.Skip) bool {
		return !slices.Contains([]reconcile.Reason{reconcile.PatternAnd, reconcile.PatternNegation, reconcile.PatternOperator, reconcile.UnsupportedType}, s.Reason)
	})
}

// compile makes Sigma rules of a pattern, or says that it could be done.
func compile(g *reconcile.Given, ind *reconcile.Indicator, opts pattern.Options, behaviour string) {
	if behaviour == config.SigmaBehaviour {
		if rules := sigma.Compile(ind, opts.Excluded); len(rules) > 0 {
			g.Compiled, g.Skips = rules, nil
		}
		return
	}
	if sigma.Compilable(ind, opts.Excluded) {
		for i := range g.Skips {
			g.Skips[i].Compilable = true
		}
	}
}

// canonical folds the spelling of a value that HarfangLab holds; what is not valid stays as it is.
func canonical(typ, value string) string {
	v, err := pattern.Canonical(typ, value)
	if err != nil {
		return value
	}
	return v
}

// without is what of an indicator neither the settings nor the output use.
func (t *target) without() opencti.Facts {
	if t.keeps {
		return opencti.Facts{}
	}
	return opencti.Facts{Labels: !t.origins && !t.cfg.Sync.UsesLabels(), Authors: !t.origins, Phases: t.cfg.Sync.Behaviour != config.SigmaBehaviour}
}
