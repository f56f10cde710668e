package sigma

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// translator changes the tree of one rule for one product.
type translator struct {
	root  *yaml.Node
	table *table
	*detection
	public    public
	product   string
	category  string // as agents know it, as the service and the channel below
	service   string
	channel   string
	signs     map[string]*signs
	droppable bool     // of the selection at hand: an alternative may go
	missed    names    // of the selection at hand: what cannot be said
	unknown   []string // the same of selections that cannot be said
	copied    int      // by all copies of mappings
	changes   names
	notes     names
	unsaid    int // what the notes have no room for
}

// translate changes the tree; the skip says why it cannot be said.
func (t *translator) translate(product string) *reconcile.Skip {
	var err error
	if t.detection, err = detectionOf(t.root); err != nil {
		return &reconcile.Skip{Reason: reconcile.InvalidRule, Detail: "Sigma: " + err.Error()}
	}
	t.product = product
	if !t.logsource() {
		return &reconcile.Skip{Reason: reconcile.UnsupportedLogsource, Detail: describe(t.source)}
	}
	t.signs = map[string]*signs{}
	for _, c := range t.parsed {
		c.root.polarity(true, t.signs)
	}
	bad := map[string]bool{}
	for name, n := range t.selections {
		asked := t.signs[name]
		t.droppable, t.missed = asked != nil && !asked.no, names{}
		now, ok := t.selection(*n)
		switch *n = now; {
		case ok:
			t.narrow(t.missed.all...)
		case asked != nil:
			t.unknown = append(t.unknown, t.missed.all...)
			fallthrough
		default:
			bad[name] = true
		}
	}
	if t.copied > mostCopied {
		return &reconcile.Skip{Reason: reconcile.TooLong, Detail: "its Hashes are of several algorithms, and with what stands beside them too many to tell apart"}
	}
	if skip := t.branches(bad); skip != nil {
		return skip
	}
	if skip := t.events(); skip != nil {
		return skip
	}
	return t.condition(bad)
}

// describe names a logsource.
func describe(source *yaml.Node) string {
	var parts []string
	for _, key := range []string{"product", "category", "service"} {
		if word := yamltext.Text(yamltext.Member(source, key)); word != "" {
			parts = append(parts, key+" "+word)
		}
	}
	return "no agent knows " + strings.Join(parts, ", ")
}

// logsource finds the public logsource of a rule and writes that of HarfangLab.
func (t *translator) logsource() bool {
	category, service := yamltext.Text(yamltext.Member(t.source, "category")), yamltext.Text(yamltext.Member(t.source, "service"))
	var ok bool
	if t.public, ok = t.table.find(t.product, category, service); !ok {
		return false
	}
	t.category, t.service = category, service
	if to := t.public.To; to.Category+to.Service != "" {
		t.category, t.service = to.Category, to.Service
	}
	if t.channel = t.public.Channel; t.channel == "" {
		t.channel = t.table.Services[t.service]
	}
	if t.channel != "" && (t.public.Channel != "" || t.tests("Provider_Name")) {
		t.category, t.service = "eventlog", ""
	}
	t.writeSource(category, service)
	return true
}

// writeSource writes the logsource that a category or a service has become.
func (t *translator) writeSource(category, service string) {
	wasKey, was := "category", category
	if category == "" {
		wasKey, was = "service", service
	}
	key, now := "category", t.category
	if t.category == "" {
		key, now = "service", t.service
	}
	if v := yamltext.Member(t.source, "product"); yamltext.Text(v) != "" {
		v.Value = t.product
	}
	if key == wasKey && now == was {
		return
	}
	for i := 0; i+1 < len(t.source.Content); i += 2 {
		if t.source.Content[i].Value == wasKey {
			t.source.Content[i].Value, t.source.Content[i+1].Value = key, now
		}
	}
	t.change("logsource " + wasKey + " " + was + " is " + key + " " + now)
}

// tests says whether any selection names a field.
func (t *translator) tests(field string) bool {
	found := false
	for _, n := range t.selections {
		selectionValue(*n, func(f, _ string, _ *yaml.Node) truth {
			found = found || f == field
			return perhaps
		})
	}
	return found
}

// narrow notes what a rule misses, and of more than most only how many.
func (t *translator) narrow(what ...string) {
	const most = 100
	for _, w := range what {
		if len(t.notes.all) < most {
			t.notes.add("narrower: " + w)
		} else {
			t.unsaid++
		}
	}
}

// branches takes out the selections that cannot be said, where they are branches of an OR.
func (t *translator) branches(bad map[string]bool) *reconcile.Skip {
	if len(bad) == 0 {
		return nil
	}
	for _, c := range t.parsed {
		if !c.root.sayable(bad) {
			slices.Sort(t.unknown)
			return &reconcile.Skip{Reason: reconcile.UnsupportedField, Detail: t.where() + " has no " + strings.Join(slices.Compact(t.unknown), ", ")}
		}
	}
	for i := len(t.node.Content) - 2; i >= 0; i -= 2 {
		if name := t.node.Content[i].Value; bad[name] {
			t.node.Content = slices.Delete(t.node.Content, i, i+2)
			t.change("selection " + name + " is left out")
			if t.signs[name] != nil {
				t.narrow("the branch " + name)
			}
		}
	}
	t.names.drop(bad)
	return nil
}

// where names the events that a rule is about.
func (t *translator) where() string {
	if t.category != "" && t.category != "eventlog" {
		return t.product + " " + t.category
	}
	return "an event log"
}

// events judges the tests for which no event ever comes.
func (t *translator) events() *reconcile.Skip {
	var missing names
	total := t.value(func(name string, n *yaml.Node) truth {
		return t.reaches(n, func(what string) {
			if s := t.signs[name]; s != nil && s.yes {
				missing.add(what)
			}
		})
	})
	slices.Sort(missing.all)
	if total == never && len(missing.all) > 0 {
		return &reconcile.Skip{Reason: reconcile.UnsupportedEvent, Detail: "HarfangLab has no " + strings.Join(missing.all, ", ")}
	}
	t.narrow(missing.all...)
	if w := t.public.Narrower; w != "" {
		t.narrow(w)
	}
	if w := t.public.Wider; w != "" {
		t.notes.add("wider: " + w)
	}
	return nil
}

// reaches says whether a selection can hold of the events that agents have, and tells which do not come.
func (t *translator) reaches(n *yaml.Node, tell func(string)) truth {
	if n.Kind == yaml.SequenceNode {
		best := never
		for _, c := range n.Content {
			best = max(best, t.reaches(c, tell))
		}
		return best
	}
	var providers []string
	if t.channel != "" {
		for _, field := range []string{"Provider", "Provider_Name"} {
			if v := yamltext.Member(n, field); v != nil {
				for _, p := range values(v) {
					providers = append(providers, p.Value)
				}
			}
		}
	}
	if slices.ContainsFunc(providers, func(p string) bool { return strings.ContainsAny(p, "*?") }) {
		providers = nil
	}
	logs := t.table.logs(t.channel, providers)
	if len(providers) > 0 && len(logs) == 0 {
		tell("events of " + strings.Join(providers, ", ") + " in " + t.channel)
		return never
	}
	return selectionValue(n, func(field, modifiers string, value *yaml.Node) truth {
		if modifiers != "" {
			return perhaps
		}
		comes := false
		for _, v := range values(value) {
			switch id, err := strconv.Atoi(v.Value); {
			case slices.Contains(t.table.Never[t.category][field], v.Value):
				tell(field + " " + v.Value)
			case t.channel != "" && field == "EventID" && err == nil && !slices.ContainsFunc(logs, func(e eventlog) bool { return e.has(id) }):
				tell("EventID " + v.Value + " in " + t.channel)
			default:
				comes = true
			}
		}
		if comes {
			return perhaps
		}
		return never
	})
}

// condition joins the conditions with a selection of what has to be added, and writes them without the
// branches that were taken out.
func (t *translator) condition(bad map[string]bool) *reconcile.Skip {
	ours := t.added()
	name := ""
	if ours != nil {
		name = t.freeName()
	}
	for i, c := range t.parsed {
		if c.rest != "" || c.root.counts(name) { // what counts events is a correlation by now, and kept apart
			return &reconcile.Skip{Reason: reconcile.UnsupportedField, Detail: t.where() + " has no way to say the condition " + c.src}
		}
		text := c.text(bad, name)
		if ours != nil {
			text = "(" + strings.TrimSpace(text) + ") and " + name + c.src[len(strings.TrimRight(c.src, "\n")):]
		}
		t.conditions[i].Value = text
	}
	if ours == nil {
		return nil
	}
	at := 0
	for i := 0; i+1 < len(t.node.Content); i += 2 {
		if t.node.Content[i].Value != "condition" && t.node.Content[i].Value != "timeframe" {
			at = i + 2
		}
	}
	t.node.Content = slices.Insert(t.node.Content, at, yamltext.Scalar(name), ours)
	return nil
}

// added is the selection of what a rule has to test as well, nil where its own tests say as much.
func (t *translator) added() *yaml.Node {
	want := maps.Clone(t.public.Add)
	for field, own := range t.public.Own {
		if t.testsFor(field, own) {
			return nil // the rule is in HarfangLab's terms already
		}
	}
	if t.channel != "" && t.category == "eventlog" {
		if want == nil {
			want = map[string][]string{}
		}
		want["LogName"] = []string{t.channel}
	}
	ours := yamltext.Mapping()
	for _, field := range slices.Sorted(maps.Keys(want)) {
		if t.implies(field, want[field]) {
			continue
		}
		var list []*yaml.Node
		for _, v := range want[field] {
			n := yamltext.Scalar(v)
			if _, err := strconv.Atoi(v); err == nil {
				n.Tag = "!!int"
			}
			list = append(list, n)
		}
		value := list[0]
		if len(list) > 1 {
			value = yamltext.List(list...)
		}
		ours.Content = append(ours.Content, yamltext.Scalar(field), value)
		t.change(field + " " + strings.Join(want[field], " or ") + " is asked for as well")
	}
	if len(ours.Content) == 0 {
		return nil
	}
	return ours
}

// testsFor says whether a rule tests a field for one of some values.
func (t *translator) testsFor(field string, some []string) bool {
	found := false
	for _, n := range t.selections {
		selectionValue(*n, func(f, _ string, value *yaml.Node) truth {
			found = found || f == field && slices.ContainsFunc(values(value), func(v *yaml.Node) bool { return slices.Contains(some, v.Value) })
			return perhaps
		})
	}
	return found
}

// implies says whether a rule only fires where a field has one of some values.
func (t *translator) implies(field string, some []string) bool {
	return t.value(func(_ string, n *yaml.Node) truth {
		return selectionValue(n, func(f, modifiers string, value *yaml.Node) truth {
			if f != field || modifiers != "" || slices.ContainsFunc(values(value), func(v *yaml.Node) bool { return !slices.Contains(some, v.Value) }) {
				return perhaps
			}
			return never
		})
	}) == never
}

// freeName is a name for our own selection: one that the rule does not use and, where there is any, that
// no quantifier of the condition stands for.
func (t *translator) freeName() string {
	const base = "harfanglab"
	first := ""
	for i := range len(t.names.all) + 2 {
		for _, name := range []string{base, "only_" + base, "also_" + base} {
			if i > 0 {
				name += strconv.Itoa(i)
			}
			if t.names.known[name] {
				continue
			}
			if first == "" {
				first = name
			}
			if !slices.ContainsFunc(t.parsed, func(c *condition) bool { return c.root.catches(name) }) {
				return name
			}
		}
	}
	return first
}

// catches says whether a quantifier of a condition stands for a name.
func (e *expr) catches(name string) bool {
	return e.op == "of" && caught(e.pattern, name) || slices.ContainsFunc(e.kids, func(k *expr) bool { return k.catches(name) })
}

// counts says whether a quantifier that asks for some of several, not one and not all, stands for a name.
func (e *expr) counts(name string) bool {
	return name != "" && e.op == "of" && e.need > 1 && caught(e.pattern, name) || slices.ContainsFunc(e.kids, func(k *expr) bool { return k.counts(name) })
}
