package impact

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
)

// spelled is a manager whose one row stands in a spelling, and whose filters take that alone.
type spelled string

func (s spelled) Telemetry(_ context.Context, q Query) (Page, error) {
	r := Row{At: time.Now(), Agent: "1"}
	r.Values[Name], r.Values[Target] = string(s), string(s)
	if q.Since.After(r.At) || q.Field != All && (len(q.Values) > 1 || q.Values[0] != string(s)) {
		return Page{}, nil
	}
	return Page{Count: 1, Rows: []Row{r}}, nil
}

func (s spelled) Agents(context.Context, int, int) (Agents, error) {
	return Agents{Count: 1, Agents: make([]Agent, 1), Slim: true}, nil
}

func (s spelled) Policies(context.Context) ([]Policy, error) {
	return []Policy{{true, true, true, true}}, nil
}

// Where a filter finds one spelling alone, a value that is not found may be there in another.
func TestAFilterThatMindsTheSpelling(t *testing.T) {
	for row, value := range map[string]reconcile.Value{
		"Cdn.Example":  {Type: "domain_name", Value: "cdn.example"},
		"cdn.example.": {Type: "domain_name", Value: "cdn.example"},
		"2001:DB8::1":  {Type: "ip_dst", Value: "2001:db8::1"},
	} {
		changes := plantest.Changes(reconcile.Change{Kind: reconcile.IOC, Type: value.Type, Value: value.Value})
		a := New(spelled(row), Options{Days: 7, Budget: 500, Log: slog.New(slog.DiscardHandler)})
		if _, _, err := a.Ask(t.Context(), changes, []int{0}, Controls{}); err != nil {
			t.Fatal(err)
		}
		if im := changes.At(0).Impact; im.Status != reconcile.ImpactAtLeast || im.Endpoints != 0 || !strings.Contains(im.Why, "other spellings") {
			t.Errorf("%s among %s: %+v", value.Value, row, im)
		}
	}
}
