package evaluate_test

import (
	"testing"

	"github.com/harfangsync/harfangsync/sinks/hlsim/evaluate"
)

func TestTheEvaluatorFollowsTheStandard(t *testing.T) {
	for _, tt := range []struct {
		name, detection string
		fields          map[string]string
		want            bool
	}{
		{"equal without case", "s: {A: x}\n  condition: s", map[string]string{"A": "X"}, true},
		{"cased", "s: {A|cased: x}\n  condition: s", map[string]string{"A": "X"}, false},
		{"both of a mapping", "s: {A: x, B: y}\n  condition: s", map[string]string{"A": "x"}, false},
		{"one of a list", "s: {A: [x, y]}\n  condition: s", map[string]string{"A": "y"}, true},
		{"all of a list", "s: {A|contains|all: [x, y]}\n  condition: s", map[string]string{"A": "zyx"}, true},
		{"not all of a list", "s: {A|contains|all: [x, y]}\n  condition: s", map[string]string{"A": "x"}, false},
		{"one mapping of a list", "s: [{A: x}, {B: y}]\n  condition: s", map[string]string{"B": "y"}, true},
		{"a wildcard", `s: {A: '*\x?.exe'}` + "\n  condition: s", map[string]string{"A": `C:\x1.exe`}, true},
		{"a wildcard without meaning", `s: {A: 'x\*'}` + "\n  condition: s", map[string]string{"A": `xy`}, false},
		{"a backslash before what may follow", `s: {A|contains: '\Temp\'}` + "\n  condition: s", map[string]string{"A": `C:\Temp\x`}, true},
		{"null", "s: {A: null}\n  condition: s", nil, true},
		{"one of a pattern", "s_1: {A: x}\n  s_2: {A: y}\n  condition: 1 of s_*", map[string]string{"A": "y"}, true},
		{"all of them", "s_1: {A: x}\n  s_2: {A: y}\n  condition: all of them", map[string]string{"A": "y"}, false},
		{"and before or", "a: {A: x}\n  b: {A: y}\n  condition: a or b and not a", map[string]string{"A": "x"}, true},
		{"not before and", "a: {A: x}\n  b: {B: y}\n  condition: not b and a", map[string]string{"A": "x"}, true},
		{"cidr", "s: {A|cidr: 10.0.0.0/8}\n  condition: s", map[string]string{"A": "10.1.1.1"}, true},
		{"re", "s: {A|re: '^a+$'}\n  condition: s", map[string]string{"A": "aab"}, false},
		{"fieldref", "s: {A|fieldref: B}\n  condition: s", map[string]string{"A": "x", "B": "x"}, true},
		{"base64offset", "s: {A|base64offset|contains: 'http://'}\n  condition: s", map[string]string{"A": "eCBodHRwOi8v"}, true},
		{"windash", "s: {A|windash|contains: ' -x '}\n  condition: s", map[string]string{"A": "a /x b"}, true},
		{"words", "s: [needle]\n  condition: s", map[string]string{"A": "a needle b"}, true},
		{"a number", "s: {A: 4624}\n  condition: s", map[string]string{"A": "4624"}, true},
		{"digits that are no number", "s: {A: 00000429}\n  condition: s", map[string]string{"A": "00000429"}, true},
		{"two conditions", "a: {A: x}\n  b: {A: y}\n  condition: [a, b]", map[string]string{"A": "y"}, true},
	} {
		r, err := evaluate.Read("detection:\n  " + tt.detection + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Fires(evaluate.Event{Fields: tt.fields}); got != tt.want || err != nil {
			t.Errorf("%s: %t, %v", tt.name, got, err)
		}
	}
}

func TestWhatCannotBeEvaluated(t *testing.T) {
	for _, detection := range []string{"s: {A: x}\n  condition: s and", "s: {A: x}\n  condition: (s", "s: {A: x}\n  condition: s s", "s: {A: x}\n  condition: t", "s: {A: x}\n  condition: no of s*", "s: {A|re: '('}\n  condition: s", "s: {A|cidr: x}\n  condition: s"} {
		r, err := evaluate.Read("detection:\n  " + detection + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Fires(evaluate.Event{Fields: map[string]string{"A": "x"}}); err == nil {
			t.Errorf("%s: no error", detection)
		}
	}
	if _, err := evaluate.Read("["); err == nil {
		t.Error("no error of no YAML")
	}
}
