package reconcile

// Reason is a stable word that says why a change is planned, an item is held or something is
// skipped. Scripts may match it; the set is closed.
type Reason string

// Skip reasons: why an indicator, a branch of its pattern, a value or an observable gives no rule.
const (
	PatternSyntax   Reason = "pattern_syntax"
	PatternAnd      Reason = "pattern_and"
	PatternNegation Reason = "pattern_negation"
	PatternOperator Reason = "pattern_operator"
	PatternTemporal Reason = "pattern_temporal"
	UnsupportedType Reason = "unsupported_type"
	UnsupportedHash Reason = "unsupported_hash"
	InvalidValue    Reason = "invalid_value"
	InvalidRule     Reason = "invalid_rule"
	TooLong         Reason = "too_long"
	TooBroad        Reason = "too_broad"
	Excluded        Reason = "excluded"
	BelowThreshold  Reason = "below_threshold"
	MarkingDenied   Reason = "marking_denied"
	LabelFiltered   Reason = "label_filtered"
	NotYetValid     Reason = "not_yet_valid"
	Expired         Reason = "expired"
	DetectionOff    Reason = "detection_off"
	ExistsElsewhere Reason = "exists_elsewhere"
	DuplicateMerged Reason = "duplicate_merged"
	Unreadable      Reason = "unreadable" // OpenCTI cannot give it; what it owns stays

	UnsupportedLogsource Reason = "unsupported_logsource"
	UnsupportedField     Reason = "unsupported_field"
	UnsupportedEvent     Reason = "unsupported_event"
	MatchesEverything    Reason = "matches_everything"

	Unblocked Reason = "unblocked" // a person took it out of force for a time; also the reason of a disable, and held
)

// Change reasons.
const (
	NewIndicator   Reason = "new_indicator"
	ValueAdded     Reason = "value_added"
	FieldsChanged  Reason = "fields_changed"
	OwnersChanged  Reason = "owners_changed"
	IndicatorBack  Reason = "indicator_back"
	UnblockEnded   Reason = "unblock_ended"
	DriftFound     Reason = "drift"
	IndicatorGone  Reason = "indicator_gone"
	Revoked        Reason = "revoked"
	OutOfFilter    Reason = "out_of_filter"
	ValueRemoved   Reason = "value_removed"
	PatternSkipped Reason = "pattern_skipped"
	Duplicate      Reason = "duplicate"
	OldConnector   Reason = "old_connector"
	Unmanaged      Reason = "unmanaged" // also a held reason
	Promoted       Reason = "promoted"  // from testing to stable
)

// Held reasons: what was considered and deliberately not done.
const (
	Pinned           Reason = "pinned"
	Refused          Reason = "refused"
	ForeignOwner     Reason = "foreign_owner"
	Ambiguous        Reason = "ambiguous"
	ChangedMeanwhile Reason = "changed_meanwhile"
	PolicyHeld       Reason = "policy"
	GateHeld         Reason = "gate"
)

// Skip is one fact that could not become a rule. Detail is for people; it never carries secrets.
type Skip struct {
	Indicator string `json:"indicator_id"`   // internal id; empty when a pattern is explained on its own
	Name      string `json:"name,omitempty"` // the indicator's, for people
	Reason    Reason `json:"reason"`
	Detail    string `json:"detail"`
	// Compilable says that the whole pattern could be compiled into Sigma rules.
	Compilable bool `json:"compilable,omitempty"`
}
