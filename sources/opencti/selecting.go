package opencti

import (
	"fmt"
	"time"

	"harfangsync/reconcile"
)

// Selecting is what OpenCTI can evaluate of our own selection. Nulls pass as they do here.
func Selecting(s *reconcile.Selection, now time.Time) *FilterGroup {
	kinds := s.Kinds
	if len(kinds) == 0 {
		kinds = reconcile.Kinds
	}
	var types []string
	for _, k := range kinds {
		types = append(types, map[reconcile.Kind]string{reconcile.IOC: "stix", reconcile.Sigma: "sigma", reconcile.YARA: "yara"}[k])
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
	if s.MinScore != nil {
		parts = append(parts, Group(Filter{Key: []string{"x_opencti_score"}, Values: []string{fmt.Sprint(*s.MinScore)}, Operator: "gte", Mode: "or"}))
	}
	return And(parts...)
}
