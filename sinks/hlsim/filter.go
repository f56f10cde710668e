package hlsim

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// ruleTest is what the parameters ask of a rule, all of it at once; nil when they ask nothing. The list
// is not among it. Parameters that are not known have no effect, rule_id among them (contract
// harfanglab-api 4.2, 4.3, 4.6).
func (k *Knobs) ruleTest(kind string, q query) (func(*row) bool, *answer) {
	var tests []func(*row) bool
	exact := func(name string, field func(*row) string) {
		if test := q.exact(name); test != nil {
			tests = append(tests, func(r *row) bool { return test(field(r)) })
		}
	}
	exact("name__exact", func(r *row) string { return r.name })
	switch kind {
	case IOC:
		exact("type", func(r *row) string { return r.typ })
		exact("value", func(r *row) string { return r.value })
		exact("value__exact", func(r *row) string { return r.value })
		for _, bound := range []string{"last_update__gte", "last_update__lte"} {
			test, bad := k.moment(bound, q.Get(bound))
			if bad != nil {
				return nil, bad
			}
			if test != nil {
				tests = append(tests, test)
			}
		}
	case Sigma:
		exact("rule_name__exact", func(r *row) string { return r.ruleName })
	}
	if v := strings.ToLower(q.Get("search")); v != "" {
		tests = append(tests, func(r *row) bool { return r.mentions(kind, v) })
	}
	if len(tests) == 0 {
		return nil, nil
	}
	return func(r *row) bool {
		for _, test := range tests {
			if !test(r) {
				return false
			}
		}
		return true
	}, nil
}

// moment is a bound of last_update. It takes one form only, with a space and in UTC (contract
// harfanglab-api 1.6).
func (k *Knobs) moment(name, v string) (func(*row) bool, *answer) {
	if v == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateTime, v)
	if err != nil && k.AnyDateForm {
		t, err = time.Parse(time.RFC3339, v)
	}
	if err != nil {
		return nil, &answer{status: http.StatusBadRequest, body: map[string][]string{name: {"Enter a valid date/time."}}}
	}
	at := t.UnixMicro()
	if strings.HasSuffix(name, "__gte") {
		return func(r *row) bool { return r.moved >= at }, nil
	}
	return func(r *row) bool { return r.moved <= at }, nil
}

// mentions is search: a substring of several columns, which finds near matches too.
func (r *row) mentions(kind, lower string) bool {
	switch kind {
	case IOC:
		return mentions(r.value, lower) || mentions(r.comment, lower) || mentions(r.description, lower)
	case Sigma:
		return mentions(r.name, lower) || mentions(r.ruleName, lower) || mentions(r.ruleID, lower) || mentions(r.content, lower)
	}
	return mentions(r.name, lower) || mentions(r.content, lower)
}

// mentions says whether s holds a text in lower case, in any case.
func mentions(s, lower string) bool {
	if lower[0] >= utf8.RuneSelf {
		return strings.Contains(strings.ToLower(s), lower)
	}
	for i := 0; i+len(lower) <= len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c == lower[0] && strings.EqualFold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}
