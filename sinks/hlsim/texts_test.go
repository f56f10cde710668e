package hlsim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What becomes of texts on their way in, each behind its knob.
func TestTexts(t *testing.T) {
	const yara = "\n  rule a { condition: true }\r\n// é\n  "
	tests := []struct {
		name  string
		knobs Knobs
		path  string
		give  object
		want  object
	}{
		{"they are kept", Knobs{}, iocs, object{"description": " D É ", "comment": "\tC\r\n"}, object{"description": " D É ", "comment": "\tC\r\n"}},
		{"empty is not null", Knobs{}, iocs, object{"description": "", "comment": nil, "name": ""}, object{"description": "", "comment": nil, "name": ""}},
		{"knob: empty is null", Knobs{EmptyToNull: true}, iocs, object{"description": "", "comment": "", "name": ""}, object{"description": nil, "comment": nil, "name": nil}},
		{"knob: trimmed", Knobs{TrimTexts: true}, iocs, object{"description": " D ", "comment": "\tC\r\n"}, object{"description": "D", "comment": "C"}},
		{"knob: cut in characters", Knobs{CutDescription: 2, CutComment: 3}, iocs, object{"description": "éèê", "comment": "ab"}, object{"description": "éè", "comment": "ab"}},
		{"knob: cut after trimming", Knobs{CutComment: 1, TrimTexts: true}, iocs, object{"comment": "  abc"}, object{"comment": "a"}},
		{"knob: folded", Knobs{FoldDescriptions: true}, iocs, object{"description": "Loader É", "comment": "Kept"}, object{"description": "loader é", "comment": "Kept"}},
		{"knob: values folded", Knobs{FoldValues: true}, iocs, object{"value": "C2.Example.org"}, object{"value": "c2.example.org"}},
		{"knob: hashes in upper case", Knobs{UpperHashes: true}, iocs, object{"type": "hash", "value": "9e107d9d372bb6826bd81d3542a419d6"}, object{"value": "9E107D9D372BB6826BD81D3542A419D6"}},
		{"but not hosts", Knobs{UpperHashes: true}, iocs, object{"value": "c2.example.org"}, object{"value": "c2.example.org"}},
		{"knob: values trimmed", Knobs{TrimValues: true}, iocs, object{"value": " c2.example.org\n"}, object{"value": "c2.example.org"}},
		{"contents are kept", Knobs{}, yaras, object{"content": yara}, object{"content": yara}},
		{"knob: contents trimmed", Knobs{TrimTexts: true}, yaras, object{"content": yara}, object{"content": "rule a { condition: true }\r\n// é"}},
		{"knob: contents cut", Knobs{CutContent: 8}, yaras, object{"content": yara}, object{"content": "\n  rule "}},
		{"knob: a first comment dropped", Knobs{DropComments: true}, yaras, object{"content": "// note\nrule a { condition: true }\n// kept"}, object{"content": "rule a { condition: true }\n// kept"}},
		{"knob: names folded", Knobs{FoldNames: true}, yaras, object{"name": "Loader A", "content": yara}, object{"name": "loader a"}},
		{"knob: contents with CRLF", Knobs{CRLF: true}, yaras, object{"content": yara}, object{"content": "\r\n  rule a { condition: true }\r\n// é\r\n  "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, with(tt.knobs))
			pick := func(r reply) object {
				got := object{}
				for name := range tt.want {
					got[name] = r.json[name]
				}
				return got
			}
			var path string
			if tt.path == yaras {
				path = m.makeFile(yaras, m.yara("f", "", tt.give))
			} else {
				path = m.makeIOC("plain.example", tt.give)
			}
			if diff := cmp.Diff(tt.want, pick(m.get(path))); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, pick(m.do("PATCH", path, tt.give).want(t, 200, ""))); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextsThatAreRefused(t *testing.T) {
	m := start(t, with(Knobs{MaxComment: 3, MaxDescription: 2}))
	m.do("POST", iocs, m.ioc("a.example", object{"comment": "éèêë"})).want(t, 400, `{"comment":["Ensure this field has no more than 3 characters."]}`)
	m.do("POST", iocs, m.ioc("a.example", object{"description": "éèê"})).want(t, 400, `{"description":["Ensure this field has no more than 2 characters."]}`)
	path := m.makeIOC("a.example", object{"comment": "éèê"})
	m.do("PATCH", path, object{"comment": "1234"}).want(t, 400, `{"comment":["`)
	m.get(path).want(t, 200, `"comment":"éèê"`)
}

func TestFoldedValuesAreUnique(t *testing.T) {
	m := start(t, with(Knobs{FoldValues: true}))
	m.makeIOC("a.example")
	m.do("POST", iocs, m.ioc("A.Example")).want(t, 400, "already exists")
}

func TestValuesWithBlanksAreRefused(t *testing.T) {
	m := start(t, Options{})
	m.do("POST", iocs, m.ioc(" a.example")).want(t, 400, `{"value":["`)
}

func TestNoDisableEdit(t *testing.T) {
	m := start(t, with(Knobs{NoDisableEdit: true}))
	ioc := m.makeIOC("a.example", object{"comment": "c"})
	file := m.makeFile(yaras, m.yara("f", yaraSample))
	m.do("PATCH", ioc, object{"enabled": false, "comment": "d"}).want(t, 400, `{"comment":["A rule cannot be edited`)
	m.do("PATCH", file, object{"enabled": false, "content": yaraSample + "\n"}).want(t, 400, `{"content":["`)
	m.do("PATCH", ioc, object{"enabled": false, "comment": "c"}).want(t, 200, `"enabled":false`)
	m.do("PATCH", ioc, object{"comment": "d"}).want(t, 200, `"comment":"d"`)
	m.do("PATCH", file, object{"enabled": false}).want(t, 200, `"enabled":false`)
	m.do("PATCH", file, object{"enabled": true, "content": yaraSample + "\n"}).want(t, 200, `"enabled":true`)
}

func TestBareRules(t *testing.T) {
	m := start(t, with(Knobs{BareRule: true}))
	for _, path := range []string{m.makeIOC("a.example"), m.makeFile(sigmas, m.sigma("s", sigmaSample)), m.makeFile(yaras, m.yara("y", yaraSample))} {
		for _, name := range []string{"source", "source_id"} {
			if _, shown := m.get(path).json[name]; shown {
				t.Errorf("%s shows its %s", path, name)
			}
		}
	}
}

func TestWhatAnUpdateLeavesOutStays(t *testing.T) {
	m := start(t, Options{})
	path := m.makeIOC("A.example", object{"description": " Long One ", "comment": "Long Two"})
	m.SetKnobs(func(k *Knobs) {
		*k = Knobs{TrimTexts: true, CutDescription: 1, CutComment: 1, FoldDescriptions: true, FoldValues: true}
	})
	m.do("PATCH", path, object{"enabled": false}).want(t, 200, `"value":"A.example"`).want(t, 200, `"description":" Long One ","comment":"Long Two"`)
}
