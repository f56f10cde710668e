package hlsim

import (
	"encoding/hex"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

var enums = map[string][]string{
	"hl_status":                {"stable", "testing", "experimental"},
	"global_state":             {"disabled", "backend_alert", "alert", "block", "quarantine"},
	"rule_level_override":      {"informational", "low", "medium", "high", "critical"},
	"rule_confidence_override": {"weak", "moderate", "strong"},
}

func (s *Sim) ruleCollection(r *http.Request, kind, user string) answer {
	switch r.Method {
	case http.MethodGet:
		return s.list(r, kind)
	case http.MethodPost:
		body, bad := members(r)
		if bad != nil {
			return *bad
		}
		return s.create(kind, body, user)
	}
	return detail(http.StatusMethodNotAllowed, "Method not allowed.")
}

func (s *Sim) list(r *http.Request, kind string) answer {
	q := r.URL.Query()
	st := s.stores[kind]
	rules := st.all()
	if id := q.Get("source_id"); id != "" {
		rules = st.of(id)
	}
	test, bad := s.matcher(kind, q)
	if bad != nil {
		return *bad
	}
	if id, ok := st.values[q.Get("source_id")+"\x00"+q.Get("type")+"\x00"+q.Get("value__exact")]; ok && kind == "ioc" && !s.knobs.IgnoreExact {
		rules = []*Rule{st.byID[id]} // the common look-up, without a scan
	}
	if test != nil {
		var kept []*Rule
		for _, rule := range rules {
			if test(rule) {
				kept = append(kept, rule)
			}
		}
		rules = kept
	}
	return s.page(r, len(rules), func(from, to int) any {
		out := make([]any, 0, to-from)
		for _, rule := range rules[from:to] {
			out = append(out, s.view(kind, rule, true))
		}
		return out
	})
}

// matcher is the filter of a list; nil lets everything through. Parameters that are not known are
// ignored.
func (s *Sim) matcher(kind string, q map[string][]string) (func(*Rule) bool, *answer) {
	get := func(k string) string {
		if v := q[k]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	var tests []func(*Rule) bool
	add := func(name string, test func(*Rule, string) bool) {
		if v := get(name); v != "" {
			tests = append(tests, func(r *Rule) bool { return test(r, v) })
		}
	}
	if !s.knobs.IgnoreExact {
		add("name__exact", func(r *Rule, v string) bool { return r.Name == v })
		if kind == "ioc" {
			add("type", func(r *Rule, v string) bool { return r.Type == v })
			add("value__exact", func(r *Rule, v string) bool { return r.Value == v })
			add("value", func(r *Rule, v string) bool { return r.Value == v })
		}
		if kind == "sigma" {
			add("rule_name__exact", func(r *Rule, v string) bool { return r.RuleName == v })
		}
	}
	add("search", func(r *Rule, v string) bool { return r.mentions(kind, strings.ToLower(v)) })
	if kind == "ioc" {
		for name, later := range map[string]bool{"last_update__gte": true, "last_update__lte": false} {
			v := get(name)
			if v == "" {
				continue
			}
			t, err := time.Parse(time.DateTime, v)
			if err != nil && s.knobs.AnyDateForm {
				t, err = time.Parse(time.RFC3339, v)
			}
			if err != nil {
				a := fields(name, "Enter a valid date/time.")
				return nil, &a
			}
			tests = append(tests, func(r *Rule) bool { return later != r.Updated.Before(t) || r.Updated.Equal(t) })
		}
	}
	if len(tests) == 0 {
		return nil, nil
	}
	return func(r *Rule) bool {
		for _, t := range tests {
			if !t(r) {
				return false
			}
		}
		return true
	}, nil
}

// mentions is search: a substring anywhere, without case, so that it returns near matches.
func (r *Rule) mentions(kind, v string) bool {
	texts := []string{r.Value, r.Comment, r.Description, r.Name}
	switch kind {
	case "sigma":
		texts = []string{r.Name, r.RuleName, r.RuleID, r.Content}
	case "yara":
		texts = append([]string{r.Name, r.Content}, r.RuleNames...)
	}
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), v) {
			return true
		}
	}
	return false
}

func (s *Sim) ruleItem(r *http.Request, kind, id, user string) answer {
	rule := s.stores[kind].byID[id]
	if rule == nil {
		return detail(http.StatusNotFound, "Not found.")
	}
	switch r.Method {
	case http.MethodGet:
		return answer{http.StatusOK, s.view(kind, rule, true)}
	case http.MethodDelete:
		if rule.Linked {
			return answer{http.StatusBadRequest, map[string]any{"code": "linked_sigma_rule", "linked_correlation": []any{map[string]string{"correlation_rule_name": "Recon burst"}}}}
		}
		s.stores[kind].remove(kind, id)
		return answer{http.StatusNoContent, nil}
	case http.MethodPatch, http.MethodPut:
		body, bad := members(r)
		if bad != nil {
			return *bad
		}
		return s.change(kind, rule, body, r.Method == http.MethodPut, user)
	}
	return detail(http.StatusMethodNotAllowed, "Method not allowed.")
}

// read copies the members of a body into a rule.
func (o object) read(kind string, r *Rule) *answer {
	if a := o.choices(enums); a != nil {
		return a
	}
	texts := map[string]*string{"source_id": &r.SourceID, "hl_status": &r.HLStatus, "global_state": &r.GlobalState, "rule_level_override": &r.Level, "rule_confidence_override": &r.Confidence, "name": &r.Name}
	if kind == "ioc" {
		texts["type"], texts["value"], texts["description"], texts["comment"] = &r.Type, &r.Value, &r.Description, &r.Comment
	} else {
		texts["content"] = &r.Content
	}
	if a := o.texts(texts); a != nil {
		return a
	}
	return o.flags(map[string]*bool{"enabled": &r.Enabled, "block_on_agent": &r.Block, "quarantine_on_agent": &r.Quarantine})
}

// couplingOf clears the stored state where a body says something newer by its flags.
func (o object) couplingOf(r *Rule) {
	if _, state := o["global_state"]; state {
		return
	}
	for _, flag := range []string{"enabled", "block_on_agent", "quarantine_on_agent"} {
		if _, set := o[flag]; set {
			r.GlobalState = ""
		}
	}
}

func (s *Sim) create(kind string, body object, user string) answer {
	r := &Rule{Enabled: true, HLStatus: "stable", Modifier: user}
	if a := body.read(kind, r); a != nil {
		return *a
	}
	body.couplingOf(r)
	required := map[string]string{"source_id": r.SourceID, "name": r.Name, "content": r.Content}
	if kind == "ioc" {
		required = map[string]string{"source_id": r.SourceID, "type": r.Type, "value": r.Value}
	}
	for name, v := range required {
		if v == "" {
			return fields(name, "This field is required.")
		}
	}
	if !s.hasSource(kind, r.SourceID) {
		return fields("source_id", "Invalid pk - object does not exist.")
	}
	if kind != "ioc" {
		return s.createFile(kind, r)
	}
	if a := s.checkIOC(r); a != nil {
		return *a
	}
	r.ID = newID()
	s.put(kind, r)
	return answer{http.StatusCreated, s.view(kind, r, true)}
}

// put stores a new rule; last_update is a little earlier than creation_date, as it is on a real
// manager.
func (s *Sim) put(kind string, r *Rule) {
	if s.knobs.TestingAsStable && r.HLStatus == "testing" {
		r.HLStatus = "stable"
	}
	s.munge(kind, r)
	r.couple()
	r.Updated = s.now()
	r.Created = s.now()
	s.stores[kind].insert(kind, r)
}

// munge does to texts what a server may do.
func (s *Sim) munge(kind string, r *Rule) {
	k := s.knobs
	cut := func(v *string, n int) {
		if rs := []rune(*v); n > 0 && len(rs) > n {
			*v = string(rs[:n])
		}
	}
	cut(&r.Description, k.CutDescription)
	cut(&r.Comment, k.CutComment)
	if k.FoldDescription {
		r.Description = strings.ToLower(r.Description)
	}
	if k.TrimTexts {
		r.Description, r.Comment = strings.TrimSpace(r.Description), strings.TrimSpace(r.Comment)
		if kind != "ioc" {
			r.Content = strings.TrimSpace(r.Content)
		}
	}
	if k.FoldValue {
		r.Value = strings.ToLower(r.Value)
	}
	if k.UpperValue && r.Type == "hash" {
		r.Value = strings.ToUpper(r.Value)
	}
	if k.CRLF && kind == "yara" {
		r.Content = strings.ReplaceAll(strings.ReplaceAll(r.Content, "\r\n", "\n"), "\n", "\r\n")
	}
	r.Name = strings.TrimSpace(r.Name)
}

func tooLong(name string, s string, most int) *answer {
	if most > 0 && utf8.RuneCountInString(s) > most {
		a := fields(name, "Ensure this field has no more than "+itoa(most)+" characters.")
		return &a
	}
	return nil
}

// checkIOC refuses what contract harfanglab-api 12.8 and 12.13 name.
func (s *Sim) checkIOC(r *Rule) *answer {
	if a := tooLong("comment", r.Comment, s.knobs.RefuseComment); a != nil {
		return a
	}
	if a := tooLong("description", r.Description, s.knobs.RefuseDescription); a != nil {
		return a
	}
	if why := badValue(r.Type, r.Value); why != "" {
		name := "value"
		if why == "type" {
			name, why = "type", `"`+r.Type+`" is not a valid choice.`
		}
		a := fields(name, why)
		return &a
	}
	munged := *r
	s.munge("ioc", &munged)
	if !s.stores["ioc"].free("ioc", &munged) {
		a := answer{http.StatusBadRequest, map[string][]string{"__all__": {"['Ioc rule with this Type, Value and Source already exists.']"}}}
		return &a
	}
	return nil
}

var hexForm = regexp.MustCompile(`^[0-9A-Fa-f]+$`)

// badValue says what is wrong with a value, "type" if it is the type.
func badValue(typ, value string) string {
	switch typ {
	case "hash":
		if n := hex.DecodedLen(len(value)); !hexForm.MatchString(value) || len(value)%2 != 0 || n != 16 && n != 20 && n != 32 {
			return "Invalid hash."
		}
	case "domain_name":
		if !strings.Contains(value, ".") || strings.ContainsAny(value, " /") {
			return "Invalid domain name."
		}
	case "ip_src", "ip_dst", "ip_both":
		_, err := netip.ParseAddr(value)
		_, err2 := netip.ParsePrefix(value)
		if err != nil && err2 != nil {
			return "Invalid IP address."
		}
	case "filename", "filepath", "url":
		if strings.TrimSpace(value) == "" {
			return "This field may not be blank."
		}
	default:
		return "type"
	}
	return ""
}

func (s *Sim) change(kind string, rule *Rule, body object, whole bool, user string) answer {
	next := *rule
	if whole && kind == "ioc" {
		for _, name := range []string{"type", "value", "source_id"} {
			if _, ok := body[name]; !ok {
				return fields(name, "This field is required.")
			}
		}
	}
	if a := body.read(kind, &next); a != nil {
		return *a
	}
	body.couplingOf(&next)
	if !s.hasSource(kind, next.SourceID) {
		return fields("source_id", "Invalid pk - object does not exist.")
	}
	if s.knobs.RefuseDisableText && !next.Enabled && (next.Comment != rule.Comment || next.Content != rule.Content) {
		return fields("content", "A disabled rule cannot be edited.")
	}
	if kind == "ioc" {
		if a := s.checkIOC(&next); a != nil {
			return *a
		}
	} else if a := s.checkFile(kind, &next, rule); a != nil {
		return *a
	}
	s.munge(kind, &next)
	next.couple()
	next.Updated, next.Modifier = s.now(), user
	st := s.stores[kind]
	st.unindex(kind, rule)
	if next.SourceID != rule.SourceID {
		next.SourceID = rule.SourceID // moving rules between lists is not needed here
	}
	*rule = next
	st.index(kind, rule)
	return answer{http.StatusOK, s.view(kind, rule, true)}
}
