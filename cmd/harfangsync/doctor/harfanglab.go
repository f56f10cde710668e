package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

func harfangLabChecks() []string {
	names := []string{"version", "account"}
	for _, k := range reconcile.Kinds {
		names = append(names, "list."+k.String())
	}
	return append(names, "edit", "alerts", "telemetry")
}

func (s *side) examineHarfangLab(ctx context.Context) (why string) {
	c := &s.Config.HarfangLab
	client := harfanglab.New(harfanglab.Options{URL: c.URL, Token: c.Token, Login: c.Login, Password: c.Password, HTTP: s.dial(), PageSize: s.Config.Sync.PageSize, Log: s.Log,
		Retry: remote.Retry{Attempts: doctorAttempts, MaxWait: doctorMaxWait, Backoff: s.RetryWait}})
	version, err := client.Version(ctx)
	s.checkClock()
	if e, ok := errors.AsType[*harfanglab.Error](err); ok && e.Transport() && s.faulty() {
		return "nothing can be asked, see above"
	}
	if err != nil {
		s.skip("it did not say", "version")
		s.failed("account", err)
		return "there is no account"
	}
	s.forgive()
	s.ok("version", "HarfangLab "+version)
	if !s.checkLists(ctx, client) {
		return "there is no account"
	}
	if s.writes() {
		s.pass("edit", "whether the account may edit rules shows only when it does; it needs the permission to edit rules, IOC and rulesets")
	} else {
		s.pass("edit", "a plan edits nothing")
	}
	s.checkAlerts(ctx, client)
	s.checkTelemetry(ctx, client)
	return ""
}

// checkLists looks for the lists and counts their rows. It says whether the account is accepted, which the
// version alone does not prove: it may be told to everybody.
func (s *side) checkLists(ctx context.Context, client *harfanglab.Client) (accepted bool) {
	how := "the token is"
	if !s.Config.HarfangLab.Token.Set() {
		how = "login and password are"
	}
	for i, k := range reconcile.Kinds {
		l, err := client.FindList(ctx, k, s.Config.HarfangLab.ListName)
		e, failed := errors.AsType[*harfanglab.Error](err)
		if i == 0 {
			const unauthorized = 401
			if failed && e.Status == unauthorized {
				s.failed("account", err)
				return false
			}
			s.ok("account", how+" accepted")
		}
		s.checkList(ctx, client, k, l, err)
	}
	return true
}

func (s *side) checkList(ctx context.Context, client *harfanglab.Client, k reconcile.Kind, l *reconcile.List, err error) {
	name := "list." + k.String()
	e, failed := errors.AsType[*harfanglab.Error](err)
	switch {
	case failed && e.Auth():
		s.fail(name, fmt.Sprintf("the account may not read %s lists: %d %s", k, e.Status, e.Words), "give it the permissions to view and to edit rules, IOC, rulesets and whitelists")
		return
	case err != nil:
		s.failed(name, err)
		return
	case l == nil:
		s.warn(name, fmt.Sprintf("there is no %s list named %q yet; the first rule makes it", k, s.Config.HarfangLab.ListName), "nothing on a first run; else check harfanglab.source_list_name")
		return
	}
	rows := "an unknown number of rows"
	n, err := client.Count(ctx, k, l.ID)
	switch {
	case err == nil:
		rows = reconcile.Count(n, "row")
	case !errors.Is(err, harfanglab.ErrFilterIgnored):
		s.failed(name, err)
		return
	}
	switch {
	case l.Enabled == nil:
		s.ok(name, fmt.Sprintf("the %s list %q has %s; the manager does not say whether it is enabled", k, l.Name, rows))
	case !*l.Enabled:
		s.warn(name, fmt.Sprintf("the %s list %q is disabled, so what it holds detects nothing: %s", k, l.Name, rows), "enable it in the console")
	default:
		s.ok(name, fmt.Sprintf("the %s list %q is enabled and has %s", k, l.Name, rows))
	}
}

func (s *side) checkAlerts(ctx context.Context, client *harfanglab.Client) {
	if !s.imports() {
		s.pass("alerts", "no alert is imported (harfanglab.import_security_events_as_incidents)")
		return
	}
	if err := client.ReadAlert(ctx); err != nil {
		s.failed("alerts", err)
		return
	}
	s.ok("alerts", "alerts can be read")
}

// checkTelemetry asks once for everything that an impact is made of. What is missing stops no run: it is a warning.
func (s *side) checkTelemetry(ctx context.Context, client *harfanglab.Client) {
	if !s.Config.Sync.Impact.Report {
		s.pass("telemetry", "the impact of a plan is not asked for (sync.impact)")
		return
	}
	_, err := client.Agents(ctx, 1, 0)
	if err == nil {
		_, err = client.Policies(ctx)
	}
	var silent []string
	for _, stream := range impact.Streams {
		if err != nil {
			break
		}
		var page impact.Page
		page, err = client.Telemetry(ctx, impact.Query{Stream: stream, Since: s.now().AddDate(0, 0, -1), Limit: 1})
		if err == nil && len(page.Rows) == 0 {
			silent = append(silent, stream.String())
		}
	}
	switch {
	case err != nil:
		detail, remedy, _ := strings.Cut(err.Error(), "; ")
		s.warn("telemetry", detail, remedy)
	case len(silent) > 0:
		s.warn("telemetry", "telemetry can be read, and endpoints sent none of these in the last day: "+strings.Join(silent, ", "), "let the policies send them live, or what they would tell stays unknown")
	default:
		s.ok("telemetry", "endpoints, policies and telemetry can be read")
	}
}
