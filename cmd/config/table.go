package config

import (
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// setting is one row of the table, and what Load finds out about it.
type setting struct {
	path   string   // in config.yml: harfanglab.url
	kind            // of the field that it is bound to
	former []string // paths of other names, beside those of the successor connectors
	def    string   // "" is none
	about  string
	flag   string   // without dashes; "" is none
	secret bool     // never shown, and never a flag
	file   bool     // may be given as NAME_FILE in the environment
	others []string // variables that are not ours and count where the setting is not given
	shapes bool     // is part of SettingsDigest
	need   Need     // what makes a placeholder matter; 0 is always
	unless func() bool
	must   bool // has no default and is required with need

	// check says what is wrong with a value that can be read: beside others, or in the file that it names.
	// It is left out while one of the settings in with has a problem.
	check func(*loader, *setting) error
	with  []string

	origin Origin
	given  []given // the names under which it is given, without the values
	sample *given  // a placeholder that was given
	broken bool    // has a problem, so that nothing is concluded from its value
}

// env is the variable of a path: harfanglab.url is HARFANGLAB_URL, sync.tail.quiet is
// HARFANGSYNC_TAIL_QUIET.
func env(path string) string {
	if rest, ours := strings.CutPrefix(path, "sync."); ours {
		path = "harfangsync." + rest
	}
	return strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// successors are the sections of the two connectors that followed the first. Every harfanglab setting
// may stand in each.
var successors = []string{"harfanglab_intel", "harfanglab_incidents"}

// The settings that others speak of.
const (
	hlToken         = "harfanglab.token"
	hlLogin         = "harfanglab.login"
	hlPassword      = "harfanglab.password"
	threatsAsCases  = "harfanglab.import_threats_as_case_incidents"
	importEvents    = "harfanglab.import_security_events_as_incidents"
	pushGateway     = "sync.metrics.pushgateway"
	gatewayLogin    = "sync.metrics.pushgateway_login"
	gatewayPassword = "sync.metrics.pushgateway_password"
	syncState       = "sync.state"
)

// The names that say more than the setting: the successor connector that had them always imported alerts.
const (
	importThreats = "harfanglab_incidents.import_threats"
	alertStatuses = "harfanglab_incidents.alert_statuses"
	alertTypes    = "harfanglab_incidents.alert_types"
)

// paths are the paths under which the setting may stand, the proper one first.
func (s *setting) paths() []string {
	paths := []string{s.path}
	if rest, ok := strings.CutPrefix(s.path, "harfanglab."); ok {
		for _, section := range successors {
			paths = append(paths, section+"."+rest)
		}
	}
	return append(paths, s.former...)
}

// flagName is the flag of a setting: a sync setting's path with dashes.
func (s *setting) flagName() string {
	if rest, ours := strings.CutPrefix(s.path, "sync."); ours {
		return strings.NewReplacer(".", "-", "_", "-").Replace(rest)
	}
	return s.flag
}

// settingsOf is the table, bound to the fields of a Config. A row is all that a setting is: its names, its
// texts, its default, its flag, its schema and what is checked are read from it.
func settingsOf(c *Config) []setting {
	importsOff := func() bool { return !c.HarfangLab.ImportEvents }
	hasToken := func() bool { return c.HarfangLab.Token.Set() }
	always := func() bool { return true }
	return []setting{
		{path: "opencti.url", kind: address(&c.OpenCTI.URL), need: NeedOpenCTI, must: true, shapes: true, check: encrypted,
			about: "Address of OpenCTI."},
		{path: "opencti.token", kind: token(&c.OpenCTI.Token, "Bearer", ""), need: NeedOpenCTI, must: true, secret: true, file: true,
			about: "API token of the account in OpenCTI."},
		{path: "opencti.ssl_verify", kind: boolean(&c.OpenCTI.SSLVerify), def: "true", need: NeedOpenCTI,
			about: "Whether OpenCTI's certificate is checked."},
		{path: "opencti.ca_bundle", kind: bundle(&c.OpenCTI.CABundle), others: caNames, need: NeedOpenCTI, check: authorities(&c.OpenCTI.TLS), with: []string{"opencti.ssl_verify"},
			about: "PEM file with authorities to trust beside the system's, or the PEM text itself. Without one `HTTPS_CA_CERTIFICATES` counts, then `REQUESTS_CA_BUNDLE`."},
		{path: "opencti.client_cert", kind: pemFile(&c.OpenCTI.ClientCert), need: NeedOpenCTI, check: showing(&c.OpenCTI.TLS, "opencti.client_key"), with: []string{"opencti.client_key"},
			about: "PEM file with the certificate that OpenCTI asks us for (mutual TLS)."},
		{path: "opencti.client_key", kind: pemFile(&c.OpenCTI.ClientKey), need: NeedOpenCTI, check: paired("opencti.client_cert", "certificate"), with: []string{"opencti.client_cert"},
			about: "PEM file with the key of that certificate."},
		{path: "opencti.custom_headers", kind: headers(&c.OpenCTI.CustomHeaders), need: NeedOpenCTI, secret: true, file: true,
			about: "Headers of every request to OpenCTI, for what stands in front of it."},

		{path: "connector.id", kind: identifier(&c.Connector.ID, ""), need: NeedInstance, must: true, shapes: true,
			about: "Names this instance in the markers of its rules; required by every command that reads the lists."},
		{path: "connector.name", kind: text(&c.Connector.Name), def: "HarfangLab", need: NeedHarfangLab, unless: importsOff,
			about: "Author of what is imported."},
		{path: "connector.scope", kind: text(&c.Connector.Scope), def: "harfanglab", unless: always,
			about: "Scopes that OpenCTI shows for the connector; without effect here."},
		{path: "connector.type", kind: word(&c.Connector.Type, "EXTERNAL_IMPORT", "STREAM"), def: "EXTERNAL_IMPORT", unless: always,
			about: "As what OpenCTI lists the connector; without effect here."},
		{path: "connector.auto", kind: boolean(&c.Connector.Auto), def: "false", unless: always,
			about: "What OpenCTI shows for the connector; without effect here."},
		{path: "connector.live_stream_id", kind: identifier(&c.Connector.LiveStreamID, "live"), need: NeedOpenCTI, shapes: true,
			about: "A live stream, whose filters are adopted and which `tail` follows; `live` or empty is the built-in filter."},
		{path: "connector.live_stream_listen_delete", kind: boolean(&c.Connector.ListenDelete), def: "true", check: deletesAreHeard,
			about: "Has to be true: what is gone in OpenCTI goes."},
		{path: "connector.live_stream_no_dependencies", kind: boolean(&c.Connector.NoDependencies), def: "false",
			about: "Makes no difference: observables are read by GraphQL."},
		{path: "connector.log_level", kind: level(&c.Connector.LogLevel), def: "info",
			about: "How much is logged."},

		{path: "harfanglab.url", kind: address(&c.HarfangLab.URL), check: encrypted, former: []string{"harfanglab_incidents.api_base_url"}, need: NeedHarfangLab, must: true,
			about: "Address of the HarfangLab manager."},
		{path: "harfanglab.ssl_verify", kind: boolean(&c.HarfangLab.SSLVerify), def: "true", need: NeedHarfangLab,
			about: "Whether the manager's certificate is checked, on every request."},
		{path: "harfanglab.ca_bundle", kind: bundle(&c.HarfangLab.CABundle), others: caNames, need: NeedHarfangLab, check: authorities(&c.HarfangLab.TLS), with: []string{"harfanglab.ssl_verify"},
			about: "PEM file with authorities to trust beside the system's, or the PEM text itself. Without one `HTTPS_CA_CERTIFICATES` counts, then `REQUESTS_CA_BUNDLE`."},
		{path: "harfanglab.client_cert", kind: pemFile(&c.HarfangLab.ClientCert), need: NeedHarfangLab, check: showing(&c.HarfangLab.TLS, "harfanglab.client_key"), with: []string{"harfanglab.client_key"},
			about: "PEM file with the certificate that the manager asks us for (mutual TLS)."},
		{path: "harfanglab.client_key", kind: pemFile(&c.HarfangLab.ClientKey), need: NeedHarfangLab, check: paired("harfanglab.client_cert", "certificate"), with: []string{"harfanglab.client_cert"},
			about: "PEM file with the key of that certificate."},
		{path: hlToken, kind: token(&c.HarfangLab.Token, "Token", "token_"), need: NeedHarfangLab, secret: true, file: true,
			about: "API token, with or without the word `Token`; wins over the login."},
		{path: hlLogin, kind: text(&c.HarfangLab.Login), need: NeedHarfangLab, unless: hasToken, file: true,
			about: "User for basic authentication when there is no token."},
		{path: hlPassword, kind: password(&c.HarfangLab.Password), need: NeedHarfangLab, unless: hasToken, secret: true, file: true,
			about: "Password of that user."},
		{path: "harfanglab.source_list_name", kind: text(&c.HarfangLab.ListName), def: "from_OpenCTI", need: NeedHarfangLab, flag: "source-list-name", shapes: true,
			about: "Name of the lists, one for each kind of rule; created if absent."},
		{path: "harfanglab.remove_indicator", kind: boolean(&c.HarfangLab.RemoveIndicator), def: "false", need: NeedHarfangLab, flag: "remove-indicator", shapes: true,
			about: "Whether a rule that is no longer wanted is deleted (true) or disabled (false)."},
		{path: "harfanglab.rule_maturity", kind: word(&c.HarfangLab.Maturity, reconcile.Maturities...), def: reconcile.Maturities[0], need: NeedHarfangLab, flag: "rule-maturity", shapes: true,
			about: "Status of new rules."},
		{path: importEvents, kind: boolean(&c.HarfangLab.ImportEvents), def: "false", need: NeedHarfangLab, check: eventsImported, with: []string{threatsAsCases},
			about: "Whether alerts are imported into OpenCTI as incidents."},
		{path: threatsAsCases, kind: boolean(&c.HarfangLab.ImportThreats), former: []string{importThreats}, def: "false", need: NeedHarfangLab, check: threatsNeedEvents, with: []string{importEvents},
			about: "Whether threats are imported as case incidents; needs the import of alerts."},
		{path: "harfanglab.import_security_events_filters_by_status", kind: words(&c.HarfangLab.StatusFilter, "", "new", "investigating", "probable_false_positive", "false_positive", "closed"), former: []string{alertStatuses},
			def: "new, investigating", need: NeedHarfangLab, unless: importsOff,
			about: "Alerts of these statuses are imported first; imported ones are followed through every status."},
		{path: "harfanglab.import_filters_by_alert_type", kind: words(&c.HarfangLab.AlertTypes, "all", "ioc", "sigma", "yara"), former: []string{alertTypes},
			def: "ioc, sigma, yara", need: NeedHarfangLab, unless: importsOff,
			about: "Alerts of these types are imported; `all` is every type, also of engines that none of our rules is for."},
		{path: "harfanglab.import_start_date", kind: start(&c.HarfangLab.ImportStart), def: "7 days ago", need: NeedHarfangLab, unless: importsOff,
			about: "Older alerts are not imported."},
		{path: "harfanglab.default_markings", kind: marking(&c.HarfangLab.Marking, false), former: []string{"harfanglab_incidents.default_marking"},
			def: "TLP:AMBER", need: NeedHarfangLab, unless: importsOff,
			about: "Marking of what is imported."},
		{path: "harfanglab.default_score", kind: integer(&c.HarfangLab.Score, 100), def: "50", need: NeedHarfangLab, unless: importsOff,
			about: "Score of imported observables."},

		{path: "sync.parallelism", kind: integer(&c.Sync.Parallelism, 256), def: "8",
			about: "Requests in flight on each side; fewer by itself while a side is overloaded."},
		{path: "sync.rate_limit", kind: rate(&c.Sync.RateLimit), def: "0",
			about: "Requests a second on each side."},
		{path: "sync.page_size", kind: integer(&c.Sync.PageSize, 5000), def: "500",
			about: "Objects or rows a page. Of one OpenCTI, measured, a page of 500 took 137 ms, of 1,000 222 ms, of 2,000 700 ms: 1,000 is the best that was seen."},
		{path: "sync.request_timeout", kind: duration(&c.Sync.RequestTimeout, time.Millisecond, false), def: "120s",
			about: "Limit for one request with its whole answer."},
		{path: "sync.deadline", kind: duration(&c.Sync.Deadline, 0, true), def: none,
			about: "Limit for the whole command."},
		{path: "sync.run_every", kind: duration(&c.Sync.RunEvery, 0, true), def: none,
			about: "How often the job runs, so that OpenCTI's page of the connector tells when it runs again. It starts nothing by itself: a CronJob or another scheduler does, or `run --every`."},
		{path: "sync.values_from", kind: word(&c.Sync.ValuesFrom, FromBoth, FromPattern), def: FromBoth, shapes: true,
			about: "Whether observables attached to a STIX indicator count beside its pattern."},
		{path: "sync.sigma", kind: word(&c.Sync.Sigma, TranslateSigma, VerbatimSigma), def: TranslateSigma, shapes: true,
			about: "Whether a Sigma rule is said in HarfangLab's own terms, without which agents ignore it, or deployed as it is written."},
		{path: "sync.behaviour", kind: word(&c.Sync.Behaviour, NoBehaviour, SigmaBehaviour), def: NoBehaviour, shapes: true,
			about: "Whether a STIX pattern that no list of values can say, and an event can, becomes Sigma rules of ours, in testing."},
		{path: "sync.yara_modules", kind: labels(&c.Sync.YARAModules), def: YARAModules,
			about: "Modules that the manager's YARA engine knows; a file that imports another is deployed, with a note in the plan."},
		{path: "sync.hashes", kind: word(&c.Sync.Hashes, AllHashes, StrongestHash), def: AllHashes, shapes: true,
			about: "Whether each hash of one file gives a rule, or the strongest alone."},
		{path: "sync.detection", kind: word(&c.Sync.Detection, DetectionStream, DetectionRequired, DetectionAny), def: DetectionStream, shapes: true,
			about: "Whether the detection flag is left to the stream's filter, has to be true, or makes no difference."},
		{path: "sync.min_score", kind: thresholds(&c.Sync.selection.MinScore), def: none, shapes: true,
			about: "Indicators with a lower score, or none, are left out; a number, or one for each kind (`{ioc: 60, sigma: 0}`, in the environment `ioc=60,sigma=0`), where a kind that is not named takes any, and none."},
		{path: "sync.labels", kind: labels(&c.Sync.selection.Labels), shapes: true,
			about: "Only indicators with any of these labels; case makes no difference."},
		{path: "sync.exclude_labels", kind: labels(&c.Sync.selection.ExcludeLabels), shapes: true,
			about: "No indicators with any of these labels; case makes no difference."},
		{path: "sync.max_tlp", kind: marking(&c.Sync.selection.MaxTLP, true), def: none, shapes: true,
			about: "Indicators with a higher TLP marking are left out."},
		{path: "sync.exclusions", kind: texts(&c.Sync.Exclusions), check: exclusions, with: []string{"sync.builtin_exclusions"}, // their content shapes the plan, not their names
			about: "Files, or folders of files, with values that are never deployed, and warning lists of MISP; see below."},
		{path: "sync.builtin_exclusions", kind: boolean(&c.Sync.BuiltinExclusions), def: "true", shapes: true,
			about: "Whether the built-in list of values that are never deployed is used."},
		{path: "sync.mapping", kind: mapping(&c.Sync), check: mappingFile, // what it does shapes the plan, not where it stands
			about: "What the score, the kind and the labels of an indicator make of its rules: level, confidence, blocking, maturity. Without it none of these is sent."},
		{path: "sync.analyst_disable", kind: word(&c.Sync.AnalystDisable, Respect, Revert), def: Respect, shapes: true,
			about: "Whether a rule that a person disabled stays disabled."},
		{path: "sync.unmanaged", kind: word(&c.Sync.Unmanaged, reconcile.ReportUnmanaged, reconcile.AdoptUnmanaged, reconcile.RemoveUnmanaged), def: string(reconcile.ReportUnmanaged), shapes: true,
			about: "What happens to rows of the lists that are not ours and carry no marker: they stay, are ours where a rule is wanted that they are, or go as well where none is."},
		{path: "sync.adopt_names", kind: boolean(&c.Sync.AdoptNames), def: "false", shapes: true,
			about: "Whether the exact name of a wanted rule makes an unmarked Sigma or YARA rule that rule, for the move away from an old connector; once."},
		{path: "sync.policy", kind: word(&c.Sync.Policy, reconcile.SyncMode, reconcile.UpsertOnlyMode, reconcile.CreateOnlyMode), def: string(reconcile.SyncMode), shapes: true,
			about: "Which changes a plan may contain."},
		{path: "sync.impact", kind: reported(&c.Sync.Impact.Report), def: "off",
			about: "Whether a plan asks HarfangLab's telemetry how many endpoints saw the values that begin to detect, which needs the right to view telemetry and endpoints."},
		{path: "sync.impact_days", kind: integer(&c.Sync.Impact.Days, 90), def: "7",
			about: "How many days it looks back."},
		{path: "sync.impact_budget", kind: integer(&c.Sync.Impact.Budget, 100_000), def: "500",
			about: "Requests that a plan may spend on it, the controls included; the highest score goes first, then the newest."},
		{path: "sync.impact_names", kind: boolean(&c.Sync.Impact.Names), def: "true",
			about: "Whether a plan names up to five of these endpoints."},
		{path: "sync.promote.after", kind: duration(&c.Sync.Promote.After, 0, true), def: none, // only where some are promoted: SettingsDigest
			about: "How long a rule that we made in testing has to stand unchanged in force, with so many alerts as follow, until a plan promotes it to stable; `none` promotes nothing. Never the other way."},
		{path: "sync.promote.min_alerts", kind: count(&c.Sync.Promote.MinAlerts, 1_000_000), def: "0",
			about: "Alerts that it needs to have."},
		{path: "sync.promote.max_false_positives", kind: count(&c.Sync.Promote.MaxFalsePositive, 1_000_000), def: "0",
			about: "Alerts of these that may have been triaged as false positives, or probable ones."},
		{path: "sync.on_refusal", kind: word(&c.Sync.OnRefusal, HoldRefused, StopRefused), def: HoldRefused,
			about: "Whether a gate that finds too much of something (G2, G4, G13, G14, G15) holds that and lets the rest pass, or stops the run."},
		{path: "sync.limits.source_shrink", kind: percent(&c.Sync.Limits.SourceShrink), def: "20",
			about: "Percent of the last good run's indicators that may be gone without evidence, ten of a kind always (gate G2)."},
		{path: "sync.limits.additions", kind: integer(&c.Sync.Limits.Additions, 10_000_000), def: "1000",
			about: "Rules of a kind that may begin to detect within `sync.limits.window`, if that is more than a fifth of ours (gate G13)."},
		{path: "sync.limits.changes", kind: integer(&c.Sync.Limits.Changes, 10_000_000), def: "200",
			about: "Likewise rules of a kind whose content may change (gate G14)."},
		{path: "sync.limits.values", kind: integer(&c.Sync.Limits.Values, 10_000_000), def: "5000",
			about: "Rules that one indicator may give; those of one that gives more are held (gate G13)."},
		{path: "sync.limits.impact", kind: percent(&c.Sync.Limits.Impact), def: "1",
			about: "Percent of the endpoints, five of them always, above which a value that they saw is held until it is accepted by name (gate G15); only with `sync.impact: report`."},
		{path: "sync.limits.window", kind: duration(&c.Sync.Limits.Window, time.Minute, false), def: "24h",
			about: "How far back removals, additions and changes of earlier runs count (gates G4, G13, G14)."},
		{path: "sync.limits.failures", kind: integer(&c.Sync.Limits.Failures, 1_000_000), def: "10",
			about: "Consecutive failures that stop an apply (gate G9)."},
		{path: "sync.limits.plan_age", kind: duration(&c.Sync.Limits.PlanAge, time.Second, false), def: "24h",
			about: "Age from which a saved plan is stale (gate G6)."},
		{path: syncState, kind: place(&c.Sync.State), def: InOpenCTI,
			about: "Where the state is kept between runs."},
		{path: "sync.lock", kind: place(&c.Sync.Lock), check: follows(syncState), with: []string{syncState},
			about: "Where the lock is taken (gate G10); follows `sync.state`."},
		{path: "sync.lock_timeout", kind: duration(&c.Sync.LockTimeout, 0, false), def: "2m",
			about: "How long another run is waited for."},
		{path: "sync.tail.quiet", kind: duration(&c.Sync.Tail.Quiet, 0, false), def: "1s",
			about: "What the stream tells after so long without an event is dealt with at once; what follows sooner waits until it is as quiet again."},
		{path: "sync.tail.full_every", kind: duration(&c.Sync.Tail.FullEvery, time.Second, false), def: "1h",
			about: "How often a tail makes a full run."},
		{path: "sync.tail.pull_every", kind: duration(&c.Sync.Tail.PullEvery, time.Second, false), def: "5m",
			about: "How often a tail imports alerts."},
		{path: "sync.tail.patience", kind: duration(&c.Sync.Tail.Patience, 0, false), def: "15m",
			about: "How long OpenCTI may be away before a tail ends. Nothing is written meanwhile; then the lock is taken anew and a full run follows."},

		{path: "sync.listen", kind: endpoint(&c.Sync.Listen),
			about: "Where `tail` and `run --every` serve `/metrics`, and `/healthz`, which says whether they may be relied on; on loopback unless a host is named. Whoever reaches it may read it."},
		{path: "sync.metrics.textfile", kind: text(&c.Sync.Metrics.TextFile),
			about: "File that `apply`, `run`, `restore`, `pull` and `tail` write their metrics to, in Prometheus' text format, for a textfile collector."},
		{path: pushGateway, kind: address(&c.Sync.Metrics.PushGateway), check: loginIsUsed, with: []string{gatewayLogin, gatewayPassword},
			about: "Pushgateway that they send their metrics to."},
		{path: gatewayLogin, kind: text(&c.Sync.Metrics.Login), file: true, check: paired(gatewayPassword, "password"), with: []string{gatewayPassword},
			about: "User for basic authentication at the Pushgateway."},
		{path: gatewayPassword, kind: password(&c.Sync.Metrics.Password), secret: true, file: true, check: paired(gatewayLogin, "login"), with: []string{gatewayLogin},
			about: "Password of that user."},
		{path: "sync.notify.webhook", kind: webhook(&c.Sync.Notify.Webhook), secret: true, file: true,
			about: "Address that is sent a JSON notice of what `apply`, `run` and `restore` did; secret, because whoever knows it may send there."},
		{path: "sync.notify.on", kind: words(&c.Sync.Notify.On, "", OnApply, OnRefusal, OnFailure), def: "apply, refusal, failure",
			about: "Of what a notice is sent: changes that were made, a plan that a gate refused, a run that failed."},
	}
}
