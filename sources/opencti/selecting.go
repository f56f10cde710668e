package opencti

import (
	"fmt"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Selecting is what OpenCTI can evaluate of our own selection. Nulls pass as they do here.
func Selecting(s *reconcile.Selection, now time.Time) *FilterGroup {
	kinds := s.Kinds
	if len(kinds) == 0 {
		kinds = reconcile.Kinds
	}
	var types []string
	for _, k := range kinds {
		types = append(types, patternTypes[k])
	}
	at := dateTime(now)
	parts := []*FilterGroup{
		Group(Eq("pattern_type", types...), Eq("revoked", "false")),
		OrNil("valid_from", "lte", at),
		OrNil("valid_until", "gt", at),
	}
	if s.NeedDetection {
		parts = append(parts, Group(Eq("x_opencti_detection", "true")))
	}
	return And(append(parts, scored(s.MinScore, kinds))...)
}

// scored lets through what reaches the threshold of its kind; nil where no kind has one.
func scored(t reconcile.Thresholds, kinds []reconcile.Kind) *FilterGroup {
	least := func(n int) Filter {
		return Filter{Key: []string{"x_opencti_score"}, Values: []string{fmt.Sprint(n)}, Operator: "gte", Mode: "or"}
	}
	if n, all, none := t.Uniform(); none {
		return nil
	} else if all {
		return Group(least(n))
	}
	or := &FilterGroup{Mode: "or", Filters: []Filter{}}
	for _, k := range kinds {
		of := Group(Eq("pattern_type", patternTypes[k]))
		if n, limited := t[k]; limited {
			of.Filters = append(of.Filters, least(n))
		}
		or.FilterGroups = append(or.FilterGroups, of)
	}
	return or
}

// patternTypes are the words of the platform for what gives rules of a kind.
var patternTypes = map[reconcile.Kind]string{reconcile.IOC: "stix", reconcile.Sigma: "sigma", reconcile.YARA: "yara"}
