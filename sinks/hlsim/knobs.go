package hlsim

// Knobs turn what nobody has proven about the manager, what differs between its generations, and
// what goes wrong with it now and then. The zero value is the manager of contract harfanglab-api
// section 12. All lengths are in characters.
type Knobs struct {
	Version string `json:"version,omitempty"` // what /api/version/ says; that of the Options when empty

	// Transport and paging.
	NoRedirect    bool     `json:"no_redirect"`    // a path without its trailing slash is answered directly
	AbsoluteNext  bool     `json:"absolute_next"`  // next and previous are whole URLs
	PageDefault   int      `json:"page_default"`   // rows of a page without limit; 0 is 100
	PageMax       int      `json:"page_max"`       // larger limits are clamped; 0 is 10,000
	NewestFirst   bool     `json:"newest_first"`   // lists begin with the rule that was made last
	MoveOnWrite   bool     `json:"move_on_write"`  // a changed rule moves to the end of its list
	IgnoreFilters []string `json:"ignore_filters"` // these query parameters are unknown, and so have no effect
	CommaOr       bool     `json:"comma_or"`       // __exact filters of rules and lists take several values, cut at commas
	AnyDateForm   bool     `json:"any_date_form"`  // last_update filters take 2026-03-01T10:20:30Z as well

	// Generations and answers.
	OldGeneration    bool     `json:"old_generation"`     // no global_state, rule_effective_level, rule_confidence_override, IOC name
	BareSource       bool     `json:"bare_source"`        // lists do not say whether they are enabled
	BareRule         bool     `json:"bare_rule"`          // rules do not say which list holds them
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
	// any filter but source_id, are left alone.
	CountOff    int    `json:"count_off"`    // added to every count
	RepeatRow   int    `json:"repeat_row"`   // this page holds its last row twice
	LoseRow     int    `json:"lose_row"`     // this page lacks its first row
	DriftPage   int    `json:"drift_page"`   // before this page is read, DriftAdd and DriftRemove happen
	DriftAdd    int    `json:"drift_add"`    // so many rules are added by somebody else
	DriftRemove int    `json:"drift_remove"` // so many rules are deleted at the listing's beginning
	DriftKind   string `json:"drift_kind"`   // the kind that all of these hit; every one when empty
	DriftOnce   bool   `json:"drift_once"`   // what is said for a page happens once, then heals

	// BeforePage is called before each page of rules is read, with its number, and before each of alerts
	// and threats, with the kind "alert" and "threat". It may change the Sim.
	BeforePage func(kind string, page int) `json:"-"`

	AlertKnobs
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
