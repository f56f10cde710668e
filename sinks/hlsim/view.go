package hlsim

import (
	"cmp"
	"strings"
	"time"
)

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
	case len(texts) == 0:
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
		Modifier: modifier{r.by.id, r.by.username}, Created: stamp(r.created), Updated: stamp(r.moved),
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
