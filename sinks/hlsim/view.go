package hlsim

import "time"

const timeForm = "2006-01-02T15:04:05.000000Z"

// iocView is an IOC rule in an answer, in the member order of contract harfanglab-api 4.2.
type iocView struct {
	ID          string   `json:"id"`
	SourceID    string   `json:"source_id,omitempty"`
	Source      string   `json:"source,omitempty"`
	Type        string   `json:"type"`
	Value       string   `json:"value"`
	Name        *string  `json:"name"`
	Description *string  `json:"description"`
	Comment     *string  `json:"comment"`
	Info        *string  `json:"info"`
	Category    *string  `json:"category"`
	References  []string `json:"references"`
	common
	Alerts    int  `json:"alert_count"`
	Silent    bool `json:"silent"`
	Endpoint  bool `json:"endpoint_detection"`
	Delay     int  `json:"test_maturity_delay"`
	Threshold int  `json:"test_maturity_threshold"`
}

// common is what rules of all kinds have.
type common struct {
	Enabled    bool      `json:"enabled"`
	HLStatus   string    `json:"hl_status"`
	Block      bool      `json:"block_on_agent"`
	Quarantine bool      `json:"quarantine_on_agent"`
	State      string    `json:"global_state,omitempty"`
	Level      *string   `json:"rule_level_override"`
	Effective  string    `json:"rule_effective_level,omitempty"`
	Confidence *string   `json:"rule_confidence_override"`
	Modifier   *modifier `json:"last_modifier"`
	Created    string    `json:"creation_date"`
	Updated    string    `json:"last_update"`
}

type modifier struct {
	ID       int    `json:"id"`
	Username string `json:"username"`
}

type fileView struct {
	ID         string   `json:"id"`
	RuleID     string   `json:"rule_id,omitempty"`
	Name       string   `json:"name"`
	RuleName   string   `json:"rule_name,omitempty"`
	RuleNames  []string `json:"rule_names,omitempty"`
	Content    string   `json:"content"`
	SourceID   string   `json:"source_id,omitempty"`
	Techniques []string `json:"rule_technique_tags"`
	References []string `json:"references"`
	Errors     any      `json:"errors"`
	Warnings   any      `json:"warnings"`
	common
}

// view is a rule as an answer shows it. feedback adds the parser's errors, which creations do not
// have.
func (s *Sim) view(kind string, r *Rule, feedback bool) any {
	c := common{Enabled: r.Enabled, HLStatus: r.HLStatus, Block: r.Block, Quarantine: r.Quarantine, State: r.GlobalState, Level: null(r.Level),
		Effective: orWord(r.Level, "medium"), Confidence: null(r.Confidence), Modifier: &modifier{3, r.Modifier}, Created: stamp(r.Created), Updated: stamp(r.Updated)}
	if s.knobs.OldGeneration {
		c.State, c.Effective, c.Confidence = "", "", nil
	}
	source := r.SourceID
	if s.knobs.SourceIDMissing {
		source = ""
	}
	if kind == "ioc" {
		v := iocView{ID: r.ID, SourceID: source, Source: source, Type: r.Type, Value: r.Value, Description: &r.Description, Comment: &r.Comment,
			References: r.References, common: c, Endpoint: true, Delay: 7, Threshold: 10}
		if !s.knobs.OldGeneration {
			v.Name = null(r.Name)
		}
		if s.knobs.EmptyAsNull {
			v.Description, v.Comment = null(r.Description), null(r.Comment)
		}
		return &v
	}
	v := fileView{ID: r.ID, RuleID: r.RuleID, Name: r.Name, RuleName: r.RuleName, RuleNames: r.RuleNames, Content: r.Content, SourceID: source,
		Techniques: append([]string{}, r.Techniques...), References: append([]string{}, r.References...), common: c}
	if feedback && r.Errors != "" {
		v.Errors = []string{r.Errors}
	}
	return &v
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func stamp(t time.Time) string { return t.Format(timeForm) }
