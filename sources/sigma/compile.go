package sigma

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/reconcile/yamltext"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// source is where a compiled rule looks.
type source struct{ product, category string }

// clause is a term of a pattern in the fields of one source: all of its mappings hold, and none of without.
type clause struct {
	mappings []map[string][]string
	without  []map[string][]string
	notes    []string
	taken    map[string]int // how many of the mappings, the first ones, have a key
}

// matchesEverything says whether a clause holds for an event of which its tests know nothing.
func (c *clause) matchesEverything() bool {
	holds := func(m map[string][]string) bool {
		for key, texts := range m {
			_, modifiers, _ := strings.Cut(key, "|")
			var list []*yaml.Node
			for _, text := range texts {
				list = append(list, yamltext.Scalar(text))
			}
			if holdsAnyhow("", modifiers, yamltext.List(list...)) != always {
				return false
			}
		}
		return true
	}
	return !slices.ContainsFunc(c.mappings, func(m map[string][]string) bool { return !holds(m) }) && !slices.ContainsFunc(c.without, holds)
}

// Compile says a STIX pattern that no list of values can say as Sigma rules, one for each product and
// event. Each rule alone is true to the pattern, and together they say all of it; otherwise there is none.
// excluded says which values are never deployed.
func Compile(ind *reconcile.Indicator, excluded func(reconcile.Value) (entry string, hit bool)) []reconcile.Compiled {
	clauses := clausesFor(ind, excluded)
	var rules []reconcile.Compiled
	for _, at := range slices.SortedFunc(maps.Keys(clauses), func(a, b source) int {
		return cmp.Or(cmp.Compare(a.product, b.product), cmp.Compare(a.category, b.category))
	}) {
		rules = append(rules, compiled(ind, at, clauses[at]))
	}
	return rules
}

// Compilable says whether Compile gives any rule.
func Compilable(ind *reconcile.Indicator, excluded func(reconcile.Value) (entry string, hit bool)) bool {
	return len(clausesFor(ind, excluded)) > 0
}

// clausesFor says a pattern for each source that can. None where one of its terms cannot be said, and where a
// rule would hold for every event.
func clausesFor(ind *reconcile.Indicator, excluded func(reconcile.Value) (entry string, hit bool)) map[source][]*clause {
	terms, ok := pattern.Terms(ind.Pattern)
	if !ok {
		return nil
	}
	clauses := map[source][]*clause{}
	for _, term := range eachEnd(terms) {
		said := false
		for _, product := range products(ind) {
			for category, c := range clausesOf(term, product, excluded) {
				if c.matchesEverything() {
					return nil
				}
				said = true
				at := source{product, category}
				clauses[at] = append(clauses[at], c)
			}
		}
		if !said {
			return nil
		}
	}
	return clauses
}

// eachEnd says which end of a connection an address is that stands beside one: either.
func eachEnd(terms [][]pattern.Comparison) [][]pattern.Comparison {
	var out [][]pattern.Comparison
	for _, term := range terms {
		at, others := -1, 0
		for i, c := range term {
			switch c.Object {
			case "ipv4-addr", "ipv6-addr":
				if at, others = i, others+1; c.Negated || c.Path != "value" {
					at = -1
				}
			case "network-traffic":
			default:
				others = 2
			}
		}
		if at < 0 || others > 1 || len(term) == 1 {
			out = append(out, term)
			continue
		}
		for _, end := range []string{"dst_ref.value", "src_ref.value"} {
			one := slices.Clone(term)
			one[at].Object, one[at].Path = "network-traffic", end
			out = append(out, one)
		}
	}
	return out
}

// products are what an indicator is for: its platforms, or all.
func products(ind *reconcile.Indicator) []string {
	all := slices.Sorted(maps.Keys(known().Products))
	named := slices.DeleteFunc(slices.Clone(all), func(p string) bool {
		return !slices.ContainsFunc(ind.Platforms, func(s string) bool { return strings.EqualFold(s, p) })
	})
	if len(named) > 0 {
		return named
	}
	return all
}

// compiled writes the rule of one source.
func compiled(ind *reconcile.Indicator, at source, clauses []*clause) reconcile.Compiled {
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("harfangsync:behaviour:"+ind.ID+":"+at.product+":"+at.category)).String()
	name := cmp.Or(strings.TrimSpace(ind.Name), "STIX pattern") + " (" + at.product + " " + at.category + ")"
	r := reconcile.Compiled{ID: id, Name: marker.Name(name, ind.ID)}
	var b strings.Builder
	line := func(indent int, key, value string) {
		b.WriteString(strings.Repeat(" ", indent) + key + ":")
		if value != "" {
			b.WriteString(" " + value)
		}
		b.WriteByte('\n')
	}
	line(0, "title", yamltext.Quote(r.Name))
	line(0, "id", id)
	line(0, "status", "experimental")
	if text := marker.Normal(ind.Description); text != "" {
		line(0, "description", yamltext.Quote(text))
	}
	line(0, "author", marker.Compiled)
	if tags := attackTags(ind.Phases); len(tags) > 0 {
		line(0, "tags", "")
		for _, tag := range tags {
			b.WriteString("    - " + tag + "\n")
		}
	}
	line(0, "logsource", "")
	line(4, "product", at.product)
	line(4, "category", at.category)
	line(0, "detection", "")
	var condition []string
	for i, c := range clauses {
		var parts []string
		for _, m := range c.mappings {
			name := "selection_" + number(i, len(parts))
			line(4, name, "")
			writeMapping(&b, m, 8)
			parts = append(parts, name)
		}
		if len(c.without) > 0 {
			name := "filter_" + number(i, 0)
			line(4, name, "")
			for _, m := range c.without {
				b.WriteString(strings.Repeat(" ", 8) + "-\n")
				writeMapping(&b, m, 12)
			}
			parts = append(parts, "not "+name)
		}
		condition = append(condition, "("+strings.Join(parts, " and ")+")")
		for _, note := range c.notes {
			if !slices.Contains(r.Notes, note) {
				r.Notes = append(r.Notes, note)
			}
		}
	}
	line(4, "condition", strings.Join(condition, " or "))
	line(0, "level", level(ind.Score))
	r.Text = b.String()
	return r
}

var phaseName = regexp.MustCompile(`^mitre-attack:([a-z-]+)$`)

// attackTags are Sigma's tags for the phases of ATT&CK.
func attackTags(phases []string) []string {
	var tags []string
	for _, p := range phases {
		if m := phaseName.FindStringSubmatch(strings.ToLower(p)); m != nil {
			tags = append(tags, "attack."+m[1])
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func writeMapping(b *strings.Builder, m map[string][]string, indent int) {
	blank := strings.Repeat(" ", indent)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if len(m[key]) == 1 {
			b.WriteString(blank + key + ": " + yamltext.Quote(m[key][0]) + "\n")
			continue
		}
		b.WriteString(blank + key + ":\n")
		for _, v := range m[key] {
			b.WriteString(blank + "    - " + yamltext.Quote(v) + "\n")
		}
	}
}

// number tells the selections of clause i apart.
func number(i, part int) string {
	name := itoa(i + 1)
	if part > 0 {
		name += "_" + itoa(part+1)
	}
	return name
}

// level is that of an indicator's score.
func level(score *int) string {
	const high, medium = 80, 50
	switch {
	case score == nil || *score >= medium && *score < high:
		return "medium"
	case *score >= high:
		return "high"
	}
	return "low"
}
