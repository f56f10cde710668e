package hlsim

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rule is a rule of any kind as tests and controls see it (contract harfanglab-api 4.1 to 4.6). Where
// the API tells null from "", both are "" here. BlockOnAgent, QuarantineOnAgent, Enabled and
// GlobalState are views of one state: what an Edit changes wins, GlobalState first.
// What is said to be read-only has no effect in an Add, a Load or an Edit.
type Rule struct {
	ID       string `json:"id,omitempty"`
	SourceID string `json:"source_id,omitempty"`

	Type  string `json:"type,omitempty"`  // IOC
	Value string `json:"value,omitempty"` // IOC

	Name        string   `json:"name,omitempty"`
	Content     string   `json:"content,omitempty"`    // Sigma, YARA
	RuleID      string   `json:"rule_id,omitempty"`    // Sigma; empty is the content's
	RuleName    string   `json:"rule_name,omitempty"`  // Sigma; empty is the content's title
	RuleNames   []string `json:"rule_names,omitempty"` // YARA; nil are the content's
	Tags        []string `json:"rule_technique_tags,omitempty"`
	Errors      []string `json:"errors,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Description string   `json:"description,omitempty"` // IOC
	Comment     string   `json:"comment,omitempty"`     // IOC
	References  []string `json:"references,omitempty"`

	Enabled                bool   `json:"enabled"`
	BlockOnAgent           bool   `json:"block_on_agent,omitempty"`
	QuarantineOnAgent      bool   `json:"quarantine_on_agent,omitempty"`
	GlobalState            string `json:"global_state,omitempty"`
	HLStatus               string `json:"hl_status,omitempty"` // empty is stable
	RuleLevel              string `json:"rule_level,omitempty"`
	RuleLevelOverride      string `json:"rule_level_override,omitempty"`
	RuleConfidenceOverride string `json:"rule_confidence_override,omitempty"`
	AlertCount             int    `json:"alert_count,omitempty"`

	LastModifier string    `json:"last_modifier,omitempty"` // name of a user; read-only
	CreationDate time.Time `json:"creation_date,omitzero"`  // read-only
	LastUpdate   time.Time `json:"last_update,omitzero"`    // read-only
}

// Source is a list.
type Source struct {
	ID          string `json:"id,omitempty"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	Rules       int    `json:"rules"` // how many it holds; read-only
}

// row is a rule as it is held. Rows of a million IOCs stay small because what they seldom have is in
// extra, and because the four flags follow from state.
type row struct {
	id                         string
	src                        *source
	chunk                      *chunk
	typ, value                 string
	name, description, comment *string // nil is null
	hlStatus                   string
	state                      string // the global_state
	created, updated           int64  // creation_date and last_update, in microseconds
	by                         *user
	*extra
}

// extra is what few IOC rules have. Rows may share one: it is never written to, only replaced.
type extra struct {
	facts
	references           []string
	override, confidence string
	alerts               int
}

var noExtra = &extra{}

// orNone is noExtra for an IOC that has nothing extra.
func (m *extra) orNone(kind string) *extra {
	if kind == IOC && len(m.references) == 0 && m.level+m.override+m.confidence == "" && m.alerts == 0 {
		return noExtra
	}
	return m
}

// tested is the number of alerts that count towards the end of testing: all, while the rule is in it.
func (r *row) tested() int {
	if r.hlStatus == "testing" {
		return r.alerts
	}
	return 0
}

// rule is a copy of the row for the outside.
func (r *row) rule() Rule {
	f := flagsOf(r.state)
	return Rule{
		ID: r.id, SourceID: r.src.ID, Type: r.typ, Value: r.value, Name: orEmpty(r.name), Content: r.text,
		RuleID: r.ruleID, RuleName: r.title, RuleNames: slices.Clone(r.names), Tags: slices.Clone(r.techniques),
		Errors: slices.Clone(r.errors), Warnings: slices.Clone(r.warnings),
		Description: orEmpty(r.description), Comment: orEmpty(r.comment), References: slices.Clone(r.references),
		Enabled: f.enabled, BlockOnAgent: f.block, QuarantineOnAgent: f.quarantine, GlobalState: r.state,
		HLStatus: r.hlStatus, RuleLevel: r.level, RuleLevelOverride: r.override, RuleConfidenceOverride: r.confidence,
		AlertCount: r.alerts, LastModifier: r.by.username,
		CreationDate: time.UnixMicro(r.created).UTC(), LastUpdate: time.UnixMicro(r.updated).UTC(),
	}
}

// take fills the row from a Rule, all but the id, the list and the moments. before is what the row
// was, so that of the views of its state the one that was changed wins.
func (r *row) take(kind string, in, before Rule, rewriteContent bool) {
	r.typ, r.value, r.hlStatus = in.Type, in.Value, cmp.Or(in.HLStatus, "stable")
	setText(&r.name, in.Name)
	setText(&r.description, in.Description)
	setText(&r.comment, in.Comment)
	change := stateChange{
		enabled: changed(in.Enabled, before.Enabled), block: changed(in.BlockOnAgent, before.BlockOnAgent),
		quarantine: changed(in.QuarantineOnAgent, before.QuarantineOnAgent),
	}
	if in.GlobalState != "" {
		change.global = changed(in.GlobalState, before.GlobalState)
	}
	r.state = change.apply(kind, r.state, false)
	f := in.facts()
	if r.extra != nil {
		f.ignored = r.ignored
	}
	if kind != IOC && in.Content != before.Content {
		f = described(kind, f, before.facts(), rewriteContent)
	}
	r.extra = (&extra{
		facts: f, references: slices.Clone(in.References), override: in.RuleLevelOverride, confidence: in.RuleConfidenceOverride, alerts: in.AlertCount,
	}).orNone(kind)
}

func (r *Rule) facts() facts {
	return facts{
		ruleID: r.RuleID, title: r.RuleName, level: r.RuleLevel, names: slices.Clone(r.RuleNames), techniques: slices.Clone(r.Tags),
		errors: slices.Clone(r.Errors), warnings: slices.Clone(r.Warnings), text: r.Content,
	}
}

// setText leaves null alone where a text stays empty.
func setText(to **string, s string) {
	if s != orEmpty(*to) {
		*to = &s
	}
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// changed is nil when a member stays as it was.
func changed[T comparable](now, before T) *T {
	if now == before {
		return nil
	}
	return &now
}

// facts are what the manager reads in a content. A Sigma rule fills all but names, a YARA file names,
// techniques and text.
type facts struct {
	ruleID, title, level string
	names                []string // of the rules in a YARA file, in order
	techniques           []string // as contract harfanglab-api 4.3 has them: texts that hold tNNNN or tNNNN.NNN
	errors, warnings     []string // of what was taken all the same
	text                 string   // the content as the manager stores it
	ignored              bool     // by agents
}

// factsOf reads a content, or says why it is refused.
func factsOf(kind, content string) (facts, error) {
	if kind == Sigma {
		return parseSigma(content)
	}
	return parseYARA(content)
}

// described is what a content says that came by the console, where now says no more than before. Broken
// contents are held too; the console is not what this package is to be true to.
func described(kind string, now, before facts, rewriteContent bool) facts {
	f, err := factsOf(kind, now.text)
	if err != nil || !rewriteContent {
		f.text = now.text
	}
	for _, v := range []struct{ to, now, before *string }{
		{&f.ruleID, &now.ruleID, &before.ruleID}, {&f.title, &now.title, &before.title}, {&f.level, &now.level, &before.level},
	} {
		if *v.now != *v.before {
			*v.to = *v.now
		}
	}
	for _, v := range []struct{ to, now, before *[]string }{
		{&f.names, &now.names, &before.names}, {&f.techniques, &now.techniques, &before.techniques},
		{&f.errors, &now.errors, &before.errors}, {&f.warnings, &now.warnings, &before.warnings},
	} {
		if !slices.Equal(*v.now, *v.before) {
			*v.to = *v.now
		}
	}
	f.ruleID = cmp.Or(f.ruleID, before.ruleID)
	return f
}

var technique = regexp.MustCompile(`(?i)\bt\d{4}(?:\.\d{3})?\b`)

// techniquesIn are the tags for what some texts name, sorted, each once.
func techniquesIn(texts []string) []string {
	var out []string
	for _, t := range texts {
		for _, id := range technique.FindAllString(t, -1) {
			out = append(out, "attack."+strings.ToLower(id))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// The values of global_state (contract harfanglab-api 4.1).
const (
	stateDisabled     = "disabled"
	stateBackendAlert = "backend_alert"
	stateAlert        = "alert"
	stateBlock        = "block"
	stateQuarantine   = "quarantine"
)

// flags are the older spelling of a state.
type flags struct{ enabled, block, quarantine, endpoint bool }

// flagsOf is the table of contract harfanglab-api 4.5.
func flagsOf(state string) flags {
	return flags{
		enabled:    state != stateDisabled,
		block:      state == stateBlock || state == stateQuarantine,
		quarantine: state == stateQuarantine,
		endpoint:   state != stateBackendAlert,
	}
}

// stateChange is what a request says about a rule's state; nil is nothing.
type stateChange struct {
	global                               *string
	enabled, block, quarantine, endpoint *bool
}

// apply gives the state that now becomes. A combination that the manager does not hold is rewritten:
// global_state wins over the flags unless flagsWin, disabled over blocking, and quarantine blocks. A
// disabled rule remembers no blocking.
func (c stateChange) apply(kind, now string, flagsWin bool) string {
	told := c.enabled != nil || c.block != nil || c.quarantine != nil || c.endpoint != nil
	if c.global != nil && !(flagsWin && told) {
		if *c.global == stateBackendAlert && kind != IOC {
			return stateAlert // contract harfanglab-api 4.5, Sigma; YARA is taken to do the same
		}
		return *c.global
	}
	if !told {
		return now
	}
	f := flagsOf(now)
	set(&f.enabled, c.enabled)
	set(&f.quarantine, c.quarantine)
	set(&f.block, c.block)
	set(&f.endpoint, c.endpoint)
	if c.block != nil && !*c.block && c.quarantine == nil {
		f.quarantine = false
	}
	switch {
	case !f.enabled:
		return stateDisabled
	case f.quarantine:
		return stateQuarantine
	case f.block:
		return stateBlock
	case !f.endpoint && kind == IOC:
		return stateBackendAlert
	}
	return stateAlert
}

func set(flag, to *bool) {
	if to != nil {
		*flag = *to
	}
}

// The words of enumerations (contract harfanglab-api 4.1).
var (
	maturities  = []string{"stable", "testing", "experimental"}
	states      = []string{stateDisabled, stateBackendAlert, stateAlert, stateBlock, stateQuarantine}
	levels      = []string{"informational", "low", "medium", "high", "critical"}
	confidences = []string{"weak", "moderate", "strong"}
)

// common is what rules of all kinds show.
type common struct {
	SourceID   string   `json:"source_id,omitempty"`
	Source     string   `json:"source,omitempty"`
	References []string `json:"references"`
	Enabled    bool     `json:"enabled"`
	HLStatus   string   `json:"hl_status"`
	TestStart  string   `json:"hl_testing_start_time"`
	TestCount  int      `json:"test_maturity_current_count"`
	TestDelay  int      `json:"test_maturity_delay"`
	TestAlerts int      `json:"test_maturity_threshold"`
	AlertCount int      `json:"alert_count"`
	Silent     bool     `json:"silent"`
	Block      bool     `json:"block_on_agent"`
	Quarantine bool     `json:"quarantine_on_agent"`
	Endpoint   bool     `json:"endpoint_detection"`
	Level      *string  `json:"rule_level"`
	Override   *string  `json:"rule_level_override"`
	*newer
	Modifier modifier `json:"last_modifier"`
	Created  string   `json:"creation_date"`
	Updated  string   `json:"last_update"`
}

// newer is what managers show since 2025 (contract harfanglab-api 0.3).
type newer struct {
	State      string  `json:"global_state"`
	Effective  string  `json:"rule_effective_level"`
	Confidence *string `json:"rule_confidence_override"`
}

type modifier struct {
	ID       int    `json:"id"`
	Username string `json:"username"`
}

// iocView is an IOC rule in an answer (contract harfanglab-api 4.2).
type iocView struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Value string `json:"value"`
	*iocName
	Description *string `json:"description"`
	Comment     *string `json:"comment"`
	Info        *string `json:"info"` // as the next: always null
	Category    *string `json:"category"`
	common
}

// iocName is newer too, but of IOC rules only.
type iocName struct {
	Name *string `json:"name"`
}

// sigmaView and yaraView are rules in answers (contract harfanglab-api 4.3, 4.6).
type sigmaView struct {
	ID       string `json:"id"`
	RuleID   string `json:"rule_id"`
	Name     string `json:"name"`
	RuleName string `json:"rule_name"`
	file
}

type yaraView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	RuleNames []string `json:"rule_names"`
	file
}

type file struct {
	Content string   `json:"content"`
	Tags    []string `json:"rule_technique_tags"`
	*feedback
	common
}

// feedback is the parser's; a creation's answer is without it.
type feedback struct {
	Errors   any `json:"errors"`
	Warnings any `json:"warnings"`
}

// viewAll shows rows. The views share nothing with them that changes, so they outlive the lock.
func (k *Knobs) viewAll(kind string, rows []*row) any {
	if kind == IOC {
		views := make([]iocView, len(rows))
		for i, r := range rows {
			views[i] = k.viewIOC(r)
		}
		return views
	}
	views := make([]any, len(rows))
	for i, r := range rows {
		views[i] = k.view(kind, r, true)
	}
	return views
}

// view shows one row, with the parser's feedback or without.
func (k *Knobs) view(kind string, r *row, heard bool) any {
	if kind == IOC {
		v := k.viewIOC(r)
		return &v
	}
	f := file{Content: r.text, Tags: list(r.techniques), common: k.viewCommon(r)}
	if heard {
		f.feedback = &feedback{k.viewFeedback(r.errors), k.viewFeedback(r.warnings)}
	}
	if kind == Sigma {
		return &sigmaView{r.id, r.ruleID, orEmpty(r.name), r.title, f}
	}
	return &yaraView{r.id, orEmpty(r.name), list(r.names), f}
}

func (k *Knobs) viewFeedback(texts []string) any {
	switch {
	case len(texts) == 0 || k.NoFeedback:
		return nil
	case k.TextFeedback:
		return strings.Join(texts, "\n")
	}
	return texts
}

func (k *Knobs) viewIOC(r *row) iocView {
	v := iocView{
		ID: r.id, Type: r.typ, Value: r.value, Description: k.text(r.description), Comment: k.text(r.comment),
		common: k.viewCommon(r),
	}
	if !k.OldGeneration {
		v.iocName = &iocName{k.text(r.name)}
	}
	return v
}

func (k *Knobs) viewCommon(r *row) common {
	f := flagsOf(r.state)
	c := common{
		References: list(r.references), Enabled: f.enabled, HLStatus: r.hlStatus, TestStart: stamp(r.created - 9), TestCount: r.tested(), TestDelay: 7, TestAlerts: 10,
		AlertCount: r.alerts, Block: f.block, Quarantine: f.quarantine, Endpoint: f.endpoint, Level: orNull(r.level), Override: orNull(r.override),
		Modifier: modifier{r.by.id, r.by.username}, Created: stamp(r.created), Updated: stamp(r.updated),
	}
	if !k.BareRule {
		c.SourceID, c.Source = r.src.ID, r.src.ID
	}
	if !k.OldGeneration {
		c.newer = &newer{State: r.state, Effective: cmp.Or(r.override, r.level, "medium"), Confidence: orNull(r.confidence)}
	}
	return c
}

func (k *Knobs) text(s *string) *string {
	if k.EmptyToNull && orEmpty(s) == "" {
		return nil
	}
	return s
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func list(v []string) []string {
	if v == nil {
		return []string{}
	}
	return v
}

func stamp(micro int64) string {
	return time.UnixMicro(micro).UTC().Format("2006-01-02T15:04:05.000000Z")
}
