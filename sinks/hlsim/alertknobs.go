package hlsim

// AlertKnobs turn what is not proven about alerts and threats (contract harfanglab-api 12.24 to 12.28
// and 13). The zero value is the manager of those sections.
type AlertKnobs struct {
	// The index behind Alert and Threat.
	IndexDelay      int    `json:"index_delay"`      // seconds from its alert_time until an alert is seen; 0 is at once, wherever its time lies
	IndexWindow     int    `json:"index_window"`     // rows that can be reached, and most that are counted; 0 is 10,000, below 0 there is no end
	BeyondWindow    string `json:"beyond_window"`    // BeyondRefused, BeyondFails or BeyondEmpty
	NextBeyond      bool   `json:"next_beyond"`      // next leads on, past the window, while there are rows
	LimitRequired   bool   `json:"limit_required"`   // a list of alerts without limit answers 400
	OldestFirst     bool   `json:"oldest_first"`     // alerts and threats begin with the oldest when no ordering is asked for
	LooseDates      bool   `json:"loose_dates"`      // filters take fractional seconds, and times without a zone as UTC
	ExclusiveBounds bool   `json:"exclusive_bounds"` // __gte, __lte and from leave out their own moment
	FromField       string `json:"from_field"`       // the time that from means; empty is alert_time, and creation_date of threats
	RefuseUnknown   bool   `json:"refuse_unknown"`   // parameters of no known name answer 400 instead of having no effect

	// Answers.
	ShortAlerts bool `json:"short_alerts"` // lists lack rule_content and details_*; details have them
	TagStatus   int  `json:"tag_status"`   // of a change of status; 0 is 200, and 204 comes without a body

	// Threats.
	ThreatIDs  string `json:"threat_ids"`  // of new ones: IDsUUID, IDsInt or IDsMixed
	ThreatKeys string `json:"threat_keys"` // of new alerts: KeysAsID, KeysText or KeysMixed
	EmptyTops  int    `json:"empty_tops"`  // every so manieth threat shows no top_agents and top_impacted_users; 0 is 7, below 0 none

	AlertForm
}

// AlertForm is in what the alerts of managers differ (contract harfanglab-api 7.3, 7.4).
type AlertForm struct {
	RuleIDs     string `json:"rule_ids"`     // of IOC alerts: RuleIDSame or RuleIDRandom
	Matches     string `json:"matches"`      // ioc_matches of IOC alerts: MatchesGiven or MatchesAbsent
	Message     string `json:"message"`      // of IOC alerts: MessageEquals, MessageColon or MessageBare
	RuleContent string `json:"rule_content"` // ContentCSV, ContentBare, ContentSingle or ContentAbsent
	YARA        string `json:"yara"`         // YARA2023 or YARA2021
	Times       string `json:"times"`        // TimesMicro or TimesMixed
}

// What a page answers that reaches past the index's window. Nobody has seen it.
const (
	BeyondRefused = ""      // 400
	BeyondFails   = "error" // 500
	BeyondEmpty   = "empty" // 200 without rows
)

// The ids of threats: UUIDs since about September 2025, numbers before.
const (
	IDsUUID  = ""
	IDsInt   = "int"
	IDsMixed = "mixed" // by turns
)

// How an alert spells the number of its threat.
const (
	KeysAsID  = ""
	KeysText  = "text"
	KeysMixed = "mixed" // by turns
)

// The rule_id of an IOC alert is the rule's id, or some UUID that says nothing.
const (
	RuleIDSame   = ""
	RuleIDRandom = "random"
)

// Whether IOC alerts list what matched.
const (
	MatchesGiven  = ""
	MatchesAbsent = "absent"
)

// What follows the engine's text and a colon in the msg of an IOC alert.
const (
	MessageEquals = ""      // type=value
	MessageColon  = "colon" // type:value
	MessageBare   = "bare"  // the value alone
)

// The rule_content of an IOC alert is a line type,value,comment; how it quotes a comment that holds
// commas and quotes is not known. For Sigma, all but ContentAbsent mean the rule's YAML.
const (
	ContentCSV    = ""       // quoted as CSV is, where it must be
	ContentBare   = "bare"   // no quotes at all
	ContentSingle = "single" // the comment in single quotes
	ContentAbsent = "absent" // no rule_content
)

// How YARA alerts say what matched.
const (
	YARA2023 = ""     // rule_name ends in a colon and the rule's name
	YARA2021 = "2021" // process.matched_rules
)

// How times are spelled.
const (
	TimesMicro = ""      // 2026-03-01T10:20:30.123456Z
	TimesMixed = "mixed" // 0 to 9 digits of fraction, Z and +00:00, within one document
)

// indexWindow is the number of rows that the index shows, 0 when it has no end.
func (k *Knobs) indexWindow() int {
	if k.IndexWindow < 0 {
		return 0
	}
	return orDefault(k.IndexWindow, 10_000)
}

func (k *Knobs) tagStatus() int { return orDefault(k.TagStatus, 200) }

// hidesTop says whether the nth threat, counted from 1, shows neither agents nor users.
func (k *Knobs) hidesTop(n int) bool {
	return k.EmptyTops >= 0 && n%orDefault(k.EmptyTops, 7) == 0
}
