package render

import (
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// meanings says in one sentence what a reason means, for people who do not know the words. A reason
// that is not here is shown alone.
var meanings = map[reconcile.Reason]string{
	reconcile.NewIndicator:  "its indicator has no rule yet",
	reconcile.ValueAdded:    "its indicator has other rules already",
	reconcile.FieldsChanged: "the text of the rule changed",
	reconcile.OwnersChanged: "an indicator joined or left; the value stays blocked",
	reconcile.IndicatorBack: "we had disabled it, and its indicator wants it again",
	reconcile.UnblockEnded:  "a person had unblocked it for a time, which is over",
	reconcile.DriftFound:    "somebody disabled it in the console, and analyst_disable is set to revert",
	reconcile.OldConnector:  "the rule was made by an old connector",

	reconcile.Promoted: "it stood in testing as long and as quietly as sync.promote asks for",

	reconcile.IndicatorGone:  "OpenCTI, asked by id, does not know the indicator any more, or not for this account",
	reconcile.Revoked:        "the indicator is revoked",
	reconcile.OutOfFilter:    "the indicator is there, and the stream's filter does not let it through",
	reconcile.ValueRemoved:   "the indicator is wanted and does not give this value any more",
	reconcile.PatternSkipped: "the indicator is wanted, and no rule can say its pattern any more",
	reconcile.Duplicate:      "another rule of ours says the same",
	reconcile.Unblocked:      "a person took it out of force for a time",

	reconcile.Expired:        "the indicator is past its valid_until",
	reconcile.DetectionOff:   "detection is switched off on the indicator",
	reconcile.BelowThreshold: "the indicator's score is below min_score",
	reconcile.LabelFiltered:  "the settings leave the indicator out by its labels",
	reconcile.MarkingDenied:  "the indicator's marking is above max_tlp",
	reconcile.Excluded:       "the exclusion list names the value",

	reconcile.PatternSyntax:   "the pattern does not follow STIX 2.1",
	reconcile.PatternAnd:      "an AND that no single value stands for; half of one is never deployed",
	reconcile.PatternNegation: "NOT or !=, which name what is not bad",
	reconcile.PatternOperator: "no exact value: <, >, LIKE with a wildcard, MATCHES or EXISTS",
	reconcile.PatternTemporal: "FOLLOWEDBY, WITHIN, REPEATS or START: a rule knows no time",
	reconcile.UnsupportedType: "no rule type says this",
	reconcile.UnsupportedHash: "only MD5, SHA-1 and SHA-256 can be deployed",
	reconcile.InvalidValue:    "HarfangLab would refuse the value, or no event could ever show it",
	reconcile.InvalidRule:     "HarfangLab would refuse the rule; or a Sigma rule of more than 1 MiB or nested deeper than 200",
	reconcile.TooLong:         "an AND over ORs that comes to over 1,000 terms, or all of them to over 100,000 comparisons; in Sigma, Hashes of several algorithms beside too much else",
	reconcile.TooBroad:        "a network wider than /16 (IPv4) or /32 (IPv6), or one that stands for such",
	reconcile.NotYetValid:     "the indicator's valid_from is still to come",
	reconcile.ExistsElsewhere: "another list holds a rule with this Sigma id",
	reconcile.DuplicateMerged: "another indicator with the same Sigma id has the rule",
	reconcile.Unreadable:      "OpenCTI has the indicator and cannot give it; its rules stay as they are",

	reconcile.UnsupportedLogsource: "HarfangLab's agents have no such events",
	reconcile.UnsupportedField:     "HarfangLab's events have no such field; an agent ignores a rule that names one",
	reconcile.UnsupportedEvent:     "HarfangLab's agents do not collect the events that the rule waits for",
	reconcile.MatchesEverything:    "the rule would fire on every event or file",

	reconcile.Pinned:           "a person disabled it",
	reconcile.Refused:          "HarfangLab refused this very text; it is not sent again until it changes",
	reconcile.Unmanaged:        "the rule carries no marker of ours",
	reconcile.ForeignOwner:     "the rule belongs to another instance",
	reconcile.Ambiguous:        "absence proves nothing: fewer markings are visible than before, or its indicator cannot be read",
	reconcile.ChangedMeanwhile: "it changed while OpenCTI was read; the next run settles it",
	reconcile.PolicyHeld:       "the policy forbids it",
	reconcile.GateHeld:         "a gate refused it until its number is accepted",
}

// causes says who made a rule differ.
var causes = map[reconcile.Cause]string{
	reconcile.SourceChanged:  "OpenCTI changed",
	reconcile.Drifted:        "the rule was edited in the console",
	reconcile.MappingChanged: "our settings, or our way of saying the rule, changed",
}

// guarded says what a gate is about, in the words of people.
func guarded(g *reconcile.Gate) string {
	sort, rest, _ := strings.Cut(g.Name, "_")
	rules := " of " + g.Kind.String() + " rules"
	switch {
	case g.Name == "complete":
		return "a whole read"
	case g.Name == "absence":
		return "absence that is proven"
	case g.Name == "source_shrink":
		return "a source that shrank"
	case g.Name == "additions_values":
		return "one indicator with too many rules"
	case g.Name == "impact":
		return "impact on endpoints"
	case sort == "source" && g.Kind != 0:
		return "an empty source of " + g.Kind.String() + " rules"
	case g.Kind == 0:
	case sort == "removals":
		return sort + rules + map[string]string{"evidence": ", with evidence", "expired": ", expired", "absence": ", by absence"}[rest[strings.LastIndex(rest, "_")+1:]]
	case sort == "additions":
		return sort + rules
	case sort == "changes":
		return "new contents" + rules
	}
	return g.Name
}
