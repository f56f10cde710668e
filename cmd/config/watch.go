package config

import (
	"net/url"
	"strings"

	"harfangsync/reconcile/secret"
)

// Metrics is where the numbers of a run go. Every member may be empty.
type Metrics struct {
	TextFile    string // for the textfile collector of a node exporter
	PushGateway string // URL without trailing slash
	Login       string // of the gateway
	Password    secret.Text
}

// Notify is who is told of what a run did.
type Notify struct {
	Webhook secret.Text // URL; "" is nobody. It holds a key in its path or its query, as a rule
	On      []string    // of OnApply, OnRefusal and OnFailure
}

// The events of Notify.On.
const (
	OnApply   = "apply"   // something was written
	OnRefusal = "refusal" // a gate refused the plan
	OnFailure = "failure" // the run failed, or did not do everything
)

// webhook is an http or https URL that is as secret as a password. It may have credentials and a query.
func webhook(at func(*Config) *secret.Text) kind {
	parse := func(s string) (secret.Text, error) {
		u, err := url.Parse(s)
		if err != nil || u.Opaque != "" || u.Hostname() == "" || !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") {
			return "", bad("is no http or https address", "write it as the service shows it, such as https://host/path")
		}
		return secret.Text(s), nil
	}
	return scalar(at, parse, func(s secret.Text) any { return s.Reveal() }).
		described("http or https URL", object{"type": "string", "writeOnly": true})
}

// gateway checks that the credentials of the Pushgateway are whole.
func (l *loader) gateway() {
	const login, password = "sync.metrics.pushgateway_login", "sync.metrics.pushgateway_password"
	m := &l.c.Sync.Metrics
	switch {
	case l.invalid[login] || l.invalid[password] || (m.Login != "") == m.Password.Set():
	case m.Login != "":
		l.problem(&Problem{Setting: login, Origin: l.c.origins[login], Message: "is set, but its password is not", Remedy: row(password).howToSet()})
	default:
		l.problem(&Problem{Setting: password, Origin: l.c.origins[password], Message: "is set, but its login is not", Remedy: row(login).howToSet()})
	}
	if m.PushGateway == "" && m.Login != "" && m.Password.Set() && !l.invalid["sync.metrics.pushgateway"] {
		l.c.Warnings = append(l.c.Warnings, login+" has no effect while sync.metrics.pushgateway is not set")
	}
}
