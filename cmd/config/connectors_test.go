package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/config"
)

// Environments in the shape of the three connectors that this program replaces, as operators have them.
const (
	firstConnector = `
		OPENCTI_URL=http://opencti:8080
		OPENCTI_TOKEN=8a1f3f3a-8d1d-4a65-9d1c-2d5b0a7f7c10
		CONNECTOR_ID=` + id + `
		CONNECTOR_TYPE=STREAM
		CONNECTOR_LIVE_STREAM_ID=live
		CONNECTOR_LIVE_STREAM_LISTEN_DELETE=true
		CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES=false
		CONNECTOR_NAME=HarfangLab
		CONNECTOR_SCOPE=harfanglab
		CONNECTOR_CONFIDENCE_LEVEL=80
		CONNECTOR_LOG_LEVEL=error
		HARFANGLAB_URL=https://manager.example:8443
		HARFANGLAB_SSL_VERIFY=false
		HARFANGLAB_TOKEN=Token 0123abcd
		HARFANGLAB_LOGIN=ChangeMe
		HARFANGLAB_PASSWORD=ChangeMe
		HARFANGLAB_SOURCE_LIST_NAME=from_OpenCTI
		HARFANGLAB_REMOVE_INDICATOR=true
		HARFANGLAB_RULE_MATURITY=testing
		HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true
		HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true
		HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new, investigating, closed
		HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=sigma, ioc
		HARFANGLAB_DEFAULT_MARKINGS=TLP:GREEN
		HARFANGLAB_DEFAULT_SCORE=60`
	intelConnector = `
		OPENCTI_URL=http://opencti:8080
		OPENCTI_TOKEN=8a1f3f3a-8d1d-4a65-9d1c-2d5b0a7f7c10
		CONNECTOR_ID=` + id + `
		CONNECTOR_NAME=CHANGEME
		CONNECTOR_SCOPE=CHANGEME
		CONNECTOR_LOG_LEVEL=error
		CONNECTOR_LIVE_STREAM_ID=0b0f0d1e-3f57-4b0c-8f0b-3f6f0c9f4a11
		CONNECTOR_LIVE_STREAM_LISTEN_DELETE=true
		CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES=true
		HARFANGLAB_INTEL_URL=https://manager.example:8443/
		HARFANGLAB_INTEL_SSL_VERIFY=true
		HARFANGLAB_INTEL_TOKEN=0123abcd
		HARFANGLAB_INTEL_SOURCE_LIST_NAME=from_OpenCTI
		HARFANGLAB_INTEL_REMOVE_INDICATOR=true
		HARFANGLAB_INTEL_RULE_MATURITY=stable
		HTTPS_PROXY=http://proxy:3128
		NO_PROXY=opencti`
	incidentsConnector = `
		OPENCTI_URL=http://opencti:8080
		OPENCTI_TOKEN=8a1f3f3a-8d1d-4a65-9d1c-2d5b0a7f7c10
		CONNECTOR_ID=` + id + `
		CONNECTOR_NAME=HarfangLab Paris
		CONNECTOR_SCOPE=harfanglab
		CONNECTOR_LOG_LEVEL=error
		CONNECTOR_DURATION_PERIOD=PT5M
		CONNECTOR_QUEUE_THRESHOLD=500
		CONNECTOR_RUN_AND_TERMINATE=False
		CONNECTOR_SEND_TO_QUEUE=True
		CONNECTOR_SEND_TO_DIRECTORY=False
		CONNECTOR_SEND_TO_DIRECTORY_PATH=CHANGEME
		CONNECTOR_SEND_TO_DIRECTORY_RETENTION=7
		HARFANGLAB_INCIDENTS_URL=https://manager.example:8443
		HARFANGLAB_INCIDENTS_SSL_VERIFY=true
		HARFANGLAB_INCIDENTS_TOKEN=0123abcd
		HARFANGLAB_INCIDENTS_IMPORT_THREATS=true
		HARFANGLAB_INCIDENTS_ALERT_STATUSES=new,investigating,false_positive
		HARFANGLAB_INCIDENTS_ALERT_TYPES=yara,sigma,ioc
		HARFANGLAB_INCIDENTS_DEFAULT_MARKING=TLP:CLEAR
		HARFANGLAB_INCIDENTS_DEFAULT_SCORE=50
		HARFANGLAB_INCIDENTS_IMPORT_START_DATE=1970-01-01`
)

var everything = []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}

// noTLS is what is said of the address that OpenCTI has in their compose files.
const noTLS = "opencti.url is an http address: tokens, and all that is read and written, can be read and changed on their way; use https"

func TestEnvironmentsOfTheOldConnectors(t *testing.T) {
	for _, tt := range []struct {
		name, env, warning string
		want               map[string]string
	}{
		{"harfanglab", firstConnector, noTLS, map[string]string{
			"opencti.url": `"http://opencti:8080"`, "connector.log_level": `"error"`, "connector.live_stream_id": `"live"`,
			"harfanglab.url": `"https://manager.example:8443"`, "harfanglab.ssl_verify": `false`, "harfanglab.login": `""`,
			"harfanglab.remove_indicator": `true`, "harfanglab.rule_maturity": `"testing"`,
			"harfanglab.import_security_events_as_incidents": `true`, "harfanglab.import_threats_as_case_incidents": `true`,
			"harfanglab.import_security_events_filters_by_status": `["new","investigating","closed"]`,
			"harfanglab.import_filters_by_alert_type":             `["ioc","sigma"]`,
			"harfanglab.default_markings":                         `"TLP:GREEN"`, "harfanglab.default_score": `60`,
		}},
		{"harfanglab-intel", intelConnector, noTLS, map[string]string{
			"connector.name": `"HarfangLab"`, "connector.live_stream_id": `"0b0f0d1e-3f57-4b0c-8f0b-3f6f0c9f4a11"`,
			"harfanglab.url": `"https://manager.example:8443"`, "harfanglab.remove_indicator": `true`, "harfanglab.rule_maturity": `"stable"`,
			"harfanglab.source_list_name": `"from_OpenCTI"`, "harfanglab.import_security_events_as_incidents": `false`,
		}},
		{"harfanglab-incidents", incidentsConnector, noPeriod + "\n" + noTLS, map[string]string{
			"connector.name": `"HarfangLab Paris"`, "harfanglab.url": `"https://manager.example:8443"`,
			"harfanglab.import_security_events_as_incidents": `true`, "harfanglab.import_threats_as_case_incidents": `true`,
			"harfanglab.import_security_events_filters_by_status": `["new","investigating","false_positive"]`,
			"harfanglab.import_filters_by_alert_type":             `["ioc","sigma","yara"]`,
			"harfanglab.default_markings":                         `"TLP:CLEAR"`, "harfanglab.default_score": `50`,
			"harfanglab.import_start_date": `"1970-01-01T00:00:00Z"`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load("", tt.env, everything...)
			if err != nil {
				t.Fatal(err)
			}
			if c.HarfangLab.Token.Reveal() != "0123abcd" {
				t.Error("the token is another")
			}
			if got := strings.Join(c.Warnings, "\n"); got != tt.warning {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
			got := map[string]string{}
			for setting := range tt.want {
				got[setting] = effective(t, c, setting)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

const noPeriod = "environment CONNECTOR_DURATION_PERIOD is known from the old connectors and has no effect: how often it runs is for what starts it, for run --every, or for tail and sync.tail.pull_every"

// A config.yml with the keys of all three: the environment names in another spelling.
func TestFilesOfTheOldConnectors(t *testing.T) {
	c, err := load(`
opencti:
  url: 'http://opencti:8080'
  token: '8a1f3f3a-8d1d-4a65-9d1c-2d5b0a7f7c10'
connector:
  id: '`+id+`'
  type: 'EXTERNAL_IMPORT'
  name: 'HarfangLab'
  scope: 'harfanglab'
  log_level: 'info'
  duration_period: 'PT5M'
  live_stream_id: 'live'
harfanglab:
  url: 'https://manager.example'
  login: 'ChangeMe'
  password: 'ChangeMe'
harfanglab_intel:
  url: 'https://manager.example/'
  token: 'Token 0123abcd'
  remove_indicator: true
harfanglab_incidents:
  url: 'HTTPS://manager.example'
  ssl_verify: true
  token: '0123abcd'
  import_threats: false
  alert_statuses: 'new,investigating'
  default_marking: 'TLP:RED'
  import_start_date: 2024-02-29
`, "", everything...)
	if err != nil {
		t.Fatal(err)
	}
	hl := c.HarfangLab
	if hl.URL != "https://manager.example" || !hl.RemoveIndicator || hl.Marking != "TLP:RED" || hl.ImportStart.String() != "2024-02-29T00:00:00Z" ||
		!hl.ImportEvents || hl.ImportThreats || len(c.Warnings) != 2 || c.Warnings[1] != noTLS || !strings.HasPrefix(c.Warnings[0], "connector.duration_period (config.yml line 11) is known") {
		t.Errorf("got %+v, warnings %q", hl, c.Warnings)
	}
}

func TestTwoNames(t *testing.T) {
	for _, tt := range []struct{ name, yml, env, want string }{
		{"equal values are fine", "", "HARFANGLAB_URL=https://x/\nHARFANGLAB_INTEL_URL=https://x", ""},
		{"equal in meaning is equal", "", "HARFANGLAB_REMOVE_INDICATOR=true\nHARFANGLAB_INTEL_REMOVE_INDICATOR=Yes", ""},
		{"different values name both origins", "", "HARFANGLAB_REMOVE_INDICATOR=true\nHARFANGLAB_INTEL_REMOVE_INDICATOR=no",
			`harfanglab.remove_indicator: is set under two names to different values, "true" and "no" (environment HARFANGLAB_REMOVE_INDICATOR and environment HARFANGLAB_INTEL_REMOVE_INDICATOR); keep one of them`},
		{"two successors may differ no more", "", "HARFANGLAB_INTEL_URL=https://x\nHARFANGLAB_INCIDENTS_URL=https://y",
			`harfanglab.url: is set under two names to different values, "https://x" and "https://y" (environment HARFANGLAB_INTEL_URL and environment HARFANGLAB_INCIDENTS_URL); keep one of them`},
		{"nor in a file", "harfanglab:\n  default_markings: TLP:RED\nharfanglab_incidents:\n  default_marking: TLP:GREEN\n", "",
			`harfanglab.default_markings: is set under two names to different values, "TLP:RED" and "TLP:GREEN" (config.yml line 2: harfanglab.default_markings and config.yml line 4: harfanglab_incidents.default_marking); keep one of them`},
		{"the environment overrides the file under any name", "harfanglab:\n  url: https://x\n", "HARFANGLAB_INTEL_URL=https://y", ""},
		{"threats without alerts are an error", "", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true",
			`harfanglab.import_threats_as_case_incidents: "true" needs the import of alerts (environment HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS); set harfanglab.import_security_events_as_incidents to true as well`},
		{"a plain no to alerts is believed", "", "HARFANGLAB_INCIDENTS_IMPORT_THREATS=true\nHARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=false",
			`harfanglab.import_threats_as_case_incidents: "true" needs the import of alerts (environment HARFANGLAB_INCIDENTS_IMPORT_THREATS); set harfanglab.import_security_events_as_incidents to true as well`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(tt.yml, tt.env)
			if got := errorText(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Every command that needs a placeholder's setting fails, and no other does.
func TestPlaceholders(t *testing.T) {
	good := func(extra string) string {
		return `OPENCTI_URL=http://o
			OPENCTI_TOKEN=abc
			CONNECTOR_ID=` + id + `
			HARFANGLAB_URL=https://h
			` + extra
	}
	for _, tt := range []struct {
		name, env string
		needs     []config.Need
		want      []string // settings
	}{
		{"nothing needed, nothing asked", "OPENCTI_URL=ChangeMe\nOPENCTI_TOKEN=changeme\nCONNECTOR_ID=CHANGEME\nHARFANGLAB_TOKEN=ChangeMe", nil, nil},
		{"what is needed is asked for", "OPENCTI_URL=ChangeMe\nOPENCTI_TOKEN=changeme\nCONNECTOR_ID=CHANGEME\nHARFANGLAB_URL=https://console.changeme.com\nHARFANGLAB_TOKEN=ChangeMe", everything,
			[]string{"opencti.url", "opencti.token", "connector.id", "harfanglab.url", "harfanglab.token"}},
		{"a snapshot needs no manager", good("HARFANGLAB_TOKEN=ChangeMe"), []config.Need{config.NeedOpenCTI}, nil},
		{"login and password do not matter beside a token", good("HARFANGLAB_TOKEN=x\nHARFANGLAB_LOGIN=ChangeMe\nHARFANGLAB_PASSWORD=ChangeMe"), everything, nil},
		{"login and password matter without one", good("HARFANGLAB_LOGIN=ChangeMe\nHARFANGLAB_PASSWORD=ChangeMe"), everything, []string{"harfanglab.login", "harfanglab.password"}},
		{"a placeholder token hides no login", good("HARFANGLAB_TOKEN=ChangeMe\nHARFANGLAB_LOGIN=soc\nHARFANGLAB_PASSWORD=x"), everything, []string{"harfanglab.token"}},
		{"import settings do not matter while nothing is imported", good("HARFANGLAB_TOKEN=x\nHARFANGLAB_DEFAULT_MARKINGS=ChangeMe\nHARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=ChangeMe"), everything, nil},
		{"import settings matter when something is", good("HARFANGLAB_TOKEN=x\nHARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true\nHARFANGLAB_DEFAULT_MARKINGS=ChangeMe\nHARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=ChangeMe"), everything,
			[]string{"harfanglab.import_filters_by_alert_type", "harfanglab.default_markings"}},
		{"the sample's list of statuses is a placeholder", good("HARFANGLAB_TOKEN=x\nHARFANGLAB_INCIDENTS_IMPORT_THREATS=false\nHARFANGLAB_INCIDENTS_ALERT_STATUSES=ChangeMe"), everything,
			[]string{"harfanglab.import_security_events_filters_by_status"}},
		{"the scope never matters", good("HARFANGLAB_TOKEN=x\nCONNECTOR_SCOPE=CHANGEME"), everything, nil},
		{"our own settings always matter", "HARFANGSYNC_STATE=ChangeMe", nil, []string{"sync.state"}},
		{"what config print shows is no secret", good("HARFANGLAB_TOKEN=***"), everything, []string{"harfanglab.token"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, settingsOf(loadError(tt.env, tt.needs...))); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func loadError(env string, needs ...config.Need) error {
	_, err := load("", env, needs...)
	return err
}

func settingsOf(err error) []string {
	var out []string
	for _, p := range problems(err) {
		out = append(out, p.Setting)
	}
	return out
}

func TestWhatIsLacking(t *testing.T) {
	for _, tt := range []struct {
		name, env string
		needs     []config.Need
		want      string
	}{
		{"nothing", "", nil, ""},
		{"OpenCTI", "", []config.Need{config.NeedOpenCTI}, "opencti.url: is not set; set OPENCTI_URL in the environment, or opencti.url in config.yml\n" +
			"opencti.token: is not set; set OPENCTI_TOKEN or OPENCTI_TOKEN_FILE in the environment, or opencti.token in config.yml"},
		{"the instance", "", []config.Need{config.NeedInstance}, "connector.id: is not set; set CONNECTOR_ID in the environment, or connector.id in config.yml"},
		{"a login without password", "HARFANGLAB_URL=https://h\nHARFANGLAB_LOGIN=soc", []config.Need{config.NeedHarfangLab},
			"harfanglab.password: is not set, but the login is; set HARFANGLAB_PASSWORD or HARFANGLAB_PASSWORD_FILE in the environment, or harfanglab.password in config.yml"},
		{"a login with password", "HARFANGLAB_URL=https://h\nHARFANGLAB_LOGIN=soc\nHARFANGLAB_PASSWORD=x", []config.Need{config.NeedHarfangLab}, ""},
		{"imports that are off", "", []config.Need{config.NeedImports}, "harfanglab.import_security_events_as_incidents: is false, so nothing is imported; " +
			"set it to true (environment HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS)"},
		{"imports that are on", "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", []config.Need{config.NeedImports}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := errorText(loadError(tt.env, tt.needs...)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestNearMisses(t *testing.T) {
	for _, tt := range []struct{ name, env, want string }{
		{"a plural", "HARFANGLAB_REMOVE_INDICATORS=true", "environment HARFANGLAB_REMOVE_INDICATORS is no setting and is not read; did you mean HARFANGLAB_REMOVE_INDICATOR?"},
		{"a slip in a successor's name", "HARFANGLAB_INTEL_TOKN=x", "environment HARFANGLAB_INTEL_TOKN is no setting and is not read; did you mean HARFANGLAB_INTEL_TOKEN?"},
		{"lower case", "opencti_url=http://x", "environment opencti_url is no setting and is not read; did you mean OPENCTI_URL?"},
		{"the first connector's misspelt prefix", "HARFLANGLAB_RULE_MATURITY=stable", "environment HARFLANGLAB_RULE_MATURITY is no setting and is not read; did you mean HARFANGLAB_RULE_MATURITY?"},
		{"and its other name", "HARFLANGLAB_INDICATOR_DELETE=true", "environment HARFLANGLAB_INDICATOR_DELETE is no setting and is not read; did you mean HARFANGLAB_REMOVE_INDICATOR?"},
		{"our own prefix", "HARFANGSYNC_COLOUR=red", "environment HARFANGSYNC_COLOUR is no setting and is not read"},
		{"a file for what is no secret", "HARFANGLAB_URL_FILE=/run/url", "environment HARFANGLAB_URL_FILE is not read: only secrets come from files; set HARFANGLAB_URL"},
		{"a forgotten import", "HARFANGLAB_INCIDENTS_ALERT_TYPES=ioc", "harfanglab_incidents.alert_types is set and no alert is imported; set harfanglab.import_security_events_as_incidents to true to import them, as that connector did"},
		{"names of the connectors' library", "CONNECTOR_TYPE=STREAM\nCONNECTOR_AUTO=true\nOPENCTI_JSON_LOGGING=true", ""},
		{"what is asked for and not done", "CONNECTOR_VALIDATE_BEFORE_IMPORT=true", "environment CONNECTOR_VALIDATE_BEFORE_IMPORT is known from the old connectors and has no effect: what is imported is not held back for validation"},
		{"not asked for", "CONNECTOR_VALIDATE_BEFORE_IMPORT=False\nCONNECTOR_SEND_TO_DIRECTORY=no\nCONNECTOR_SEND_TO_QUEUE=True", ""},
		{"nothing is to be sent", "CONNECTOR_SEND_TO_QUEUE=false", "environment CONNECTOR_SEND_TO_QUEUE is known from the old connectors and has no effect: what is imported goes to OpenCTI; pull --dry-run only prints it"},
		{"quotes around a value", `HARFANGLAB_SOURCE_LIST_NAME="from CTI"`, "environment HARFANGLAB_SOURCE_LIST_NAME: the quotes around its value are no part of it and are taken off; remove them"},
		{"a comment that is none", "HARFANGLAB_SOURCE_LIST_NAME=cti # the list", "environment HARFANGLAB_SOURCE_LIST_NAME: a blank and # stand in its value and are a part of it; remove them if they begin a comment"},
		{"service links of Kubernetes", "HARFANGSYNC_SERVICE_HOST=10.0.0.1\nHARFANGSYNC_PORT=tcp://10.0.0.1:80\nOPENCTI_PORT_8080_TCP_ADDR=10.0.0.1", ""},
		{"an unset slip", "HARFANGLAB_REMOVE_INDICATORS=", ""},
		{"other people's names", "PATH=/bin\nHOME=/\nHARFANGLAB=1\nLANG=C\nOPENCTI_ADMIN_TOKEN=x\nOPENCTI_BASE_URL=x", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load("", tt.env)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.Warnings, "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
