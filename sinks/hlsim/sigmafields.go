package hlsim

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed sigmafields.json
var sigmaFieldsJSON []byte

// sigmaFields is what agents know (contract harfanglab-sigma 1): the fields of each product's categories,
// those of every event, and the event logs that can be named by a service. A name that ends in a star
// stands for every name with that beginning.
type sigmaFields struct {
	Categories map[string]map[string][]string
	Everywhere map[string]prefixedFields
	Sessions   map[string]prefixedFields
	Agent      []string
	Services   []string
}

// prefixedFields are all names behind all prefixes, on the events of all categories but some.
type prefixedFields struct{ Prefixes, Names, Except []string }

func (f prefixedFields) has(category, field string) bool {
	return !slices.Contains(f.Except, category) && slices.ContainsFunc(f.Prefixes, func(prefix string) bool {
		name, ok := strings.CutPrefix(field, prefix)
		return ok && slices.Contains(f.Names, name)
	})
}

var knownFields = sync.OnceValue(func() (f sigmaFields) {
	if err := json.Unmarshal(sigmaFieldsJSON, &f); err != nil {
		panic(err) // it is our own
	}
	return f
})

// unknownToAgents says what of a rule agents do not know: over one such name they ignore the whole rule.
// Members of an event log can be named directly, so any will do.
func unknownToAgents(source, detection map[string]any) (warnings []string) {
	known := knownFields()
	word := func(name string) string { s, _ := source[name].(string); return s }
	product, category, service := word("product"), word("category"), word("service")
	products := slices.Sorted(maps.Keys(known.Categories))
	if product != "" {
		products = slices.DeleteFunc(products, func(p string) bool { return p != product })
	}
	switch {
	case len(products) == 0:
		return []string{fmt.Sprintf("no agent knows the product %q", product)}
	case service != "" && (product != "windows" || !slices.Contains(known.Services, service)):
		return []string{fmt.Sprintf("no agent knows the service %q", service)}
	case service != "", category == "eventlog":
		return nil
	}
	products = slices.DeleteFunc(products, func(p string) bool { return known.Categories[p][category] == nil })
	if len(products) == 0 {
		return []string{fmt.Sprintf("no agent knows the category %q", category)}
	}
	fields := map[string]bool{}
	for selection, v := range detection {
		if selection != "condition" && selection != "timeframe" {
			fieldsOf(v, fields)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.ContainsFunc(products, func(p string) bool { return known.has(p, category, field) }) {
			warnings = append(warnings, fmt.Sprintf("no agent knows the field %q of %s", field, category))
		}
	}
	return warnings
}

func (f *sigmaFields) has(product, category, field string) bool {
	return f.Everywhere[product].has(category, field) || f.Sessions[product].has(category, field) || slices.Contains(f.Agent, field) ||
		slices.ContainsFunc(f.Categories[product][category], func(name string) bool {
			prefix, wild := strings.CutSuffix(name, "*")
			return name == field || wild && strings.HasPrefix(field, prefix)
		})
}

// fieldsOf collects the names of fields in a selection, without their modifiers. Words that stand for
// themselves are of the field "", which nobody knows.
func fieldsOf(selection any, into map[string]bool) {
	switch v := selection.(type) {
	case map[string]any:
		for name := range v {
			field, _, _ := strings.Cut(name, "|")
			into[field] = true
		}
	case []any:
		for _, one := range v {
			fieldsOf(one, into)
		}
	default:
		into[""] = true
	}
}
