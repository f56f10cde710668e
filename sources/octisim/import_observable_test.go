package octisim

import (
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestObservableValuesAreChecked(t *testing.T) {
	const (
		md5    = "d41d8cd98f00b204e9800998ecf8427e"
		sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	)
	tests := []struct {
		name, stix, members string
		good                bool
	}{
		{"domain", "domain-name", `"value": "evil.example"`, true},
		{"domain in another script", "domain-name", `"value": "bücher.example"`, true},
		{"domain of one label", "domain-name", `"value": "localhost"`, false},
		{"domain with a blank", "domain-name", `"value": "evil example.org"`, false},
		{"domain with a URL", "domain-name", `"value": "https://evil.example"`, false},
		{"domain without value", "domain-name", `"x_opencti_score": 5`, false},
		{"domain that is too long", "domain-name", `"value": "` + strings.Repeat("a.", 127) + `example"`, false},
		{"host name", "hostname", `"value": "SRV_DB-01"`, true},
		{"host name under its other type", "x-opencti-hostname", `"value": "srv"`, true},
		{"host name with a blank", "hostname", `"value": "my pc"`, false},
		{"host name with an edge", "hostname", `"value": "-srv"`, false},
		{"IPv4", "ipv4-addr", `"value": "198.51.100.7"`, true},
		{"IPv4 network", "ipv4-addr", `"value": "198.51.100.0/24"`, true},
		{"IPv4 that is none", "ipv4-addr", `"value": "198.51.100.256"`, false},
		{"IPv4 that is IPv6", "ipv4-addr", `"value": "2001:db8::1"`, false},
		{"IPv6", "ipv6-addr", `"value": "2001:0db8:0:0:0:0:0:1"`, true},
		{"IPv6 network", "ipv6-addr", `"value": "2001:db8::/32"`, true},
		{"IPv6 with a zone", "ipv6-addr", `"value": "fe80::1%eth0"`, false},
		{"IPv6 that is IPv4", "ipv6-addr", `"value": "198.51.100.7"`, false},
		{"mailbox", "email-addr", `"value": "a+b@evil.example"`, true},
		{"mailbox without a host", "email-addr", `"value": "a@"`, false},
		{"MAC", "mac-addr", `"value": "00:00:5e:00:53:01"`, true},
		{"MAC that is none", "mac-addr", `"value": "00:00:5e"`, false},
		{"file by hash", "file", `"hashes": {"SHA-256": "` + sha256 + `"}`, true},
		{"file by name", "file", `"name": "a.exe"`, true},
		{"file by nothing", "file", `"size": 5`, false},
		{"file with null hashes", "file", `"name": "a.exe", "hashes": {"MD5": null, "SHA-1": ""}`, true},
		{"hash that is too short", "file", `"hashes": {"SHA-256": "` + md5 + `"}`, false},
		{"hash that is none", "file", `"hashes": {"MD5": "` + strings.Repeat("z", 32) + `"}`, false},
		{"hash of another kind", "file", `"hashes": {"SSDEEP": "3:a:b"}`, true},
		{"artifact", "artifact", `"url": "http://evil.example/p.bin"`, true},
		{"artifact of nothing", "artifact", `"mime_type": "text/plain"`, false},
		{"URL", "url", `"value": "http://evil.example/path"`, true},
		{"process", "process", `"command_line": "cmd.exe", "pid": 7`, true},
		{"process by number alone", "process", `"pid": 7`, false},
		{"account", "user-account", `"user_id": "S-1-5-21"`, true},
		{"account of nobody", "user-account", `"display_name": "Jane"`, false},
		{"directory", "directory", `"path": "C:\\Windows"`, true},
		{"directory without path", "directory", `"path": ""`, false},
		{"registry key", "windows-registry-key", `"key": "HKCU\\Software"`, true},
		{"registry key under the name of GraphQL", "windows-registry-key", `"attribute_key": "HKCU\\Software"`, false},
		{"mutex", "mutex", `"name": "Global\\evil"`, true},
		{"autonomous system", "autonomous-system", `"number": 64500`, true},
		{"software", "software", `"name": "nginx", "vendor": "F5"`, true},
		{"text", "text", `"value": "hello"`, true},
		{"user agent", "user-agent", `"value": "curl/8.0"`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			message := ""
			if !tt.good {
				message = `^FUNCTIONAL_ERROR: .*INCORRECT_OBSERVABLE_FORMAT`
			}
			wants(t, pushed(t, s, corp, `{"type": "`+tt.stix+`", "id": "`+fresh(tt.stix)+`", `+tt.members+`}`), message)
			if (s.Held().Observables == 1) != tt.good {
				t.Errorf("observables %+v", s.Observables())
			}
		})
	}
}

func TestObservablesAreReadBack(t *testing.T) {
	const common = `entity_type observable_value x_opencti_score x_opencti_description createdBy { name } objectLabel { value }`
	tests := []struct {
		stix, members, fields string
		want                  map[string]any
	}{
		{"file", `"hashes": {"md5": "d41d8cd98f00b204e9800998ecf8427e"}, "name": "a.exe", "size": 5, "mtime": "2026-03-01T10:00:00Z", "x_opencti_additional_names": ["b.exe"]`,
			`... on StixFile { name size mtime hashes { algorithm hash } x_opencti_additional_names }`,
			map[string]any{"entity_type": "StixFile", "observable_value": "d41d8cd98f00b204e9800998ecf8427e", "name": "a.exe", "size": 5.0, "mtime": "2026-03-01T10:00:00.000Z",
				"hashes": []any{map[string]any{"algorithm": "MD5", "hash": "d41d8cd98f00b204e9800998ecf8427e"}}, "x_opencti_additional_names": []any{"b.exe"}}},
		{"process", `"command_line": "cmd.exe /c x", "pid": 7, "cwd": "C:\\"`, `... on Process { pid cwd command_line created_time }`,
			map[string]any{"entity_type": "Process", "observable_value": "cmd.exe /c x", "pid": 7.0, "cwd": `C:\`, "command_line": "cmd.exe /c x", "created_time": nil}},
		{"user-account", `"user_id": "S-1-5-21", "display_name": "Jane"`, `... on UserAccount { user_id account_login display_name }`,
			map[string]any{"entity_type": "User-Account", "observable_value": "S-1-5-21", "user_id": "S-1-5-21", "account_login": nil, "display_name": "Jane"}},
		{"directory", `"path": "C:\\Windows"`, `... on Directory { path }`, map[string]any{"entity_type": "Directory", "observable_value": `C:\Windows`, "path": `C:\Windows`}},
		{"windows-registry-key", `"key": "HKCU\\Software"`, `... on WindowsRegistryKey { attribute_key }`,
			map[string]any{"entity_type": "Windows-Registry-Key", "observable_value": `HKCU\Software`, "attribute_key": `HKCU\Software`}},
		{"mutex", `"name": "Global\\evil"`, `... on Mutex { name }`, map[string]any{"entity_type": "Mutex", "observable_value": `Global\evil`, "name": `Global\evil`}},
		{"domain-name", `"value": "EVIL.example"`, `... on DomainName { value }`, map[string]any{"entity_type": "Domain-Name", "observable_value": "evil.example", "value": "evil.example"}},
		{"autonomous-system", `"number": 64500`, `... on AutonomousSystem { number }`, map[string]any{"entity_type": "Autonomous-System", "observable_value": "64500", "number": 64500.0}},
		{"software", `"name": "nginx", "vendor": "F5"`, `... on Software { name vendor version }`,
			map[string]any{"entity_type": "Software", "observable_value": "nginx", "name": "nginx", "vendor": "F5", "version": nil}},
	}
	for _, tt := range tests {
		t.Run(tt.stix, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			id := fresh(tt.stix)
			wants(t, pushed(t, s, corp, `{"type": "`+tt.stix+`", "id": "`+id+`", `+tt.members+`, "x_opencti_score": 80, "x_opencti_labels": ["edr"],
				"extensions": {"extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82": {"description": "Seen", "created_by_ref": "`+corpID+`"}}}`), "")
			tt.want["x_opencti_score"], tt.want["x_opencti_description"] = 80.0, "Seen"
			tt.want["createdBy"], tt.want["objectLabel"] = map[string]any{"name": "Example Corp"}, []any{map[string]any{"value": "edr"}}
			simtest.Same(t, "observable", tt.want, held(t, s, id, `... on StixCyberObservable { `+common+` } `+tt.fields))
		})
	}
}

func TestFilesAreFoundByAnyOfTheirHashes(t *testing.T) {
	const md5, sha1, sha256 = `"MD5": "d41d8cd98f00b204e9800998ecf8427e"`, `"SHA-1": "da39a3ee5e6b4b0d3255bfef95601890afd80709"`, `"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
	tests := []struct {
		name, first, second string
		files, hashes       int // and how many hashes the only one has
	}{
		{"the same set", md5 + "," + sha256, md5 + "," + sha256, 1, 2},
		{"a further hash", sha256, sha256 + "," + md5, 1, 2},
		{"a weaker one alone, of a file that goes by another", md5 + "," + sha256, sha256, 2, 2},
		{"nothing in common", md5, sha1, 2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			for _, hashes := range []string{tt.first, tt.second} {
				wants(t, pushed(t, s, corp, `{"type": "file", "id": "`+fresh("file")+`", "hashes": {`+hashes+`}}`), "")
			}
			all := s.Observables()
			if len(all) != tt.files {
				t.Fatalf("files %+v", all)
			}
			for _, o := range all {
				if want := observableID(parseVersion(newest), &o); o.StandardID != want {
					t.Errorf("standard id %s, want %s", o.StandardID, want)
				}
			}
			if tt.files == 1 && len(all[0].Hashes) != tt.hashes {
				t.Errorf("hashes %v", all[0].Hashes)
			}
		})
	}
}

func TestObservablesChange(t *testing.T) {
	s := registered(t, Options{})
	s.SetKnobs(func(k *Knobs) { k.Exclude = []string{"srv-good.corp.example"} })
	object := `{"type": "hostname", "id": "` + nameID + `", "value": "srv-db-01.corp.example", "x_opencti_score": 80`
	wants(t, pushed(t, s, corp, object+`, "x_opencti_description": "old"}`), "")
	wants(t, pushed(t, s, corp, object+`, "x_opencti_description": "new", "x_opencti_score": 20, "labels": ["a"], "confidence": 1}`), "")
	wants(t, pushed(t, s, corp, strings.Replace(name, "srv-db-01", "srv-good", 1)), "INDICATOR_PATTERN_EXCLUDED")
	want := map[string]any{"x_opencti_description": "new", "x_opencti_score": 20.0, "objectLabel": []any{map[string]any{"value": "a"}}}
	simtest.Same(t, "observable", want, held(t, s, nameID, `... on StixCyberObservable { x_opencti_description x_opencti_score objectLabel { value } }`))
}
