package config

import (
	"errors"
	"maps"
	"slices"
)

// Need is a part of the settings that a command cannot do without.
type Need int

// What a command may need. Commands that need nothing load with any settings at all, even with
// placeholders.
const (
	_              Need = iota
	NeedOpenCTI         // address and token of OpenCTI
	NeedHarfangLab      // address and credentials of the manager
	NeedInstance        // connector.id: every command that reads the lists
	NeedImports         // at least one import switched on: pull
)

type placeholder struct {
	s *setting
	g given
}

// Require says what is lacking for a command: settings that are not set, or still hold a placeholder
// such as ChangeMe. Its error joins every *Problem.
func (c *Config) Require(needs ...Need) error { return errors.Join(c.lacks(needs, nil)...) }

// lacks lists what Require joins. Settings in known have a problem of their own already.
func (c *Config) lacks(needs []Need, known map[string]bool) []error {
	var lacking []error
	held := map[string]bool{}
	maps.Copy(held, known)
	for _, p := range c.placeholders {
		if p.s.need != 0 && !slices.Contains(needs, p.s.need) || p.s.unless != nil && p.s.unless(c) {
			continue
		}
		held[p.s.path] = true
		e := problemOf(p.s, p.g, bad("still holds the value of the sample file", "set it, or remove it"))
		if p.s.secret {
			e.Message = "still holds a placeholder, not a secret"
		}
		lacking = append(lacking, e)
	}
	for i := range settings {
		s := &settings[i]
		if s.must && slices.Contains(needs, s.need) && !held[s.path] && empty(s.kind.value(c)) {
			lacking = append(lacking, &Problem{Setting: s.path, Message: "is not set", Remedy: s.howToSet()})
		}
	}
	if slices.Contains(needs, NeedHarfangLab) && !held["harfanglab.token"] {
		lacking = append(lacking, c.credentials(held)...)
	}
	if slices.Contains(needs, NeedImports) && !c.HarfangLab.ImportEvents && !held["harfanglab.import_security_events_as_incidents"] {
		lacking = append(lacking, &Problem{
			Setting: "harfanglab.import_security_events_as_incidents", Origin: c.origins["harfanglab.import_security_events_as_incidents"],
			Message: "is false, so nothing is imported", Remedy: "set it to true (environment HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS)",
		})
	}
	return lacking
}

func empty(v any) bool { return v == "" }

// credentials looks for a token, or else a login and a password.
func (c *Config) credentials(held map[string]bool) []error {
	hl := &c.HarfangLab
	login, password := hl.Login != "" || held["harfanglab.login"], hl.Password.Set() || held["harfanglab.password"]
	switch {
	case hl.Token.Set(), login && password:
		return nil
	case !login && !password:
		return []error{&Problem{Setting: "harfanglab.token", Message: "is not set",
			Remedy: row("harfanglab.token").howToSet() + ", or harfanglab.login and harfanglab.password"}}
	case !login:
		return []error{&Problem{Setting: "harfanglab.login", Message: "is not set, but the password is", Remedy: row("harfanglab.login").howToSet()}}
	}
	return []error{&Problem{Setting: "harfanglab.password", Message: "is not set, but the login is", Remedy: row("harfanglab.password").howToSet()}}
}

// howToSet names the ways to set it.
func (s *setting) howToSet() string {
	how := "set " + env(s.path)
	if s.file {
		how += " or " + env(s.path) + "_FILE"
	}
	return how + " in the environment, or " + s.path + " in config.yml"
}

// row is the setting with a path that is in the table.
func row(path string) *setting {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.path == path })
	return &settings[i]
}
