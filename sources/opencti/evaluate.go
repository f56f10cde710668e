package opencti

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Filters are evaluated here once more, since a platform, or something in front of it, may ignore them: an indicator that
// surely does not pass is not believed to have passed. What only the platform can tell, such as a comparison of texts with
// accents, or what an account may not see, is its word. Of the two meanings that a stored filter has (contract opencti-api
// 3.3) it is that of the database, which all reads go to.

// truth is whether an indicator passes.
type truth int8

const (
	no    truth = -1
	maybe truth = 0
	yes   truth = 1
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// column is what a filter key reads of an indicator, by one of its members.
type column struct {
	fields string // what a request has to ask for beside what all do
	text   func(w *wireIndicator) []string
	ids    func(w *wireIndicator) []string // that an account may see in part
	flag   func(w *wireIndicator) *bool
	number func(w *wireIndicator) *int
	date   func(w *wireIndicator) moment
}

// columns are the keys that can be evaluated here.
var columns = map[string]column{
	"ids":                            {fields: "x_opencti_stix_ids", ids: (*wireIndicator).ids},
	"entity_type":                    {text: func(*wireIndicator) []string { return indicatorTypes }},
	"pattern_type":                   {text: func(w *wireIndicator) []string { return one(w.PatternType) }},
	"pattern":                        {text: func(w *wireIndicator) []string { return one(w.Pattern) }},
	"name":                           {text: func(w *wireIndicator) []string { return one(w.Name) }},
	"description":                    {text: func(w *wireIndicator) []string { return one(w.Description) }},
	"x_mitre_platforms":              {text: func(w *wireIndicator) []string { return filled(w.Platforms) }},
	"x_opencti_main_observable_type": {fields: "x_opencti_main_observable_type", text: func(w *wireIndicator) []string { return one(w.MainType) }},
	"indicator_types":                {fields: "indicator_types", text: func(w *wireIndicator) []string { return filled(w.Types) }},
	"objectLabel":                    {fields: "labels: objectLabel { id }", text: (*wireIndicator).labels},
	"objectMarking":                  {fields: "markings: objectMarking { id }", ids: func(w *wireIndicator) []string { return named(w.MarkingIDs...) }},
	"createdBy":                      {fields: "author: createdBy { id }", ids: func(w *wireIndicator) []string { return named(w.AuthorID) }},
	"creator_id":                     {fields: "creators { id }", ids: func(w *wireIndicator) []string { return named(w.Creators...) }},
	"killChainPhases":                {fields: "phases: killChainPhases { id }", ids: func(w *wireIndicator) []string { return named(w.PhaseIDs...) }},
	"revoked":                        {flag: func(w *wireIndicator) *bool { return w.Revoked }},
	"x_opencti_detection":            {flag: func(w *wireIndicator) *bool { return w.Detection }},
	"x_opencti_score":                {number: func(w *wireIndicator) *int { return w.Score }},
	"confidence":                     {fields: "confidence", number: func(w *wireIndicator) *int { return w.Confidence }},
	"valid_from":                     {date: func(w *wireIndicator) moment { return w.ValidFrom }},
	"valid_until":                    {date: func(w *wireIndicator) moment { return w.ValidUntil }},
	"created":                        {fields: "created", date: func(w *wireIndicator) moment { return w.Created }},
	"modified":                       {fields: "modified", date: func(w *wireIndicator) moment { return w.Modified }},
	"created_at":                     {date: func(w *wireIndicator) moment { return w.CreatedAt }},
	"updated_at":                     {date: func(w *wireIndicator) moment { return w.UpdatedAt }},
}

// indicatorTypes are the types of an indicator, its own first.
var indicatorTypes = []string{"Indicator", "Stix-Domain-Object", "Stix-Core-Object", "Stix-Object", "Basic-Object"}

// hasID is an object of which the id alone is read.
type hasID struct {
	ID string `json:"id"`
}

func named(objects ...*hasID) (ids []string) {
	for _, o := range objects {
		if o != nil && o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

func one(s *string) []string { return filled([]*string{s}) }

// filled are the texts that are not empty: an empty one is missing to the platform.
func filled(all []*string) (texts []string) {
	for _, s := range all {
		if s != nil && strings.TrimSpace(*s) != "" {
			texts = append(texts, *s)
		}
	}
	return texts
}

// labels are the ids and the texts of the labels, since filters name either.
func (w *wireIndicator) labels() []string {
	texts := named(w.LabelIDs...)
	for _, l := range w.Labels {
		if l != nil {
			texts = append(texts, one(l.Value)...)
		}
	}
	return texts
}

// fields are what a filter asks to be read.
func (g *FilterGroup) fields() string {
	if g == nil {
		return ""
	}
	all := map[string]bool{}
	var note func(*FilterGroup)
	note = func(g *FilterGroup) {
		for _, f := range g.Filters {
			for _, k := range f.Key {
				all[columns[k].fields] = true
			}
		}
		for _, s := range g.FilterGroups {
			note(s)
		}
	}
	note(g)
	delete(all, "")
	return strings.Join(slices.Sorted(maps.Keys(all)), " ")
}

// Check says what of a filter cannot be evaluated here.
func (g *FilterGroup) Check() error {
	if g == nil {
		return nil
	}
	for i := range g.Filters {
		if err := g.Filters[i].check(); err != nil {
			return err
		}
	}
	for _, s := range g.FilterGroups {
		if err := s.Check(); err != nil {
			return err
		}
	}
	return nil
}

func (f *Filter) check() error {
	for _, key := range f.Key {
		c, ok := columns[key]
		if !ok {
			return fmt.Errorf("%q cannot be evaluated here: %s", key, f.words())
		}
		if _, err := f.of(&c, &wireIndicator{}); err != nil {
			return fmt.Errorf("%w: %s", err, f.words())
		}
	}
	return nil
}

// passes says whether an indicator passes a filter that Check found nothing wrong with.
func (g *FilterGroup) passes(w *wireIndicator) truth {
	if g == nil || len(g.Filters)+len(g.FilterGroups) == 0 {
		return yes
	}
	best, worst := no, yes
	note := func(t truth) { best, worst = max(best, t), min(worst, t) }
	for i := range g.Filters {
		note(g.Filters[i].passes(w))
	}
	for _, s := range g.FilterGroups {
		note(s.passes(w))
	}
	if g.Mode == "or" {
		return best
	}
	return worst
}

func (f *Filter) passes(w *wireIndicator) truth {
	best := no
	for _, key := range f.Key { // of several any may match
		c, ok := columns[key]
		t, err := f.of(&c, w)
		if !ok || err != nil {
			t = maybe
		}
		best = max(best, t)
	}
	return best
}

// of evaluates a filter on one of its keys.
func (f *Filter) of(c *column, w *wireIndicator) (truth, error) {
	op, negative := strings.CutPrefix(f.Operator, "not_")
	if op == "nil" {
		return signed(c.missing(w), negative), nil
	}
	if len(f.Values) == 0 {
		return maybe, errors.New("no values")
	}
	if op == "only_eq_to" && c.text != nil {
		return signed(sameTexts(c.text(w), f.Values), negative), nil
	}
	if op == "within" && c.date != nil && len(f.Values) == 2 {
		from, err := c.test(w, "gte", f.Values[0])
		if err != nil {
			return maybe, err
		}
		to, err := c.test(w, "lte", f.Values[1])
		return min(from, to), err
	}
	best, worst := no, yes
	for _, v := range f.Values {
		t, err := c.test(w, op, v)
		if err != nil {
			return maybe, err
		}
		if c.ids == nil { // of ids none may be there, whatever the mode
			t = signed(t, negative)
		}
		best, worst = max(best, t), min(worst, t)
	}
	switch {
	case c.ids != nil:
		return signed(best, negative), nil
	case f.Mode == "and":
		return worst, nil
	}
	return best, nil
}

func signed(t truth, negative bool) truth {
	if negative {
		return -t
	}
	return t
}

func (c *column) missing(w *wireIndicator) truth {
	switch {
	case c.flag != nil:
		return truthOf(c.flag(w) == nil)
	case c.number != nil:
		return truthOf(c.number(w) == nil)
	case c.date != nil:
		return truthOf(c.date(w).IsZero())
	case c.ids != nil && len(c.ids(w)) == 0:
		return maybe // there may be some that the account does not see
	case c.ids != nil:
		return no
	}
	have := c.text(w)
	if slices.ContainsFunc(have, unsure) {
		return maybe
	}
	return truthOf(len(have) == 0)
}

// test evaluates one operator with one value.
func (c *column) test(w *wireIndicator, op, value string) (truth, error) {
	switch {
	case c.flag != nil:
		if op != "eq" || value != "true" && value != "false" {
			return maybe, fmt.Errorf("%s %q is no test of true and false", op, value)
		}
		have := c.flag(w)
		return truthOf(have != nil && *have == (value == "true")), nil
	case c.number != nil:
		n, err := strconv.ParseFloat(value, 64)
		is, ok := comparisons[op]
		if err != nil || !ok {
			return maybe, fmt.Errorf("%s %q is no test of a number", op, value)
		}
		have := c.number(w)
		return truthOf(have != nil && is(cmp.Compare(float64(*have), n))), nil
	case c.date != nil:
		at, err := time.Parse(time.RFC3339, value)
		is, ok := comparisons[op]
		if err != nil || !ok {
			return maybe, fmt.Errorf("%s %q is no test of a time", op, value)
		}
		have := c.date(w)
		return truthOf(!have.IsZero() && is(have.Compare(at.Truncate(time.Millisecond)))), nil
	case c.ids != nil:
		if op != "eq" {
			return maybe, fmt.Errorf("%s is no test of an id", op)
		}
		have := c.ids(w)
		if slices.Contains(have, value) {
			return yes, nil
		}
		if len(have) == 0 {
			return maybe, nil
		}
		return no, nil
	}
	return testTexts(c.text(w), op, value)
}

var comparisons = map[string]func(int) bool{
	"eq":  func(c int) bool { return c == 0 },
	"lt":  func(c int) bool { return c < 0 },
	"lte": func(c int) bool { return c <= 0 },
	"gt":  func(c int) bool { return c > 0 },
	"gte": func(c int) bool { return c >= 0 },
}

// unsure says that the platform may hold another form of a text than the one that is shown: it folds what is not ASCII, and
// does not index what is long.
func unsure(s string) bool {
	return len(s) > 512 || strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) >= 0
}

func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// testTexts says whether one of some texts passes.
func testTexts(have []string, op, value string) (truth, error) {
	want := folded(value)
	var is func(s string) bool
	switch op {
	case "eq":
		is = func(s string) bool { return s == want }
	case "contains":
		is = func(s string) bool { return strings.Contains(s, want) }
	case "starts_with":
		is = func(s string) bool { return strings.HasPrefix(s, want) }
	case "ends_with":
		is = func(s string) bool { return strings.HasSuffix(s, want) }
	case "wildcard":
		re, err := regexp.Compile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(want)) + `$`)
		if err != nil {
			return maybe, err
		}
		is = re.MatchString
	default:
		return maybe, fmt.Errorf("%s is no test of a text that could be evaluated here", op)
	}
	best := no
	for _, s := range have {
		switch {
		case unsure(s) || unsure(value):
			best = max(best, maybe)
		case is(folded(s)):
			best = yes
		}
	}
	return best, nil
}

// sameTexts says whether two lists hold the same texts.
func sameTexts(have, want []string) truth {
	if slices.ContainsFunc(slices.Concat(have, want), unsure) {
		return maybe
	}
	form := func(all []string) []string {
		out := make([]string, len(all))
		for i, s := range all {
			out[i] = folded(s)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return truthOf(slices.Equal(form(have), form(want)))
}
