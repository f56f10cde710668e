package config

import (
	"strings"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/secret"
)

// setting is one row of the table.
type setting struct {
	path   string   // in config.yml: harfanglab.url
	former []string // paths of other names, beside those of the successor connectors
	kind   kind
	def    string // "" is none
	about  string
	flag   string // without dashes; "" is none
	secret bool   // never shown, and never a flag
	file   bool   // may be given as NAME_FILE in the environment
	shapes bool   // is part of SettingsDigest
	need   Need   // what makes a placeholder matter; 0 is always
	unless func(*Config) bool
	must   bool // has no default and is required with need
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

// importThreats implies the import of alerts, as it did in the connector that had it.
const importThreats = "harfanglab_incidents.import_threats"

// names are the paths under which the setting may stand, the proper one first.
func (s *setting) names() []string {
	names := []string{s.path}
	if rest, ok := strings.CutPrefix(s.path, "harfanglab."); ok {
		for _, section := range successors {
			names = append(names, section+"."+rest)
		}
	}
	return append(names, s.former...)
}

// flagName is the flag of a setting: a sync setting's path with dashes.
func (s *setting) flagName() string {
	if rest, ours := strings.CutPrefix(s.path, "sync."); ours {
		return strings.NewReplacer(".", "-", "_", "-").Replace(rest)
	}
	return s.flag
}

func importsOff(c *Config) bool { return !c.HarfangLab.ImportEvents }
func hasToken(c *Config) bool   { return c.HarfangLab.Token.Set() }
func always(*Config) bool       { return true }

// settings is the table.
var settings = []setting{
	{path: "opencti.url", need: NeedOpenCTI, must: true, shapes: true,
		kind:  address(func(c *Config) *string { return &c.OpenCTI.URL }),
		about: "Address of OpenCTI."},
	{path: "opencti.token", need: NeedOpenCTI, must: true, secret: true, file: true,
		kind:  token(func(c *Config) *secret.Text { return &c.OpenCTI.Token }, "Bearer", ""),
		about: "API token of the account in OpenCTI."},
	{path: "opencti.ssl_verify", def: "true", need: NeedOpenCTI,
		kind:  boolean(func(c *Config) *bool { return &c.OpenCTI.SSLVerify }),
		about: "Whether OpenCTI's certificate is checked."},
	{path: "opencti.ca_bundle", need: NeedOpenCTI,
		kind:  text(func(c *Config) *string { return &c.OpenCTI.CABundle }),
		about: "PEM file with authorities to trust beside the system's."},

	{path: "connector.id", need: NeedInstance, must: true, shapes: true,
		kind:  identifier(func(c *Config) *string { return &c.Connector.ID }, ""),
		about: "Names this instance in the markers of its rules; required by every command that reads the lists."},
	{path: "connector.name", def: "HarfangLab", need: NeedHarfangLab, unless: importsOff,
		kind:  text(func(c *Config) *string { return &c.Connector.Name }),
		about: "Author of what is imported."},
	{path: "connector.scope", def: "harfanglab", unless: always,
		kind:  text(func(c *Config) *string { return &c.Connector.Scope }),
		about: "Accepted and unused."},
	{path: "connector.live_stream_id", need: NeedOpenCTI, shapes: true,
		kind:  identifier(func(c *Config) *string { return &c.Connector.LiveStreamID }, "live"),
		about: "A live stream, whose filters are adopted and which `tail` follows; `live` or empty is the built-in filter."},
	{path: "connector.live_stream_listen_delete", def: "true",
		kind:  boolean(func(c *Config) *bool { return &c.Connector.ListenDelete }),
		about: "Has to be true: what is gone in OpenCTI goes."},
	{path: "connector.live_stream_no_dependencies", def: "false",
		kind:  boolean(func(c *Config) *bool { return &c.Connector.NoDependencies }),
		about: "Makes no difference: observables are read by GraphQL."},
	{path: "connector.log_level", def: "info",
		kind:  level(func(c *Config) *string { return &c.Connector.LogLevel }),
		about: "How much is logged."},

	{path: "harfanglab.url", former: []string{"harfanglab_incidents.api_base_url"}, need: NeedHarfangLab, must: true,
		kind:  address(func(c *Config) *string { return &c.HarfangLab.URL }),
		about: "Address of the HarfangLab manager."},
	{path: "harfanglab.ssl_verify", def: "true", need: NeedHarfangLab,
		kind:  boolean(func(c *Config) *bool { return &c.HarfangLab.SSLVerify }),
		about: "Whether the manager's certificate is checked, on every request."},
	{path: "harfanglab.ca_bundle", need: NeedHarfangLab,
		kind:  text(func(c *Config) *string { return &c.HarfangLab.CABundle }),
		about: "PEM file with authorities to trust beside the system's."},
	{path: "harfanglab.token", need: NeedHarfangLab, secret: true, file: true,
		kind:  token(func(c *Config) *secret.Text { return &c.HarfangLab.Token }, "Token", "token_"),
		about: "API token, with or without the word `Token`; wins over the login."},
	{path: "harfanglab.login", need: NeedHarfangLab, unless: hasToken, file: true,
		kind:  text(func(c *Config) *string { return &c.HarfangLab.Login }),
		about: "User for basic authentication when there is no token."},
	{path: "harfanglab.password", need: NeedHarfangLab, unless: hasToken, secret: true, file: true,
		kind:  password(func(c *Config) *secret.Text { return &c.HarfangLab.Password }),
		about: "Password of that user."},
	{path: "harfanglab.source_list_name", def: "from_OpenCTI", need: NeedHarfangLab, flag: "source-list-name", shapes: true,
		kind:  text(func(c *Config) *string { return &c.HarfangLab.ListName }),
		about: "Name of the lists, one for each kind of rule; created if absent."},
	{path: "harfanglab.remove_indicator", def: "false", need: NeedHarfangLab, flag: "remove-indicator", shapes: true,
		kind:  boolean(func(c *Config) *bool { return &c.HarfangLab.RemoveIndicator }),
		about: "Whether a rule that is no longer wanted is deleted (true) or disabled (false)."},
	{path: "harfanglab.rule_maturity", def: "stable", need: NeedHarfangLab, flag: "rule-maturity", shapes: true,
		kind:  word(func(c *Config) *string { return &c.HarfangLab.Maturity }, "stable", "testing"),
		about: "Status of new rules."},
	{path: "harfanglab.import_security_events_as_incidents", def: "false", need: NeedHarfangLab,
		kind:  boolean(func(c *Config) *bool { return &c.HarfangLab.ImportEvents }),
		about: "Whether alerts are imported into OpenCTI as incidents."},
	{path: "harfanglab.import_threats_as_case_incidents", former: []string{importThreats}, def: "false", need: NeedHarfangLab,
		kind:  boolean(func(c *Config) *bool { return &c.HarfangLab.ImportThreats }),
		about: "Whether threats are imported as case incidents; needs the import of alerts."},
	{path: "harfanglab.import_security_events_filters_by_status", former: []string{"harfanglab_incidents.alert_statuses"},
		def: "new, investigating", need: NeedHarfangLab, unless: importsOff,
		kind: words(func(c *Config) *[]string { return &c.HarfangLab.StatusFilter }, "",
			"new", "investigating", "probable_false_positive", "false_positive", "closed"),
		about: "Alerts of these statuses are imported first; imported ones are followed through every status."},
	{path: "harfanglab.import_filters_by_alert_type", former: []string{"harfanglab_incidents.alert_types"},
		def: "ioc, sigma, yara", need: NeedHarfangLab, unless: importsOff,
		kind:  words(func(c *Config) *[]string { return &c.HarfangLab.AlertTypes }, "all", "ioc", "sigma", "yara"),
		about: "Alerts of these types are imported; `all` is every type, also of engines that none of our rules is for."},
	{path: "harfanglab.import_start_date", def: "7 days ago", need: NeedHarfangLab, unless: importsOff,
		kind:  start(func(c *Config) *Start { return &c.HarfangLab.ImportStart }),
		about: "Older alerts are not imported."},
	{path: "harfanglab.default_markings", former: []string{"harfanglab_incidents.default_marking"},
		def: "TLP:AMBER", need: NeedHarfangLab, unless: importsOff,
		kind:  marking(func(c *Config) *string { return &c.HarfangLab.Marking }, false),
		about: "Marking of what is imported."},
	{path: "harfanglab.default_score", def: "50", need: NeedHarfangLab, unless: importsOff,
		kind:  integer(func(c *Config) *int { return &c.HarfangLab.Score }, 1, 100),
		about: "Score of imported observables."},

	{path: "sync.parallelism", def: "8",
		kind:  integer(func(c *Config) *int { return &c.Sync.Parallelism }, 1, 256),
		about: "Requests in flight on each side; fewer by itself while a side is overloaded."},
	{path: "sync.rate_limit", def: "0",
		kind:  rate(func(c *Config) *float64 { return &c.Sync.RateLimit }),
		about: "Requests a second on each side."},
	{path: "sync.page_size", def: "500",
		kind:  integer(func(c *Config) *int { return &c.Sync.PageSize }, 1, 5000),
		about: "Objects or rows a page."},
	{path: "sync.request_timeout", def: "120s",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.RequestTimeout }, time.Millisecond, false),
		about: "Limit for one request with its whole answer."},
	{path: "sync.deadline", def: "none",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.Deadline }, 0, true),
		about: "Limit for the whole command."},
	{path: "sync.values_from", def: FromBoth, shapes: true,
		kind:  word(func(c *Config) *string { return &c.Sync.ValuesFrom }, FromBoth, FromPattern),
		about: "Whether observables attached to a STIX indicator count beside its pattern."},
	{path: "sync.hashes", def: AllHashes, shapes: true,
		kind:  word(func(c *Config) *string { return &c.Sync.Hashes }, AllHashes, StrongestHash),
		about: "Whether each hash of one file gives a rule, or the strongest alone."},
	{path: "sync.detection", def: DetectionStream, shapes: true,
		kind:  word(func(c *Config) *string { return &c.Sync.Detection }, DetectionStream, DetectionRequired, DetectionAny),
		about: "Whether the detection flag is left to the stream's filter, has to be true, or makes no difference."},
	{path: "sync.min_score", def: "none", shapes: true,
		kind:  score(func(c *Config) **int { return &c.Sync.selection.MinScore }),
		about: "Indicators with a lower score, or none, are left out."},
	{path: "sync.labels", shapes: true,
		kind:  labels(func(c *Config) *[]string { return &c.Sync.selection.Labels }),
		about: "Only indicators with any of these labels; case makes no difference."},
	{path: "sync.exclude_labels", shapes: true,
		kind:  labels(func(c *Config) *[]string { return &c.Sync.selection.ExcludeLabels }),
		about: "No indicators with any of these labels; case makes no difference."},
	{path: "sync.max_tlp", def: "none", shapes: true,
		kind:  marking(func(c *Config) *string { return &c.Sync.selection.MaxTLP }, true),
		about: "Indicators with a higher TLP marking are left out."},
	{path: "sync.exclusions", // their content shapes the plan, not their names
		kind:  texts(func(c *Config) *[]string { return &c.Sync.Exclusions }),
		about: "Files with values that are never deployed."},
	{path: "sync.builtin_exclusions", def: "true", shapes: true,
		kind:  boolean(func(c *Config) *bool { return &c.Sync.BuiltinExclusions }),
		about: "Whether the built-in list of values that are never deployed is used."},
	{path: "sync.mapping", // what it does shapes the plan, not where it stands
		kind:  mapping(func(c *Config) *Sync { return &c.Sync }),
		about: "What the score, the kind and the labels of an indicator make of its rules: level, confidence, blocking, maturity. Without it none of these is sent."},
	{path: "sync.analyst_disable", def: Respect, shapes: true,
		kind:  word(func(c *Config) *string { return &c.Sync.AnalystDisable }, Respect, Revert),
		about: "Whether a rule that a person disabled stays disabled."},
	{path: "sync.unmanaged", def: string(reconcile.ReportUnmanaged), shapes: true,
		kind: word(func(c *Config) *reconcile.UnmanagedRows { return &c.Sync.Unmanaged },
			string(reconcile.ReportUnmanaged), string(reconcile.AdoptUnmanaged), string(reconcile.RemoveUnmanaged)),
		about: "What happens to rows of the lists that carry no marker."},
	{path: "sync.policy", def: string(reconcile.SyncMode), shapes: true,
		kind: word(func(c *Config) *reconcile.Mode { return &c.Sync.Policy },
			string(reconcile.SyncMode), string(reconcile.UpsertOnlyMode), string(reconcile.CreateOnlyMode)),
		about: "Which changes a plan may contain."},
	{path: "sync.limits.source_shrink", def: "20",
		kind:  percent(func(c *Config) *int { return &c.Sync.Limits.SourceShrink }),
		about: "Percent of the last good run's indicators that may be gone without evidence (gate G2)."},
	{path: "sync.limits.failures", def: "10",
		kind:  integer(func(c *Config) *int { return &c.Sync.Limits.Failures }, 1, 1_000_000),
		about: "Consecutive failures that stop an apply (gate G9)."},
	{path: "sync.limits.plan_age", def: "24h",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.Limits.PlanAge }, time.Second, false),
		about: "Age from which a saved plan is stale (gate G6)."},
	{path: "sync.state", def: InOpenCTI,
		kind:  place(func(c *Config) *string { return &c.Sync.State }),
		about: "Where the state is kept between runs."},
	{path: "sync.lock",
		kind:  place(func(c *Config) *string { return &c.Sync.Lock }),
		about: "Where the lock is taken (gate G10); follows `sync.state`."},
	{path: "sync.lock_timeout", def: "2m",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.LockTimeout }, 0, false),
		about: "How long another run is waited for."},
	{path: "sync.tail.quiet", def: "1s",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.Tail.Quiet }, 0, false),
		about: "How long the stream has to be quiet before changed indicators are read again."},
	{path: "sync.tail.full_every", def: "1h",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.Tail.FullEvery }, time.Second, false),
		about: "How often a tail makes a full run."},
	{path: "sync.tail.pull_every", def: "5m",
		kind:  duration(func(c *Config) *time.Duration { return &c.Sync.Tail.PullEvery }, time.Second, false),
		about: "How often a tail imports alerts."},

	{path: "sync.metrics.textfile",
		kind:  text(func(c *Config) *string { return &c.Sync.Metrics.TextFile }),
		about: "File that `apply`, `run` and `restore` write their metrics to, in Prometheus' text format, for a textfile collector."},
	{path: "sync.metrics.pushgateway",
		kind:  address(func(c *Config) *string { return &c.Sync.Metrics.PushGateway }),
		about: "Pushgateway that they send their metrics to."},
	{path: "sync.metrics.pushgateway_login", file: true,
		kind:  text(func(c *Config) *string { return &c.Sync.Metrics.Login }),
		about: "User for basic authentication at the Pushgateway."},
	{path: "sync.metrics.pushgateway_password", secret: true, file: true,
		kind:  password(func(c *Config) *secret.Text { return &c.Sync.Metrics.Password }),
		about: "Password of that user."},
	{path: "sync.notify.webhook", secret: true, file: true,
		kind:  webhook(func(c *Config) *secret.Text { return &c.Sync.Notify.Webhook }),
		about: "Address that is sent a JSON notice of what `apply`, `run` and `restore` did; secret, because whoever knows it may send there."},
	{path: "sync.notify.on", def: "apply, refusal, failure",
		kind:  words(func(c *Config) *[]string { return &c.Sync.Notify.On }, "", OnApply, OnRefusal, OnFailure),
		about: "Of what a notice is sent: changes that were made, a plan that a gate refused, a run that failed."},
}
