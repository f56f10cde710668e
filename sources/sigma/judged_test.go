package sigma_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/sigma"
)

var update = flag.Bool("update", false, "write down what another implementation says")

const judgedFile = "../../testdata/sigma/judged.jsonl"

// judged is a rule, what endpoints saw, and on which of it the rule fires by the word of another implementation.
type judged struct {
	Rule   string              `json:"rule"`
	Events []map[string]string `json:"events"`
	Fires  string              `json:"fires,omitempty"` // 1 or 0 for each event
	Why    string              `json:"why,omitempty"`   // that cannot be said
	by     rule
	seen   []event
}

// TestAnotherImplementationAgrees holds our evaluator, by which all other tests judge rules and their translations,
// against pySigma, the reference: on what it said of random rules and events of both forms; or, with TEST_JUDGE (a
// command), on what it says now, also of the rules of TEST_INDICATORS. `make judge` writes anew what it said.
func TestAnotherImplementationAgrees(t *testing.T) {
	var cases []judged
	if judge := os.Getenv("TEST_JUDGE"); judge != "" {
		cases = drawCases(t)
		if collection := os.Getenv("TEST_INDICATORS"); collection != "" {
			cases = collectionCases(t, collection)
		}
		ask(t, judge, cases)
		if *update {
			writeJudged(t, cases)
		}
	} else {
		cases = readJudged(t)
	}
	agreed, fired, unsaid := 0, 0, map[string]int{}
	for _, c := range cases {
		if c.Why != "" {
			unsaid[c.Why]++
			continue
		}
		for i, e := range c.seen {
			is := c.by.fires(e)
			if want := c.Fires[i] == '1'; is != want {
				t.Errorf("on %v: the other implementation says %t, ours %t of\n%s", e, want, is, c.Rule)
				break
			} else if agreed++; is {
				fired++
			}
		}
	}
	t.Logf("%d rules, %d events, %d of them fired; not said: %v", len(cases), agreed, fired, unsaid)
	if fired == 0 {
		t.Error("no rule fired")
	}
}

// about is a case of a rule and events, whose logsource is the rule's.
func about(t *testing.T, text string, fields []map[string]string) judged {
	c := judged{Rule: text, Events: fields, by: readRule(t, text)}
	l := c.by.Logsource
	for _, f := range fields {
		c.seen = append(c.seen, event{product: l.Product, category: l.Category, service: l.Service, fields: f})
	}
	return c
}

func readJudged(t *testing.T) (cases []judged) {
	b, err := os.ReadFile(judgedFile)
	if err != nil {
		t.Fatal(err)
	}
	for text := range bytes.Lines(b) {
		var c judged
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		full := about(t, c.Rule, c.Events)
		full.Fires, full.Why = c.Fires, c.Why
		cases = append(cases, full)
	}
	return cases
}

func writeJudged(t *testing.T, cases []judged) {
	var b bytes.Buffer
	for _, c := range cases {
		if c.Why == "" {
			b.Write(line(t, c))
		}
	}
	if err := os.WriteFile(judgedFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func line(t *testing.T, c judged) []byte {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// both are the author's rule on public events, and ours on the same in HarfangLab.
func both(t *testing.T, author, ours string, f *form, events []event) []judged {
	var public, held []map[string]string
	for _, e := range events {
		h, _ := f.harfanglab(e)
		public, held = append(public, e.fields), append(held, h.fields)
	}
	return []judged{about(t, author, public), about(t, ours, held)}
}

// drawCases are random rules with random events, half of them of the rule's own values.
func drawCases(t *testing.T) (cases []judged) {
	for seed := range 200 {
		rapid.Custom(func(rt *rapid.T) bool {
			f := &forms[rapid.IntRange(0, len(forms)-1).Draw(rt, "form")]
			src := drawRule(rt, f)
			got, skip := sigma.Translate(src)
			if skip != nil {
				return false
			}
			author, rnd := readRule(t, src), rand.New(rand.NewPCG(uint64(seed), 0))
			var events []event
			for range 3 {
				events = append(events, drawEvent(rt, f), eventLike(author, f, rnd))
			}
			cases = append(cases, both(t, src, got.Text, f, events)...)
			return true
		}).Example(seed)
	}
	return cases
}

// collectionCases are the rules of a collection with events of their own values.
func collectionCases(t *testing.T, path string) (cases []judged) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, src := range collection(t, path) {
		author := readRule(t, src)
		f := formOf(author)
		got, skip := sigma.Translate(src)
		if skip != nil || f == nil {
			continue
		}
		var events []event
		for range 50 {
			events = append(events, eventLike(author, f, rnd))
		}
		cases = append(cases, both(t, src, got.Text, f, events)...)
	}
	return cases
}

// ask has a command judge the cases.
func ask(t *testing.T, command string, cases []judged) {
	var in bytes.Buffer
	for i := range cases {
		in.Write(line(t, cases[i]))
	}
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	answers := bufio.NewScanner(bytes.NewReader(out))
	answers.Buffer(nil, 1<<20)
	for i := range cases {
		if !answers.Scan() {
			t.Fatalf("%d answers for %d rules", i, len(cases))
		}
		if err := json.Unmarshal(answers.Bytes(), &cases[i]); err != nil {
			t.Fatal(err)
		}
	}
}
