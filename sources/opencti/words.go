package opencti

import (
	"cmp"
	"strings"
)

// keyWords are filter keys as people know them from the platform's pages; others stand as they are.
var keyWords = map[string]string{
	"entity_type": "type", "pattern_type": "pattern type", "x_opencti_detection": "detection", "x_opencti_score": "score",
	"x_opencti_main_observable_type": "main observable type", "indicator_types": "indicator type", "objectMarking": "marking",
	"objectLabel": "label", "createdBy": "author", "creator_id": "creator", "valid_from": "valid from", "valid_until": "valid until",
	"created_at": "creation on the platform", "updated_at": "last change", "workflow_id": "workflow status", "objectAssignee": "assignee",
	"killChainPhases": "kill chain phase", "ids": "id",
}

// operatorWords stand between a key and its values.
var operatorWords = map[string]string{
	"eq": "is", "not_eq": "is not", "lt": "is below", "lte": "is at most", "gt": "is above", "gte": "is at least", "match": "matches",
	"wildcard": "is like", "contains": "contains", "not_contains": "does not contain", "starts_with": "starts with",
	"not_starts_with": "does not start with", "ends_with": "ends with", "not_ends_with": "does not end with", "search": "is found by",
	"within": "is within", "only_eq_to": "is only", "not_only_eq_to": "is not only", "script": "passes the script",
}

// Words say what a filter lets through, as one line without its end. Values come from the platform as they
// are: whoever shows the line escapes it.
func (g *FilterGroup) Words() string {
	if g == nil || g.bare() {
		return "everything"
	}
	return g.words(0)
}

func (g *FilterGroup) words(depth int) string {
	var parts []string
	for i := range g.Filters {
		parts = append(parts, g.Filters[i].words())
	}
	for _, s := range g.FilterGroups {
		if !s.bare() {
			parts = append(parts, s.words(depth+1))
		}
	}
	line := strings.Join(parts, " "+g.Mode+" ")
	if depth > 0 && len(parts) > 1 {
		return "(" + line + ")"
	}
	return line
}

func (f *Filter) words() string {
	keys := make([]string, len(f.Key))
	for i, k := range f.Key {
		keys[i] = cmp.Or(keyWords[k], k)
	}
	key := strings.Join(keys, " or ")
	switch f.Operator {
	case "nil":
		return key + " has no value"
	case "not_nil":
		return key + " has a value"
	}
	operator := cmp.Or(operatorWords[f.Operator], f.Operator)
	values := strings.Join(f.Values, ", ")
	switch {
	case f.Operator == "within" && len(f.Values) == 2:
		values = f.Values[0] + " to " + f.Values[1]
	case len(f.Values) > 1 && f.Mode == "and":
		values = "all of " + values
	case len(f.Values) > 1:
		values = "one of " + values
	}
	return key + " " + operator + " " + values
}
