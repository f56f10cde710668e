package hlsim

// Knobs turn what nobody has proven about the manager, what differs between its generations, and
// what goes wrong with it now and then. The zero value is the manager of contract harfanglab-api
// section 12. All lengths are in characters.
type Knobs struct {
	Version string `json:"version,omitempty"` // what /api/version/ says; that of the Options when empty

	// Transport and paging.
	NoRedirect     bool     `json:"no_redirect"`     // a path without its trailing slash is answered directly
	AbsoluteNext   bool     `json:"absolute_next"`   // next and previous are whole URLs
	PageDefault    int      `json:"page_default"`    // rows of a page without limit; 0 is 100
	PageMax        int      `json:"page_max"`        // larger limits are clamped; 0 is 10,000
	NewestFirst    bool     `json:"newest_first"`    // lists begin with the rule that was made last
	MoveOnWrite    bool     `json:"move_on_write"`   // a changed rule moves to the end of its list
	Orderings      []string `json:"orderings"`       // the fields that lists of rules can be sorted by; nil is id, creation_date, last_update, value and name
	RefuseOrdering bool     `json:"refuse_ordering"` // other orderings answer 400 instead of having no effect
	IgnoreFilters  []string `json:"ignore_filters"`  // these query parameters are unknown, and so have no effect
	CommaOr        bool     `json:"comma_or"`        // __exact filters of rules and lists take several values, cut at commas
	AnyDateForm    bool     `json:"any_date_form"`   // last_update filters take 2026-03-01T10:20:30Z as well

	// Generations and answers.
	OldGeneration    bool     `json:"old_generation"`     // no global_state, rule_effective_level, rule_confidence_override, IOC name
	BareSource       bool     `json:"bare_source"`        // lists do not say whether they are enabled
	BareRule         bool     `json:"bare_rule"`          // rules do not say which list holds them
	NoFeedback       bool     `json:"no_feedback"`        // errors and warnings are always null
	LenientAgents    bool     `json:"lenient_agents"`     // agents pass over what they do not know in a Sigma rule, instead of ignoring the whole rule
	TextFeedback     bool     `json:"text_feedback"`      // errors and warnings are one text instead of a list of them
	KeepBroken       bool     `json:"keep_broken"`        // an update with a broken content is stored, and shown with errors, instead of a 400
	NoDisableEdit    bool     `json:"no_disable_edit"`    // a PATCH that disables answers 400 when it also changes a text
	CreateStatus     int      `json:"create_status"`      // of a Sigma or YARA creation; 0 is 201, older managers 200
	CreateAnswer     string   `json:"create_answer"`      // AnswerList, AnswerObject, AnswerEmpty or AnswerNoStatus
	DuplicateAsEntry bool     `json:"duplicate_as_entry"` // a Sigma id that exists is an entry duplicate_rule instead of a 400
	OtherSigmaID     bool     `json:"other_sigma_id"`     // new Sigma rules get an id that is not their rule_id
	TestingToStable  bool     `json:"testing_to_stable"`  // Sigma and YARA created as testing are stored as stable
	FlagsWin         bool     `json:"flags_win"`          // enabled and block flags win over a global_state that disagrees
	Linked           []string `json:"linked"`             // ids or rule_ids of Sigma rules that a correlation uses: no delete

	// What becomes of texts.
	TrimTexts        bool `json:"trim_texts"`        // descriptions, comments and contents lose outer blanks
	TrimValues       bool `json:"trim_values"`       // IOC values lose outer blanks
	CutDescription   int  `json:"cut_description"`   // stored up to here, without a word
	CutComment       int  `json:"cut_comment"`       // likewise
	CutContent       int  `json:"cut_content"`       // likewise, after the content was checked
	MaxComment       int  `json:"max_comment"`       // longer ones answer 400 on comment
	MaxDescription   int  `json:"max_description"`   // longer ones answer 400 on description
	EmptyToNull      bool `json:"empty_to_null"`     // "" comes back as null
	FoldDescriptions bool `json:"fold_descriptions"` // stored in lower case
	FoldValues       bool `json:"fold_values"`       // IOC values are stored, and unique, in lower case
	UpperHashes      bool `json:"upper_hashes"`      // hashes are stored in upper case
	CRLF             bool `json:"crlf"`              // contents are stored with CRLF line ends
	FoldNames        bool `json:"fold_names"`        // Sigma and YARA names are stored in lower case
	DropComments     bool `json:"drop_comments"`     // YARA contents lose the comment in their first line
	KeepContent      bool `json:"keep_content"`      // Sigma is stored as it was sent instead of written anew

	// Listings that change or lie while they are read. Pages count from 1, by their offset. Look-ups, with
	// any parameter but source_id and ordering, are left alone. Drift is in the order that lists have when none
	// is asked for; the manager keeps it no better than it likes (contract harfanglab-api 1.5).
	CountOff    int    `json:"count_off"`    // added to every count
	RepeatRow   int    `json:"repeat_row"`   // this page holds its last row twice
	LoseRow     int    `json:"lose_row"`     // this page lacks its first row
	DriftPage   int    `json:"drift_page"`   // before this page is read, DriftAdd and DriftRemove happen
	DriftAdd    int    `json:"drift_add"`    // so many rules are added by somebody else
	DriftRemove int    `json:"drift_remove"` // so many rules are deleted at the listing's beginning
	DriftMove   int    `json:"drift_move"`   // so many rules at its end are edited, and move to its beginning
	DriftKind   string `json:"drift_kind"`   // the kind that all of these hit; every one when empty
	DriftOnce   bool   `json:"drift_once"`   // what is said for a page happens once, then heals

	// BeforePage is called before each page of rules is read, with its number, and before each of alerts
	// and threats, with the kind "alert" and "threat". It may change the Sim.
	BeforePage func(kind string, page int) `json:"-"`

	AlertKnobs
	TelemetryKnobs
}

// The forms of the answer to a Sigma or YARA creation (contract harfanglab-api 4.4). All are sent
// with the status of a success.
const (
	AnswerList     = ""          // {"status": [{...}]}
	AnswerObject   = "object"    // the rule itself
	AnswerEmpty    = "empty"     // {"status": []}, and nothing is created
	AnswerNoStatus = "no_status" // an entry without a status, and nothing is created
)

func (k *Knobs) pageDefault() int  { return orDefault(k.PageDefault, 100) }
func (k *Knobs) pageMax() int      { return orDefault(k.PageMax, 10_000) }
func (k *Knobs) createStatus() int { return orDefault(k.CreateStatus, 201) }

// lies says whether some page of this kind is to go wrong.
func (k *Knobs) lies(kind string) bool {
	return (k.DriftKind == "" || k.DriftKind == kind) && (k.DriftPage > 0 || k.RepeatRow > 0 || k.LoseRow > 0)
}

func orDefault(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

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

	AlertSpelling
}

// AlertSpelling is in what the alerts of managers differ (contract harfanglab-api 7.3, 7.4).
type AlertSpelling struct {
	RuleIDs     string `json:"rule_ids"`     // of IOC alerts: RuleIDSame or RuleIDRandom
	Matches     string `json:"matches"`      // ioc_matches of IOC alerts: MatchesGiven or MatchesAbsent
	Message     string `json:"message"`      // of IOC alerts: MessageEquals, MessageColon, MessageBlank, MessageBare or MessageClose
	RuleContent string `json:"rule_content"` // ContentCSV, ContentBare, ContentSingle or ContentAbsent
	YARA        string `json:"yara"`         // YARA2023 or YARA2021
	Times       string `json:"times"`        // TimesMicro or TimesMixed
	Written     string `json:"written"`      // WrittenTarget or WrittenPath
	Details     string `json:"details"`      // DetailsGiven or DetailsAbsent
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
	MessageBlank  = "blank" // type: value
	MessageBare   = "bare"  // the value alone
	MessageClose  = "close" // the value alone, without a blank after the colon
)

// What the path of a file that an event wrote is called.
const (
	WrittenTarget = ""     // target_filename
	WrittenPath   = "path" // as no capture has it
)

// Whether alerts show what a connection, a resolution, a request, a library, a registry key or a file was, beside the
// process; a file that was written they always show.
const (
	DetailsGiven  = ""
	DetailsAbsent = "absent"
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

// TelemetryKnobs turn what is not proven about telemetry (contract harfanglab-telemetry 12). The index's
// window, and what becomes of parameters that are not known, is as for alerts.
type TelemetryKnobs struct {
	TelemetryPage        int      `json:"telemetry_page"`         // rows of a page without limit; 0 is 10
	TelemetryDays        int      `json:"telemetry_days"`         // how long rows are kept; 0 is for ever
	TelemetryOldestFirst bool     `json:"telemetry_oldest_first"` // pages begin with the oldest
	TelemetryQuiet       []string `json:"telemetry_quiet"`        // streams that hold nothing, such as "DNSResolution"
	LiteralCommas        bool     `json:"literal_commas"`         // a comma is part of a filter's value, instead of parting several
	IgnoreNegation       bool     `json:"ignore_negation"`        // a filter that ends in ! has no effect
	WholeRows            bool     `json:"whole_rows"`             // fields has no effect
	MaxQuery             int      `json:"max_query"`              // bytes of a query that are read, more is 414; 0 is 8,192
}
