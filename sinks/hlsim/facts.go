package hlsim

import (
	"regexp"
	"slices"
	"strings"
)

// facts are what the manager reads in a content. A Sigma rule fills all but names, a YARA file names,
// techniques and text.
type facts struct {
	id, title, level string
	names            []string // of the rules in a YARA file, in order
	techniques       []string // as contract harfanglab-api 4.3 has them: texts that hold tNNNN or tNNNN.NNN
	errors, warnings []string // of what was taken all the same
	text             string   // the content as the manager stores it
}

// factsOf reads a content, or says why it is refused.
func factsOf(kind, content string) (facts, error) {
	if kind == Sigma {
		return parseSigma(content)
	}
	return parseYARA(content)
}

var technique = regexp.MustCompile(`(?i)\bt\d{4}(?:\.\d{3})?\b`)

// techniquesIn are the tags for what some texts name, sorted, each once.
func techniquesIn(texts []string) []string {
	var out []string
	for _, t := range texts {
		for _, id := range technique.FindAllString(t, -1) {
			out = append(out, "attack."+strings.ToLower(id))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
