package config

import "slices"

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

// lacks lists what is lacking for a command: settings that are not set, or still hold a placeholder such
// as ChangeMe. Settings with a problem of their own are left out.
func (c *Config) lacks(needs []Need) []error {
	var lacking []error
	lack := func(s *setting, message, remedy string) {
		lacking = append(lacking, &Problem{Setting: s.path, Origin: s.origin, Message: message, Remedy: remedy})
	}
	for i := range c.settings {
		s := &c.settings[i]
		if s.sample == nil || s.need != 0 && !slices.Contains(needs, s.need) || s.unless != nil && s.unless() {
			continue
		}
		p := &Problem{Setting: s.path, Origin: s.sample.origin, Value: s.sample.shown(), Message: "still holds the value of the sample file", Remedy: "set it, or remove it"}
		if s.secret {
			p.Value, p.Message = "", "still holds a placeholder, not a secret"
		}
		lacking = append(lacking, p)
	}
	for i := range c.settings {
		if s := &c.settings[i]; s.must && slices.Contains(needs, s.need) && s.lacking() {
			lack(s, "is not set", s.howToSet())
		}
	}
	if slices.Contains(needs, NeedHarfangLab) {
		c.credentials(lack)
	}
	if s := c.row(importEvents); slices.Contains(needs, NeedImports) && !c.HarfangLab.ImportEvents && !s.broken && s.sample == nil {
		lack(s, "is false, so nothing is imported", "set it to true (environment "+env(s.path)+")")
	}
	return lacking
}

// lacking says whether a setting is empty and nothing else has been said of that.
func (s *setting) lacking() bool { return empty(s.value()) && !s.broken && s.sample == nil }

func empty(v any) bool { return v == "" }

// credentials looks for a token, or else a login and a password.
func (c *Config) credentials(lack func(s *setting, message, remedy string)) {
	token, login, password := c.row(hlToken), c.row(hlLogin), c.row(hlPassword)
	switch {
	case !token.lacking(), !login.lacking() && !password.lacking():
	case login.lacking() && password.lacking():
		lack(token, "is not set", token.howToSet()+", or "+hlLogin+" and "+hlPassword)
	case login.lacking():
		lack(login, "is not set, but the password is", login.howToSet())
	default:
		lack(password, "is not set, but the login is", password.howToSet())
	}
}

// howToSet names the ways to set it.
func (s *setting) howToSet() string {
	how := "set " + env(s.path)
	if s.file {
		how += " or " + env(s.path) + "_FILE"
	}
	return how + " in the environment, or " + s.path + " in config.yml"
}
