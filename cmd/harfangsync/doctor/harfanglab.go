package doctor

import (
	"context"
	"errors"
	"fmt"

	"harfangsync/reconcile"
	"harfangsync/reconcile/remote"
	"harfangsync/sinks/harfanglab"
)

func listChecks() []string {
	var names []string
	for _, k := range reconcile.Kinds {
		names = append(names, "list."+k.String())
	}
	return names
}

func (d *Doctor) examineHarfangLab(ctx context.Context) {
	r := d.hl
	d.checkWay(ctx, r)
	rest := append(listChecks(), "edit", "alerts")
	if !r.usable || r.url == nil {
		d.checkClock(r)
		d.skip(r.side, "its settings are wrong", append([]string{"version", "account"}, rest...)...)
		return
	}
	hc, err := d.dial(r)
	if err != nil {
		d.failed(r.side, "account", err)
		d.skip(r.side, "there is no account", append([]string{"version"}, rest...)...)
		return
	}
	c := &d.Config.HarfangLab
	client := harfanglab.New(harfanglab.Options{URL: c.URL, Token: c.Token, Login: c.Login, Password: c.Password, HTTP: hc, PageSize: d.Config.Sync.PageSize, Log: d.Log,
		Retry: remote.Retry{Attempts: doctorAttempts, MaxWait: doctorMaxWait, Backoff: d.RetryWait}})
	version, err := client.Version(ctx)
	d.checkClock(r)
	if e, ok := errors.AsType[*harfanglab.Error](err); ok && e.Transport() && d.faulty(r.side) {
		d.skip(r.side, "nothing can be asked, see above", append([]string{"version", "account"}, rest...)...)
		return
	}
	if err != nil {
		d.skip(r.side, "it did not say", "version")
		d.failed(r.side, "account", err)
		d.skip(r.side, "there is no account", rest...)
		return
	}
	d.forgive(r.side)
	d.note(r.side, "version", isOK, "HarfangLab "+version, "")
	if d.checkLists(ctx, client) {
		d.note(r.side, "edit", skipped, "whether the account may edit rules shows only when it does; it needs the permission to edit rules, IOC and rulesets", "")
		d.checkAlerts(ctx, client)
		return
	}
	d.skip(r.side, "there is no account", "edit", "alerts")
}

// checkLists looks for the lists and counts their rows. It says whether the account is accepted, which the
// version alone does not prove: it may be told to everybody.
func (d *Doctor) checkLists(ctx context.Context, client *harfanglab.Client) (accepted bool) {
	how := "the token is"
	if !d.Config.HarfangLab.Token.Set() {
		how = "login and password are"
	}
	for i, k := range reconcile.Kinds {
		l, err := client.FindList(ctx, k, d.Config.HarfangLab.ListName)
		e, failed := errors.AsType[*harfanglab.Error](err)
		if i == 0 {
			const unauthorized = 401
			if failed && e.Status == unauthorized {
				d.failed("harfanglab", "account", err)
				d.skip("harfanglab", "there is no account", listChecks()...)
				return false
			}
			d.note("harfanglab", "account", isOK, how+" accepted", "")
		}
		d.checkList(ctx, client, k, l, err)
	}
	return true
}

func (d *Doctor) checkList(ctx context.Context, client *harfanglab.Client, k reconcile.Kind, l *reconcile.List, err error) {
	name := "list." + k.String()
	e, failed := errors.AsType[*harfanglab.Error](err)
	switch {
	case failed && e.Auth():
		d.note("harfanglab", name, isFail, fmt.Sprintf("the account may not read %s lists: %d %s", k, e.Status, e.Words), "give it the permissions to view and to edit rules, IOC, rulesets and whitelists")
		return
	case err != nil:
		d.failed("harfanglab", name, err)
		return
	case l == nil:
		d.note("harfanglab", name, isWarn, fmt.Sprintf("there is no %s list named %q yet; the first rule makes it", k, d.Config.HarfangLab.ListName), "nothing on a first run; else check harfanglab.source_list_name")
		return
	}
	rows := "an unknown number of rows"
	n, err := client.Count(ctx, k, l.ID)
	switch {
	case err == nil && n == 1:
		rows = "1 row"
	case err == nil:
		rows = fmt.Sprintf("%d rows", n)
	case !errors.Is(err, harfanglab.ErrFilterIgnored):
		d.failed("harfanglab", name, err)
		return
	}
	switch {
	case l.Enabled == nil:
		d.note("harfanglab", name, isOK, fmt.Sprintf("the %s list %q has %s; the manager does not say whether it is enabled", k, l.Name, rows), "")
	case !*l.Enabled:
		d.note("harfanglab", name, isWarn, fmt.Sprintf("the %s list %q is disabled, so what it holds detects nothing: %s", k, l.Name, rows), "enable it in the console")
	default:
		d.note("harfanglab", name, isOK, fmt.Sprintf("the %s list %q is enabled and has %s", k, l.Name, rows), "")
	}
}

func (d *Doctor) checkAlerts(ctx context.Context, client *harfanglab.Client) {
	if !imports(d.Config) {
		d.note("harfanglab", "alerts", skipped, "no alert is imported (harfanglab.import_security_events_as_incidents)", "")
		return
	}
	if err := client.ReadAlert(ctx); err != nil {
		d.failed("harfanglab", "alerts", err)
		return
	}
	d.note("harfanglab", "alerts", isOK, "alerts can be read", "")
}
