package sigma_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/harfangsync/harfangsync/sinks/hlsim/evaluate"
)

// facts are the contract's own table, as the simulator keeps it.
var facts = sync.OnceValue(func() (f struct {
	Categories map[string]map[string][]string
	Everywhere map[string]struct{ Prefixes, Names, Except []string }
	Sessions   map[string]struct{ Prefixes, Names []string }
	Agent      []string
	Services   []string
}) {
	b, err := os.ReadFile("../../sinks/hlsim/sigmafields.json")
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		panic(err)
	}
	return f
})

// onlyKnownNames fails for a logsource or a field that the contract does not name.
func onlyKnownNames(t failer, text string) {
	t.Helper()
	if unknown := unknownName(text); unknown != "" {
		t.Fatalf("agents do not know %s in\n%s", unknown, text)
	}
}

func unknownName(text string) string {
	r, err := evaluate.Read(text)
	if err != nil {
		return err.Error()
	}
	l, f := r.Logsource, facts()
	if l.Service != "" && !slices.Contains(f.Services, l.Service) {
		return "service " + l.Service
	}
	var visit func(any) string
	visit = func(v any) string {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				if bad := visit(one); bad != "" {
					return bad
				}
			}
			return ""
		case map[string]any:
			for key := range v {
				name, _, _ := strings.Cut(key, "|")
				if !factsKnow(l.Product, l.Category, name) && l.Service == "" && l.Category != "eventlog" || name == "Provider_Name" || name == "" {
					return "field " + name
				}
			}
			return ""
		}
		return "words without a field"
	}
	for _, s := range r.Detection {
		if bad := visit(s); bad != "" {
			return bad
		}
	}
	if l.Category != "" && f.Categories[l.Product][l.Category] == nil {
		return "category " + l.Category
	}
	return ""
}

func factsKnow(product, category, name string) bool {
	f := facts()
	prefixed := func(prefixes, names []string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { rest, ok := strings.CutPrefix(name, p); return ok && slices.Contains(names, rest) })
	}
	e := f.Everywhere[product]
	return slices.ContainsFunc(f.Categories[product][category], func(n string) bool {
		prefix, wild := strings.CutSuffix(n, "*")
		return n == name || wild && strings.HasPrefix(name, prefix)
	}) ||
		prefixed(f.Sessions[product].Prefixes, f.Sessions[product].Names) || slices.Contains(f.Agent, name) ||
		!slices.Contains(e.Except, category) && prefixed(e.Prefixes, e.Names)
}
