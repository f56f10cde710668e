package reconcile

import (
	"slices"
	"strings"
	"time"
)

// Selection is our own word on which indicators are wanted, whatever the stream's filter says.
type Selection struct {
	Kinds         []Kind // empty means all
	NeedDetection bool   // the detection flag must be true; null is false
	MinScore      Thresholds
	Labels        []string
	ExcludeLabels []string
	MaxTLP        string // "TLP:AMBER" or "AMBER"; empty is no limit
}

// Judge says why an indicator is not wanted at a moment, or "" when it is. The first reason that
// holds counts.
func (s *Selection) Judge(ind *Indicator, now time.Time) (why Reason, detail string) {
	if ind.Unread != "" {
		return Unreadable, "OpenCTI has it and cannot give it: open it there, or look for its id in the platform's log; its rules stay as they are: " + ind.Unread
	}
	kind := patternKind(ind.PatternType)
	if kind == 0 || len(s.Kinds) > 0 && !slices.Contains(s.Kinds, kind) {
		return OutOfFilter, "pattern type " + ind.PatternType
	}
	switch {
	case ind.Revoked:
		return Revoked, "revoked"
	case ind.ValidFrom.After(now):
		return NotYetValid, "valid from " + ind.ValidFrom.UTC().Format(time.RFC3339)
	case !ind.ValidUntil.IsZero() && !ind.ValidUntil.After(now):
		return Expired, "valid until " + ind.ValidUntil.UTC().Format(time.RFC3339)
	case s.NeedDetection && (ind.Detection == nil || !*ind.Detection):
		return DetectionOff, "not flagged for detection"
	}
	if lacks := s.MinScore.lacks(kind, ind.Score); lacks != "" {
		return BelowThreshold, lacks
	}
	if why, detail = s.judgeLabels(ind); why == "" && ind.Outside {
		return OutOfFilter, "the stream's filter does not let it through, which the platform did not heed"
	}
	return why, detail
}

func (s *Selection) judgeLabels(ind *Indicator) (why Reason, detail string) {
	if l, ok := common(ind.Labels, s.ExcludeLabels); ok {
		return LabelFiltered, "label " + l
	}
	if len(s.Labels) > 0 {
		if _, ok := common(ind.Labels, s.Labels); !ok {
			return LabelFiltered, "none of the labels asked for"
		}
	}
	if limit, ok := TLP(s.MaxTLP); ok {
		for _, m := range ind.Markings {
			if level, ok := TLP(m.Definition); ok && level > limit {
				return MarkingDenied, m.Definition + " is above " + s.MaxTLP
			}
		}
	}
	return "", ""
}

func common(have, asked []string) (string, bool) {
	for _, l := range have {
		if slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(l)) }) {
			return l, true
		}
	}
	return "", false
}

var tlpOrder = []string{"CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"}

// TLP is the rank of a marking, 0 for CLEAR (once WHITE) to 4 for RED; ok is false for any other
// marking. The prefix "TLP:" and case do not matter.
func TLP(definition string) (rank int, ok bool) {
	name := strings.ToUpper(strings.TrimSpace(definition))
	name = strings.TrimPrefix(name, "TLP:")
	if name == "WHITE" {
		name = "CLEAR"
	}
	rank = slices.Index(tlpOrder, name)
	return rank, rank >= 0
}
