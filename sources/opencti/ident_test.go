package opencti_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

func TestVersionsCompareByNumbers(t *testing.T) {
	order := []string{"5.8.7", "5.12.9", "5.12.24", "6.0", "6.0.1", "6.2.6", "6.2.18", "6.5.11", "6.9.22", "7.260224.0", "7.260817.0", "8.1"}
	for i, a := range order {
		for j, b := range order {
			va, err := opencti.ParseVersion(a)
			if err != nil {
				t.Fatal(err)
			}
			vb, err := opencti.ParseVersion(b)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := va.Compare(vb); got != want {
				t.Errorf("%s against %s = %d, want %d", a, b, got, want)
			}
			if got := va.AtLeast(b); got != (want >= 0) {
				t.Errorf("%s at least %s = %v", a, b, got)
			}
		}
	}
}

func TestParseVersion(t *testing.T) {
	for text, equal := range map[string]string{"6.9.22": "6.9.22", " 6.9.22\n": "6.9.22", "v7.1.0": "7.1", "6.9.0-SNAPSHOT": "6.9", "6.4.2+build.7": "6.4.2"} {
		v, err := opencti.ParseVersion(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if w, _ := opencti.ParseVersion(equal); v.Compare(w) != 0 {
			t.Errorf("%q is not %s", text, equal)
		}
	}
	for _, text := range []string{"", "six", "6..1", "6.-1", "6.9.x", "99999999999999999999.0", "\x1b[31m"} {
		if _, err := opencti.ParseVersion(text); err == nil {
			t.Errorf("%q is taken for a version", text)
		} else if strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("error %q writes to the terminal", err)
		}
	}
}

func TestIdentByVersion(t *testing.T) {
	tests := []struct {
		name, version string
		requests      int
		warns         string // a part of the one warning, "" for none
		refused       bool
	}{
		{"before 5.12.24 is refused by name", "5.12.23", 2, "", true},
		{"long before as well", "5.8.7", 2, "", true},
		{"5.12.24 is asked without confidence levels and warned of", "5.12.24", 2, "OpenCTI 5.12.24 is older than 6.2.6", false},
		{"6.0.0 is asked once", "6.0.0", 1, "older than 6.2.6", false},
		{"6.2.5 cannot take alerts", "6.2.5", 1, "pull does not", false},
		{"6.2.6 can", "6.2.6", 1, "", false},
		{"6.5.10", "6.5.10", 1, "", false},
		{"6.5.11", "6.5.11", 1, "", false},
		{"6.9.22", "6.9.22", 1, "", false},
		{"7.260817.0 is newer than 6.9.22", "7.260817.0", 1, "", false},
		{"an unknown major goes on with a warning", "8.260101.0", 1, "OpenCTI 8.260101.0 is newer", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, p := simulated(t, octisim.Options{Version: tt.version}, opencti.Options{})
			id, err := p.Ident(context.Background())
			if n := s.HTTP.Count(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			if tt.refused {
				if _, ok := errors.AsType[*opencti.VersionError](err); !ok {
					t.Errorf("error %T, want a VersionError", err)
				}
				says(t, err, "OpenCTI "+tt.version+" is not supported", "5.12.24")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if id.Version.String() != tt.version {
				t.Errorf("version %s, want %s", id.Version, tt.version)
			}
			if got := strings.Join(id.Warnings, "; "); (got == "") != (tt.warns == "") || !strings.Contains(got, tt.warns) || len(id.Warnings) > 1 {
				t.Errorf("warnings %q, want one that says %q", id.Warnings, tt.warns)
			}
		})
	}
}

func TestIdentTellsWhoWeAre(t *testing.T) {
	s := octisim.New(octisim.Options{Users: []octisim.User{{
		ID: "u1", Name: "Job\x1b[31m", Token: token, Capabilities: []string{"KNOWLEDGE_KNUPDATE", "CONNECTORAPI"}, Markings: []string{"TLP:GREEN", "TLP:CLEAR"},
	}}})
	p := connect(t, s, opencti.Options{})
	id, err := p.Ident(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if id.UserID != "u1" || id.UserName != "Job [31m" || id.MaxConfidence != nil {
		t.Errorf("user %q %q, confidence %v", id.UserID, id.UserName, id.MaxConfidence)
	}
	if len(id.Warnings) != 1 || !strings.Contains(id.Warnings[0], "no maximum confidence level") {
		t.Errorf("warnings %q, want one about the confidence level", id.Warnings)
	}
	var seen []string
	for _, m := range id.Markings {
		seen = append(seen, m.Definition)
	}
	if diff := cmp.Diff([]string{"TLP:CLEAR", "TLP:GREEN"}, seen); diff != "" {
		t.Errorf("visible markings (-want +got):\n%s", diff)
	}
	for capability, want := range map[string]bool{"KNOWLEDGE": true, "CONNECTORAPI": true, "MODULES": false, "TAXIIAPI": false, "SETTINGS_SETLABELS": false} {
		if got := id.Can(capability); got != want {
			t.Errorf("can %s = %v, want %v", capability, got, want)
		}
	}
	if all := (opencti.Ident{Capabilities: []string{"BYPASS"}}); !all.Can("MODULES") {
		t.Error("BYPASS does not stand for every capability")
	}
}

func TestIdentTakesNullLists(t *testing.T) {
	p := connect(t, &canned{answers: map[string]string{"": `{"data":{"about":{"version":"6.9.22"},"me":{"id":"u","name":"n","capabilities":[null,{"name":"KNOWLEDGE"}],
		"allowed_marking":[null,{"standard_id":"m","definition":null}],"effective_confidence_level":{"max_confidence":80}}}}`}}, opencti.Options{})
	id, err := p.Ident(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !id.Can("KNOWLEDGE") || len(id.Markings) != 0 || *id.MaxConfidence != 80 || len(id.Warnings) != 0 {
		t.Errorf("identity %+v", id)
	}
}

func TestIdentRefusesWhatIsNoIdentity(t *testing.T) {
	for name, answer := range map[string]string{
		"no version": `{"data":{"about":null,"me":{"id":"u"}}}`,
		"no user":    `{"data":{"about":{"version":"6.9.22"},"me":null}}`,
		"no number":  `{"data":{"about":{"version":"latest"},"me":{"id":"u"}}}`,
		"no members": `{"data":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, &canned{answers: map[string]string{"": answer}}, opencti.Options{})
			_, err := p.Ident(context.Background())
			says(t, err, "OpenCTI: Ident: 200 with ", "check opencti.url")
			if len(p.slept()) != 0 {
				t.Error("asked again for the same answer")
			}
		})
	}
}
