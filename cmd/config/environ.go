package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// configVariable names the settings file.
const configVariable = "HARFANGSYNC_CONFIG"

// inherited are variables of the connectors that this program replaces and of the library below them
// which mean nothing here: a compose file may keep them, and they are no slip of ours. The same names
// stand in a config.yml as connector.type and so on.
var inherited = strings.Fields(`
	CONNECTOR_CONFIDENCE_LEVEL CONNECTOR_UPDATE_EXISTING_DATA CONNECTOR_DURATION_PERIOD
	CONNECTOR_RUN_EVERY CONNECTOR_INTERVAL CONNECTOR_AUTO_CREATE_SERVICE_ACCOUNT
	CONNECTOR_AUTO_CREATE_SERVICE_ACCOUNT_CONFIDENCE_LEVEL CONNECTOR_ONLY_CONTEXTUAL CONNECTOR_QUEUE_PROTOCOL
	CONNECTOR_QUEUE_THRESHOLD CONNECTOR_RUN_AND_TERMINATE CONNECTOR_VALIDATE_BEFORE_IMPORT CONNECTOR_SEND_TO_QUEUE
	CONNECTOR_SEND_TO_DIRECTORY CONNECTOR_SEND_TO_DIRECTORY_PATH CONNECTOR_SEND_TO_DIRECTORY_RETENTION
	CONNECTOR_SEND_TO_S3 CONNECTOR_SEND_TO_S3_BUCKET CONNECTOR_SEND_TO_S3_FOLDER CONNECTOR_SEND_TO_S3_RETENTION
	CONNECTOR_EXPOSE_METRICS CONNECTOR_METRICS_PORT CONNECTOR_LICENCE_KEY_PEM CONNECTOR_PLAYBOOK_COMPATIBLE
	CONNECTOR_CONSUMER_COUNT CONNECTOR_LISTEN_PROTOCOL CONNECTOR_LISTEN_PROTOCOL_API_PORT
	CONNECTOR_LISTEN_PROTOCOL_API_PATH CONNECTOR_LISTEN_PROTOCOL_API_URI CONNECTOR_LISTEN_PROTOCOL_API_SSL
	CONNECTOR_LISTEN_PROTOCOL_API_SSL_KEY CONNECTOR_LISTEN_PROTOCOL_API_SSL_CERT
	CONNECTOR_LIVE_STREAM_START_TIMESTAMP CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE
	CONNECTOR_LIVE_STREAM_RECOVER_TIMESTAMP CONNECTOR_LIVE_STREAM_WITH_INFERENCES
	CONNECTOR_LIVE_STREAM_CREATE_DEPENDENCIES
	OPENCTI_JSON_LOGGING OPENCTI_BASE_URL OPENCTI_ADMIN_TOKEN OPENCTI_ADMIN_EMAIL OPENCTI_ADMIN_PASSWORD
 OPENCTI_VERSION
`)

// misspelt is the prefix of the first connector's earliest compose files.
const misspelt = "HARFLANGLAB_"

// serviceLink matches what Kubernetes sets for a service in the namespace, such as
// HARFANGSYNC_SERVICE_HOST and HARFANGSYNC_PORT_8080_TCP_ADDR.
var serviceLink = regexp.MustCompile(`_(SERVICE_(HOST|PORT(_.*)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$`)

// environ is the environment: the first value of each name, as the operating system gives it.
func environ(lines []string) map[string]string {
	vars := map[string]string{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, "=")
		if _, twice := vars[name]; ok && name != "" && !twice {
			vars[name] = value
		}
	}
	return vars
}

// ownNames are the variables that are read; plain are those of settings, without NAME_FILE.
func ownNames() (ours map[string]bool, plain []string) {
	ours = map[string]bool{configVariable: true}
	for _, s := range settingsOf(new(Config)) {
		for _, path := range s.paths() {
			name := env(path)
			ours[name], plain = true, append(plain, name)
			if s.file {
				ours[name+"_FILE"] = true
			}
		}
		for _, name := range s.others {
			ours[name] = true
		}
	}
	return ours, plain
}

// unquote takes off the quotes that the list form of a compose file, or an env file, leaves around a value.
func (l *loader) unquote() {
	ours, _ := ownNames()
	for _, name := range slices.Sorted(maps.Keys(l.vars)) {
		value := strings.TrimSpace(l.vars[name])
		switch {
		case !ours[name]:
		case quoted(value):
			l.vars[name] = value[1 : len(value)-1]
			l.warn("environment %s: the quotes around its value are no part of it and are taken off; remove them", name)
		case strings.Contains(value, " #"):
			l.warn("environment %s: a blank and # stand in its value and are a part of it; remove them if they begin a comment", name)
		}
	}
}

// quoted says whether a value stands in one pair of quotes, and holds no others of the kind.
func quoted(s string) bool {
	return len(s) > 1 && (s[0] == '"' || s[0] == '\'') && strings.IndexByte(s[1:], s[0]) == len(s)-2
}

// unheeded are names of the old connectors and their library that ask for something that is not done here,
// and what holds instead.
var unheeded = map[string]string{
	"CONNECTOR_AUTO_CREATE_SERVICE_ACCOUNT":  "the account is that of opencti.token",
	"CONNECTOR_DURATION_PERIOD":              "how often it runs is for what starts it, for run --every, or for tail and sync.tail.pull_every",
	"CONNECTOR_EXPOSE_METRICS":               "metrics are written to a file or pushed, see sync.metrics",
	"CONNECTOR_INTERVAL":                     "how often it runs is for what starts it, for run --every, or for tail and sync.tail.pull_every",
	"CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE": "every full run reads all indicators, so that nothing is recovered",
	"CONNECTOR_LIVE_STREAM_START_TIMESTAMP":  "every full run reads all indicators, from whatever time",
	"CONNECTOR_RUN_EVERY":                    "how often it runs is for what starts it, for run --every, or for tail and sync.tail.pull_every",
	"CONNECTOR_SEND_TO_DIRECTORY":            "what is imported goes to OpenCTI alone; pull --dry-run prints it",
	"CONNECTOR_SEND_TO_QUEUE":                "what is imported goes to OpenCTI; pull --dry-run only prints it",
	"CONNECTOR_SEND_TO_S3":                   "what is imported goes to OpenCTI alone; pull --dry-run prints it",
	"CONNECTOR_VALIDATE_BEFORE_IMPORT":       "what is imported is not held back for validation",
}

// unheededBy says what a value asks for that is not done, "" for nothing. Off asks for nothing, but that
// nothing is sent.
func unheededBy(name, value string) string {
	on, err := parseBool(strings.TrimSpace(value))
	if off := err == nil && !on; unheeded[name] == "" || off != (name == "CONNECTOR_SEND_TO_QUEUE") {
		return ""
	}
	return "is known from the old connectors and has no effect: " + unheeded[name]
}

// nearMisses are warnings for variables that are set, are not ours, and look as if they were meant to
// be. Values are not shown.
func nearMisses(vars map[string]string) []string {
	ours, plain := ownNames()
	all := slices.Sorted(maps.Keys(ours))
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if ours[name] || strings.TrimSpace(vars[name]) == "" || serviceLink.MatchString(name) {
			continue
		}
		bare, isFile := strings.CutSuffix(name, "_FILE")
		early, isEarly := strings.CutPrefix(name, misspelt)
		switch why := unheededBy(name, vars[name]); {
		case why != "":
			warnings = append(warnings, "environment "+name+" "+why)
		case slices.Contains(inherited, name):
		case isFile && slices.Contains(plain, bare):
			warnings = append(warnings, fmt.Sprintf("environment %s is not read: only secrets come from files; set %s", name, bare))
		case isEarly && early == "INDICATOR_DELETE":
			warnings = append(warnings, unread(name, "HARFANGLAB_REMOVE_INDICATOR"))
		case isEarly:
			warnings = append(warnings, unread(name, "HARFANGLAB_"+early))
		default:
			near := closest(name, all, 2)
			if near != "" || strings.HasPrefix(strings.ToUpper(name), "HARFANGSYNC_") {
				warnings = append(warnings, unread(name, near))
			}
		}
	}
	return warnings
}

func unread(name, near string) string {
	w := fmt.Sprintf("environment %s is no setting and is not read", name)
	if near != "" {
		w += "; did you mean " + near + "?"
	}
	return w
}

// closest is the candidate at the least distance from name, if that is at most most; letter case,
// dashes and underscores make no difference. Of equals it is the first.
func closest(name string, candidates []string, most int) string {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "-", "_") }
	name = fold(name)
	if len(name) > 100 { // not one of ours, and the distance takes time
		return ""
	}
	best := ""
	for _, c := range candidates {
		if diff := len(c) - len(name); diff > most || diff < -most {
			continue
		}
		if d := levenshtein.ComputeDistance(name, fold(c)); d <= most {
			best, most = c, d-1
		}
	}
	return best
}
