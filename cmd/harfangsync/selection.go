package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile"
	"harfangsync/sources/exclude"
	"harfangsync/sources/opencti"
	"harfangsync/sources/pattern"
)

// stream adopts the filters of the configured stream, or says that there are none. needDetection is
// our own demand on the detection flag. quietly leaves out warnings that were given before.
func (t *target) stream(ctx context.Context, p *program, quietly bool) (filter *opencti.FilterGroup, needDetection bool, err error) {
	if t.away != nil { // the filters were those of the snapshot's read
		return nil, t.snap != nil && t.needDetection(t.snap.Header.Source.OwnFilter), nil
	}
	builtIn := t.needDetection(true)
	if t.cfg.Connector.LiveStreamID == "" {
		return nil, builtIn, nil
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
	if !c.Live && !quietly {
		p.log.Warn("the stream is stopped; its filters are used all the same", "stream", c.Name)
	}
	if c.Filters == nil && !quietly {
		p.log.Warn("the stream has no filters; the built-in filter is used: not revoked, valid now, flagged for detection", "stream", c.Name)
	}
	if c.Filters == nil {
		return nil, builtIn, nil
	}
	return c.Filters, t.needDetection(false), nil
}

// needDetection is our own demand on the detection flag beside a stream's filters, or without any.
func (t *target) needDetection(ownFilter bool) bool {
	return t.cfg.Sync.Detection == config.DetectionRequired || ownFilter && t.cfg.Sync.Detection != config.DetectionAny
}

// serverFilter is what OpenCTI can evaluate of our own selection. Nulls pass as they do here.
func serverFilter(s *reconcile.Selection, now time.Time) *opencti.FilterGroup {
	kinds := s.Kinds
	if len(kinds) == 0 {
		kinds = reconcile.Kinds
	}
	var types []string
	for _, k := range kinds {
		types = append(types, map[reconcile.Kind]string{reconcile.IOC: "stix", reconcile.Sigma: "sigma", reconcile.YARA: "yara"}[k])
	}
	at := now.Format("2006-01-02T15:04:05.000Z")
	parts := []*opencti.FilterGroup{
		opencti.Group(opencti.Eq("pattern_type", types...), opencti.Eq("revoked", "false")),
		opencti.OrNil("valid_from", "lte", at),
		opencti.OrNil("valid_until", "gt", at),
	}
	if s.NeedDetection {
		parts = append(parts, opencti.Group(opencti.Eq("x_opencti_detection", "true")))
	}
	if s.MinScore != nil {
		parts = append(parts, opencti.Group(opencti.Filter{Key: []string{"x_opencti_score"}, Values: []string{fmt.Sprint(*s.MinScore)}, Operator: "gte", Mode: "or"}))
	}
	return opencti.And(parts...)
}

// filterDigest covers the stream's filters and our selection, but no moment and no choice of kinds.
func filterDigest(stream *opencti.FilterGroup, s *reconcile.Selection) string {
	return digestOver(stream.Digest(), s)
}

// digestOver is filterDigest where of the stream's filters only their digest is known.
func digestOver(stream string, s *reconcile.Selection) string {
	own := *s
	own.Kinds = nil
	b, err := json.Marshal(own)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	h := sha256.Sum256([]byte(stream + "\n" + string(b)))
	return hex.EncodeToString(h[:])
}

// meaningDigest covers what decides which values an indicator gives.
func meaningDigest(cfg *config.Config) string {
	s := &cfg.Sync
	h := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %q %q", s.ValuesFrom, s.Hashes, s.BuiltinExclusions, s.ExclusionsDigest, exclude.Builtin().Version()))
	return hex.EncodeToString(h[:8])
}

func exclusions(cfg *config.Config) (*exclude.List, error) {
	var lists []*exclude.List
	if cfg.Sync.BuiltinExclusions {
		lists = append(lists, exclude.Builtin())
	}
	var problems []error
	for _, path := range cfg.Sync.Exclusions {
		l, err := readExclusions(path)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		lists = append(lists, l)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, exit.Usagef("sync.exclusions: %v", err)
	}
	return exclude.Merge(lists...), nil
}

func readExclusions(path string) (*exclude.List, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return exclude.Parse(f, path)
}

func patternOptions(cfg *config.Config, excluded *exclude.List) pattern.Options {
	return pattern.Options{StrongestHash: cfg.Sync.Hashes == "strongest", Observables: cfg.Sync.ValuesFrom != "pattern", Excluded: excluded.Match}
}

// meaning turns a STIX indicator into values and skips.
func meaning(cfg *config.Config, excluded *exclude.List) func(*reconcile.Indicator) ([]reconcile.Value, []reconcile.Skip) {
	opts := patternOptions(cfg, excluded)
	return func(ind *reconcile.Indicator) ([]reconcile.Value, []reconcile.Skip) {
		r := pattern.Deploy(ind.Pattern, ind.Observables, opts)
		values := make([]reconcile.Value, len(r.Values))
		for i, v := range r.Values {
			values[i] = reconcile.Value(v)
		}
		skips := make([]reconcile.Skip, len(r.Skipped))
		for i, s := range r.Skipped {
			skips[i] = reconcile.Skip{Indicator: ind.ID, Reason: s.Reason, Detail: s.Detail}
		}
		return values, skips
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
