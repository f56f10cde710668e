package hlsim

// The values of global_state (contract harfanglab-api 4.1).
const (
	disabled     = "disabled"
	backendAlert = "backend_alert"
	alert        = "alert"
	block        = "block"
	quarantine   = "quarantine"
)

// flags are the older spelling of a state.
type flags struct{ enabled, block, quarantine, endpoint bool }

// flagsOf is the table of contract harfanglab-api 4.5.
func flagsOf(state string) flags {
	return flags{
		enabled:    state != disabled,
		block:      state == block || state == quarantine,
		quarantine: state == quarantine,
		endpoint:   state != backendAlert,
	}
}

// stateChange is what a request says about a rule's state; nil is nothing.
type stateChange struct {
	global                               *string
	enabled, block, quarantine, endpoint *bool
}

// apply gives the state that now becomes. A combination that the manager does not hold is rewritten:
// global_state wins over the flags unless flagsWin, disabled over blocking, and quarantine blocks. A
// disabled rule remembers no blocking.
func (c stateChange) apply(kind, now string, flagsWin bool) string {
	told := c.enabled != nil || c.block != nil || c.quarantine != nil || c.endpoint != nil
	if c.global != nil && !(flagsWin && told) {
		if *c.global == backendAlert && kind != IOC {
			return alert // contract harfanglab-api 4.5, Sigma; YARA is taken to do the same
		}
		return *c.global
	}
	if !told {
		return now
	}
	f := flagsOf(now)
	set(&f.enabled, c.enabled)
	set(&f.quarantine, c.quarantine)
	set(&f.block, c.block)
	set(&f.endpoint, c.endpoint)
	if c.block != nil && !*c.block && c.quarantine == nil {
		f.quarantine = false
	}
	switch {
	case !f.enabled:
		return disabled
	case f.quarantine:
		return quarantine
	case f.block:
		return block
	case !f.endpoint && kind == IOC:
		return backendAlert
	}
	return alert
}

func set(flag, to *bool) {
	if to != nil {
		*flag = *to
	}
}
