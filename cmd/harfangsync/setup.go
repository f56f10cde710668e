package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/httpclient"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/promotion"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/pattern"
	"github.com/harfangsync/harfangsync/sources/stix"

	"github.com/google/uuid"
)

// target is both platforms as one command works with them.
type target struct {
	cfg              *config.Config
	octi             *opencti.Client
	hl               *harfanglab.Client
	job              *run.Job
	version          string     // HarfangLab's
	asOf             *time.Time // the moment at which validity dates are judged, nil for now
	ident            opencti.Ident
	source           *opencti.Source
	settings         string
	octiHTTP, hlHTTP *httpclient.Client
	started          time.Time
	snap             *snapshot.File      // read in place of OpenCTI; nil for none
	optional         bool                // a command can do without OpenCTI
	tellsState       bool                // a command is about what is in the state
	away             error               // why OpenCTI is not asked, nil when it is
	waits            string              // what gates held of the last plan of a tail that was told
	unblocked        []reconcile.Unblock // what was unblocked then
	importsOnly      bool                // the command writes to no list
	endless          bool                // the command follows the stream until it is interrupted
	keeps            bool                // what is read is kept, for other settings to come
	origins          bool                // the output groups by author and label
	unfiltered       bool                // the stream has no filters
	held             *state.Lock         // in OpenCTI; nil for none
	leases           *state.Keeper       // keeps the lock; nil where it is not kept in OpenCTI
}

// sources is where this program's settings come from.
func (p *program) sources(needs ...config.Need) config.Sources {
	path := p.configPath
	if p.noConfig {
		path = os.DevNull
	}
	return config.Sources{Path: path, Env: p.env, Flags: p.flags, Needs: needs}
}

// load reads the settings and sets up logging.
func (p *program) load(needs ...config.Need) (*config.Config, error) {
	cfg, err := config.Load(p.sources(needs...))
	if err != nil {
		read, _ := config.Inspect(p.sources(needs...))
		for _, w := range read.Warnings { // a name with a slip in it may be why another is not set
			p.log.Warn(w)
		}
		return nil, err
	}
	if err := p.setLog(cfg.Connector.LogLevel); err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		p.log.Warn(w)
	}
	return cfg, nil
}

// on reads the settings, reaches both platforms and works on them, all of it within sync.deadline.
// readOnly makes the HTTP layer refuse every write (gate G12); a command that writes holds the lock, unless it asks
// first, and tells what became of it.
func (p *program) on(ctx context.Context, s *shaping, readOnly bool, work func(context.Context, *target) error) error {
	p.reporter = &reporter{p: p, command: s.command, began: time.Now(), beside: s.beside, ends: s.command != "" && !s.endless && !s.beside}
	cfg, err := p.load(s.required()...)
	if err != nil {
		return err
	}
	if !readOnly {
		p.stdout.works()
	}
	if s.alone {
		cfg.Sync.State, cfg.Sync.Lock = config.Nowhere, config.Nowhere
	}
	p.reporter.cfg = cfg
	if s.command != "" {
		ctx = p.reporter.observe(ctx, s.endless)
	}
	if err := p.listen(cfg, s.period(cfg)); err != nil {
		return err
	}
	limit := cfg.Sync.Deadline
	if s.endless {
		limit = 0
	}
	err = within(ctx, limit, func(ctx context.Context) error {
		t, err := p.open(ctx, cfg, s, readOnly)
		if t != nil {
			defer t.close()
		}
		switch {
		case err != nil:
			return err
		case readOnly || s.asks:
			return work(ctx, t)
		}
		return p.locked(ctx, t, work)
	})
	if !readOnly {
		p.reporter.tell(context.WithoutCancel(ctx), err)
	}
	p.reporter.unobserve(context.WithoutCancel(ctx), p.code(err))
	return err
}

// close lets go of what a command worked with.
func (t *target) close() {
	if t.snap != nil {
		t.snap.Close()
	}
	for _, c := range []*httpclient.Client{t.octiHTTP, t.hlHTTP} {
		if c != nil {
			c.CloseIdleConnections()
		}
	}
}

// open reaches both platforms and prepares a job.
func (p *program) open(ctx context.Context, cfg *config.Config, s *shaping, readOnly bool) (*target, error) {
	kinds, err := s.kinds()
	if err != nil {
		return nil, err
	}
	t := &target{cfg: cfg, settings: config.SettingsDigest(cfg), started: time.Now().UTC(), importsOnly: s.importsOnly, endless: s.endless, keeps: s.alone, origins: s.origins}
	// Mistakes of the user come first: nothing is asked of the platforms before these are known.
	if s.takeOver != "" && uuid.Validate(s.takeOver) != nil {
		return nil, exit.Usagef("--take-over: %q is no UUID; it names the connector.id of another instance", s.takeOver)
	}
	if s.asOf != "" {
		at, err := config.ParseTime(s.asOf, t.started)
		if err != nil {
			return nil, exit.Usagef("--as-of: %v", err)
		}
		t.asOf = &at
	}
	if s.check != nil {
		if err := s.check(t); err != nil {
			return nil, err
		}
	}
	switch {
	case s.from != "":
		if err := t.openSnapshot(s.from); err != nil {
			return t, err
		}
	case s.fromSnapshot():
		t.doWithout(s.saved.Source.URL)
	}
	t.connect(p, readOnly)
	if err := t.identify(ctx, p); err != nil {
		return t, err
	}
	if !s.alone && !s.importsOnly {
		if t.version, err = t.hl.Version(ctx); err != nil {
			return t, err
		}
	}
	return t, t.prepare(ctx, p, s, kinds, readOnly)
}

func (t *target) connect(p *program, readOnly bool) {
	cfg := t.cfg
	common := httpclient.Options{Parallelism: cfg.Sync.Parallelism, RateLimit: cfg.Sync.RateLimit, Timeout: cfg.Sync.RequestTimeout, ReadOnly: readOnly, Tracer: p.reporter.collector.Tracer(), Log: p.log, Version: version()}
	if p.retryWait != nil {
		common.MostGap = p.retryWait(0)
	}
	octi, hl := common, common
	octi.Platform, octi.TLS, octi.Headers = httpclient.GraphQL, cfg.OpenCTI.TLS.Client(), cfg.OpenCTI.Headers()
	hl.Platform, hl.TLS, hl.MayWrite = httpclient.REST, cfg.HarfangLab.TLS.Client(), t.mayWrite
	t.octiHTTP, t.hlHTTP = httpclient.New(octi), httpclient.New(hl)
	t.octi = opencti.New(opencti.Options{URL: cfg.OpenCTI.URL, Token: cfg.OpenCTI.Token, Hidden: cfg.OpenCTI.Hidden(), HTTP: t.octiHTTP.Client, PageSize: cfg.Sync.PageSize, Log: p.log, Retry: remote.Retry{Backoff: p.retryWait}, Without: t.without(), Began: t.started, Every: cfg.Sync.RunEvery, Endless: t.endless})
	p.reporter.reaches(t)
	t.hl = harfanglab.New(harfanglab.Options{URL: cfg.HarfangLab.URL, Token: cfg.HarfangLab.Token, Login: cfg.HarfangLab.Login, Password: cfg.HarfangLab.Password, HTTP: t.hlHTTP.Client, PageSize: cfg.Sync.PageSize, Log: p.log, Retry: remote.Retry{Backoff: p.retryWait}})
}

// prepare makes the job: what is wanted, what it means, and what may be done about it.
func (t *target) prepare(ctx context.Context, p *program, s *shaping, kinds []reconcile.Kind, readOnly bool) error {
	cfg := t.cfg
	stream, own, err := t.stream(ctx, p, false)
	if err != nil {
		return err
	}
	selection := cfg.Sync.Selection(own, kinds...)
	t.source = &opencti.Source{Client: t.octi, Filter: stream, Selection: &selection, AsOf: t.asOf, Observables: cfg.Sync.Observables()}
	t.job = &run.Job{
		Source:  t.source,
		Sink:    t.hl,
		Meaning: meaning(patternOptions(&cfg.Sync), &cfg.Sync),
		Canon:   canonical,
		Excluded: func(typ, value string) bool {
			_, hit := cfg.Sync.Excluded.Match(reconcile.Value{Type: typ, Value: value})
			return hit
		},
		Unblocks:  exclude.Unblocked,
		Selection: selection,
		Policy: reconcile.Policy{
			Own:  reconcile.Identity{Instance: cfg.Connector.ID, TakeOver: s.takeOver, AdoptNames: cfg.Sync.AdoptNames},
			List: cfg.HarfangLab.ListName, Base: cfg.OpenCTI.URL, Remove: cfg.HarfangLab.RemoveIndicator,
			Maturity: cfg.HarfangLab.Maturity, Revert: cfg.Sync.AnalystDisable == config.Revert,
			Unmanaged: cfg.Sync.Unmanaged, Mode: cfg.Sync.Policy, Kinds: kinds,
			Meaning: meaningDigest(&cfg.Sync), Mapping: cfg.Sync.Mapping, Values: cfg.Sync.Limits.Values, Promote: cfg.Sync.Promote,
		},
		Limits:    cfg.Sync.GateLimits(),
		Overrides: s.accepted,
		Filter:    filterDigest(stream.Digest(), &selection),
		OwnFilter: stream == nil,
		Parallel:  cfg.Sync.Parallelism,
		Log:       p.log,
		Progress:  p.progress(),
		Markings:  slices.Sorted(slices.Values(t.ident.MarkingNames())),
	}
	if cfg.Sync.Observables() {
		t.job.MayGive = func(ind *reconcile.Indicator, typ string) bool {
			return strings.EqualFold(ind.PatternType, "stix") && pattern.MayGive(ind.Pattern, typ)
		}
	}
	if t.away == nil {
		t.job.AskMarkings = t.markings
	}
	if cfg.Sync.Promote.After > 0 {
		counter := &promotion.Counter{Alerts: t.hl, Fired: (&stix.Maker{}).Fired, Every: cfg.Sync.Promote.MinAlerts > 0}
		t.job.Count = counter.Count
	}
	if im := &cfg.Sync.Impact; im.Report && slices.Contains(t.job.Policy.Included(), reconcile.IOC) {
		t.job.Impact = impact.New(t.hl, impact.Options{
			Days: im.Days, Budget: im.Budget, Limit: cfg.Sync.Limits.Impact, Names: im.Names, Host: pattern.Host, Retry: remote.Retry{Backoff: p.retryWait}, Log: p.log,
		})
	}
	if t.snap != nil {
		if err := t.planFrom(t.now()); err != nil {
			return err
		}
	}
	t.job.Keeper, err = t.keeper(ctx, p, readOnly, !readOnly && !s.asks)
	return err
}

func (t *target) now() time.Time {
	if t.asOf != nil {
		return *t.asOf
	}
	return t.started
}
