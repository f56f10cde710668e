package octisim

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestTextsSurviveJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.String().Draw(rt, "text")
		var out string
		if err := json.Unmarshal(appendJSON(nil, in), &out); err != nil || out != in {
			rt.Errorf("%q became %q, %v", in, out, err)
		}
	})
	simtest.Is(t, "JSON", "\"<&>\u2028\x7f\\u0001\\\"\\\\\\n\ufffd\"", string(appendJSON(nil, "<&>\u2028\x7f\x01\"\\\n\xff")))
}

func TestPatternsAreCutWithoutLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.StringOf(rapid.SampledFrom([]rune(`a.:'\=!<> []()é`))).Draw(rt, "pattern")
		var b strings.Builder
		for _, p := range cut(in) {
			b.WriteString(p.text)
		}
		simtest.Is(rt, "pattern", in, b.String())
		equalities(in)
		normalisePattern(parseVersion("7.260817.0"), in)
	})
}
