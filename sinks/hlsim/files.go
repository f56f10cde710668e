package hlsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func itoa(n int) string { return strconv.Itoa(n) }

// createFile answers the creation of a Sigma rule or YARA file with the status list of contract
// harfanglab-api 4.4.
func (s *Sim) createFile(kind string, r *Rule) answer {
	if a := tooLong("name", r.Name, 100); a != nil {
		return *a
	}
	code := http.StatusCreated
	if s.knobs.Sigma200 {
		code = http.StatusOK
	}
	entries := func(e ...map[string]any) answer {
		return answer{code, map[string]any{"status": append([]map[string]any{}, e...)}}
	}
	refuse := func(word, why string) answer {
		e := map[string]any{"filename": r.Name, "status": false, "code": word, "content": why}
		if s.knobs.SigmaNoStatus {
			delete(e, "status")
		}
		return entries(e)
	}
	switch {
	case s.knobs.SigmaEmptyStatus:
		return entries()
	case s.knobs.SigmaNoStatus:
		return refuse("invalid_sigma_content", "not taken")
	}
	r.ID = newID()
	if kind == "yara" {
		names, err := checkYARA(r.Content)
		if err != nil {
			return refuse("invalid_yara_content", err.Error())
		}
		r.RuleNames, r.Techniques = names, techniques(r.Content)
	} else {
		p, err := parseSigma(r.Content)
		if err != nil {
			return refuse("invalid_sigma_content", err.Error())
		}
		r.RuleID, r.RuleName, r.Techniques = strings.ToLower(orWord(p.id, r.ID)), p.title, techniques(r.Content)
		if !s.knobs.OwnSigmaIDs {
			r.ID = r.RuleID
		}
		if _, taken := s.stores[kind].sigmas[r.RuleID]; taken {
			if s.knobs.DuplicateAsEntry {
				return refuse("duplicate_rule", "Sigma rule with this Id already exists.")
			}
			return fields("id", "Sigma rule with this Id already exists.")
		}
		r.Content = p.text
	}
	given := r.Name
	s.put(kind, r)
	if s.knobs.SigmaBareObject {
		return answer{code, s.view(kind, r, false)}
	}
	return entries(map[string]any{"id": r.ID, "filename": given, "content": r.Content, "status": true, "code": ""})
}

// checkFile refuses a change, and derives what the server reads from the content.
func (s *Sim) checkFile(kind string, next, before *Rule) *answer {
	refuse := func(name, why string) *answer {
		a := fields(name, why)
		return &a
	}
	if a := tooLong("name", next.Name, 100); a != nil {
		return a
	}
	if next.Name == "" || next.Content == "" {
		return refuse("content", "This field may not be blank.")
	}
	if next.Content == before.Content {
		return nil
	}
	if kind == "yara" {
		names, err := checkYARA(next.Content)
		if err != nil {
			return refuse("content", err.Error())
		}
		next.RuleNames, next.Techniques = names, techniques(next.Content)
		return nil
	}
	p, err := parseSigma(next.Content)
	if err != nil {
		return refuse("content", err.Error())
	}
	if p.id != "" && !strings.EqualFold(p.id, before.RuleID) {
		return refuse("content", "The id of a Sigma rule cannot be changed.")
	}
	next.RuleName, next.Techniques, next.Content = p.title, techniques(next.Content), p.text
	return nil
}

// sigmaRule is what the manager reads of a Sigma rule. text is the rule as it stores it.
type sigmaRule struct{ id, title, text string }

// parseSigma takes only what compiles: one YAML mapping with title, logsource and a detection whose
// condition names selections that exist.
func parseSigma(content string) (sigmaRule, error) {
	dec := yaml.NewDecoder(strings.NewReader(content))
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return sigmaRule{}, fmt.Errorf("invalid YAML: %w", err)
	}
	var second any
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) && second != nil {
		return sigmaRule{}, errors.New("several documents")
	}
	r := sigmaRule{}
	r.title, _ = doc["title"].(string)
	if v, ok := doc["id"]; ok {
		r.id = strings.ToLower(strings.TrimSpace(fmt.Sprint(v)))
	}
	if strings.TrimSpace(r.title) == "" {
		return r, errors.New("title is missing")
	}
	if l, ok := doc["logsource"].(map[string]any); !ok || len(l) == 0 {
		return r, errors.New("logsource is missing")
	}
	det, ok := doc["detection"].(map[string]any)
	if !ok {
		return r, errors.New("detection is missing")
	}
	if err := checkCondition(det); err != nil {
		return r, err
	}
	// The manager stores a form of its own: keys sorted, other quotes, other indentation.
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return r, err
	}
	r.text = b.String()
	return r, nil
}

var (
	conditionWord = regexp.MustCompile(`[A-Za-z0-9_*]+`)
	conditionKey  = []string{"and", "or", "not", "of", "them", "all", "any", "near", "count", "by", "min", "max", "avg", "sum", "1"}
)

func checkCondition(det map[string]any) error {
	var conditions []string
	switch c := det["condition"].(type) {
	case string:
		conditions = []string{c}
	case []any:
		for _, one := range c {
			conditions = append(conditions, fmt.Sprint(one))
		}
	}
	if len(conditions) == 0 || strings.TrimSpace(conditions[0]) == "" {
		return errors.New("detection has no condition")
	}
	for _, c := range conditions {
		c, _, _ = strings.Cut(c, "|")
		for _, w := range conditionWord.FindAllString(c, -1) {
			if _, err := strconv.Atoi(w); err == nil || slices.Contains(conditionKey, strings.ToLower(w)) {
				continue
			}
			if !names(det, w) {
				return errors.New("condition references unknown selection " + w)
			}
		}
	}
	return nil
}

func names(det map[string]any, word string) bool {
	prefix, wild := strings.CutSuffix(word, "*")
	for k := range det {
		if k == word || wild && strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return strings.Contains(word, "*")
}

var (
	technique = regexp.MustCompile(`(?i)\bt\d{4}(?:\.\d{3})?\b`)
	yaraHead  = regexp.MustCompile(`(?m)^\s*(?:(?:private|global)\s+)*rule\s+([A-Za-z_]\w*)`)
	yaraNoise = regexp.MustCompile(`(?s)/\*.*?\*/|"(?:\\.|[^"\\\n])*"|//[^\n]*`)
	yaraRegex = regexp.MustCompile(`(?m)(=|matches|\(|,)\s*/(?:\\.|[^/\\\n])+/[is]*`)
)

func techniques(content string) []string {
	found := technique.FindAllString(strings.ToLower(content), -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// checkYARA is a rough compiler: names, braces and conditions.
func checkYARA(content string) ([]string, error) {
	text := yaraNoise.ReplaceAllStringFunc(content, func(s string) string {
		if s[0] == '"' {
			return `""`
		}
		return " "
	})
	text = yaraRegex.ReplaceAllString(text, "$1 ")
	var ruleNames []string
	for _, m := range yaraHead.FindAllStringSubmatch(text, -1) {
		if slices.Contains(ruleNames, m[1]) {
			return nil, fmt.Errorf("duplicated identifier %q", m[1])
		}
		ruleNames = append(ruleNames, m[1])
	}
	switch {
	case len(ruleNames) == 0:
		return nil, errors.New("syntax error: no rule")
	case strings.Count(text, "{") != strings.Count(text, "}"):
		return nil, errors.New("syntax error: unbalanced braces")
	case len(regexp.MustCompile(`\bcondition\s*:`).FindAllString(text, -1)) < len(ruleNames):
		return nil, errors.New("syntax error: a rule without condition")
	}
	return ruleNames, nil
}
