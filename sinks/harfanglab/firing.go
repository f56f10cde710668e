package harfanglab

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// Rule reads one rule by the id of its path or, of a Sigma rule, by that of its YAML, since managers
// differ in what they take (contract harfanglab-api 4.3). nil is a rule that is not there, an id of a
// form that the manager does not take, or a manager that does not serve single rules.
func (c *Client) Rule(ctx context.Context, k reconcile.Kind, id string) (*reconcile.Located, error) {
	path, ok := itemPath(rulePath(k), id)
	if !ok {
		return nil, nil
	}
	var w wireRule
	_, err := c.do(ctx, call{method: http.MethodGet, path: path, repeatable: true, into: &w})
	if e, failed := errors.AsType[*Error](err); failed && slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest}, e.Status) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	row, err := w.row(k)
	if err != nil {
		return nil, shapeError(path, err.Error())
	}
	if id = strings.TrimSpace(id); !strings.EqualFold(row.ID, id) && !strings.EqualFold(row.RuleID, id) {
		return nil, shapeError(path, "row "+row.ID+", which was not asked for")
	}
	return &reconcile.Located{Row: row, List: string(w.SourceID)}, nil
}

// holds says whether a rule is in the file: by the names that the manager read, else by those in the
// text.
func (w *wireRule) holds(rule string) bool {
	if slices.Contains(texts(w.RuleNames), rule) {
		return true
	}
	names, err := marker.CheckYARA(string(w.Content))
	if err != nil {
		// The manager compiled what that check does not understand.
		for _, m := range yaraRule.FindAllStringSubmatch(string(w.Content), -1) {
			names = append(names, m[1])
		}
	}
	return slices.Contains(names, rule)
}

var yaraRule = regexp.MustCompile(`(?m)^[ \t]*(?:(?:private|global)[ \t]+)*rule[ \t]+([A-Za-z_][A-Za-z0-9_]*)`)

// YARAByRule finds the YARA files that hold a rule, in one list or, with an empty list, in all. Alerts
// name a rule, not its file; the manager's search looks into the files, and a file may be named after
// its rule (contract harfanglab-api 4.6, 7.4). That the rule is in the file is checked here. A file that
// cannot be read is an error only when no other holds the rule. ErrFilterIgnored means that only a read
// of the whole list can tell.
func (c *Client) YARAByRule(ctx context.Context, list, ruleName string) ([]reconcile.Located, error) {
	if ruleName == "" {
		return nil, nil
	}
	var unread, wide error
	heard := false
	for _, filter := range []url.Values{{"search": {ruleName}}, {"name__exact": {ruleName}}} {
		if list != "" {
			filter.Set("source_id", list)
		}
		rows, err := c.narrow(ctx, reconcile.YARA, filter, func(w *wireRule) bool { return w.holds(ruleName) })
		if len(rows) > 0 {
			return rows, nil
		}
		_, bad := errors.AsType[*IncompleteError](err)
		switch {
		case err == nil:
			heard = true
		case bad && unread == nil:
			unread = err
		case errors.Is(err, ErrFilterIgnored):
			wide = err
		case !bad:
			return nil, err
		}
	}
	if unread != nil || heard {
		return nil, unread
	}
	return nil, wide
}
