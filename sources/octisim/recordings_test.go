package octisim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// recording is what a real platform of 7.260817.0 answered, or sent; long texts are cut, and of a list
// one entry of each shape is left.
type recording struct {
	Case        string          `json:"case"`
	Request     json.RawMessage `json:"request"`
	Status      int             `json:"status"`
	ContentType string          `json:"content_type"`
	Response    json.RawMessage `json:"response"`
	Event       string          `json:"event"`
	Data        json.RawMessage `json:"data"`
}

func recordings(t *testing.T, name string) []recording {
	t.Helper()
	text, err := os.ReadFile("../../testdata/opencti/" + name)
	simtest.Fine(t, err)
	var out []recording
	for line := range bytes.Lines(text) {
		var r recording
		simtest.Fine(t, json.Unmarshal(line, &r))
		out = append(out, r)
	}
	return out
}

// shape lists every place in a JSON text with the kind of what stands there, and the codes of errors.
func shape(t *testing.T, text []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			out[at+" object"] = true
			for name, e := range v {
				walk(at+"."+name, e)
			}
		case []any:
			out[at+" list"] = true
			for _, e := range v {
				walk(at+"[]", e)
			}
		default:
			kind := fmt.Sprintf("%T", v)
			if strings.HasSuffix(at, ".code") {
				kind = fmt.Sprint(v)
			}
			out[at+" "+kind] = true
		}
	}
	walk("", v)
	return sortedKeys(out)
}

// answered is a platform that holds what a recorded answer shows.
func answered(t *testing.T, r recording) *Sim {
	t.Helper()
	at := time.Date(2026, 11, 29, 2, 53, 53, 769e6, time.UTC) // the recorded work's id says so
	s := New(Options{Token: "t", Version: newest, Now: func() time.Time { return at }})
	s.PutStream(Stream{ID: "6d3f6d8d-0b02-4cc7-a83e-971584121ec4", Name: "HarfangLab", Filters: storedText(wanted()...), Live: true})
	if r.Case != "unknown connector" {
		const con = "6f1a2d34-8c55-4e0b-9a77-3d5b1e9c4f20"
		ask(t, s, registerQuery, map[string]any{"input": map[string]any{"id": con, "name": "HarfangLab", "type": "EXTERNAL_IMPORT"}})
		s.SetConnector(con, "{}")
		if r.Case == "Work" || r.Case == "Push" {
			id, _ := ask(t, s, workAddQuery, map[string]any{"connectorId": con}).get("workAdd", "id").(string)
			ask(t, s, `mutation { workEdit(id: "`+id+`") { addExpectations(expectations: 18) } }`, nil)
		}
	}
	var shown struct {
		Data struct {
			Indicators, List, StixCoreRelationships struct {
				Edges []struct{ Node json.RawMessage }
			}
		}
	}
	simtest.Fine(t, json.Unmarshal(r.Response, &shown))
	for _, e := range shown.Data.Indicators.Edges {
		var in Indicator
		simtest.Fine(t, json.Unmarshal(e.Node, &in))
		s.Put(in)
	}
	for _, e := range shown.Data.StixCoreRelationships.Edges {
		v := parsed(t, e.Node)
		to, _ := v["to"].(map[string]any)
		s.Put(Indicator{ID: v["fromId"].(string), Pattern: "[domain-name:value = '" + v["fromId"].(string) + "']"})
		s.Attach(v["fromId"].(string), Observable{EntityType: v["toType"].(string), Value: to["observable_value"].(string)})
	}
	for _, e := range shown.Data.List.Edges {
		v := parsed(t, e.Node)
		id, _ := v["standard_id"].(string)
		if further, _ := v["x_opencti_stix_ids"].([]any); len(further) > 0 {
			id = further[0].(string)
		}
		stix, _, _ := strings.Cut(id, "--")
		if from, ok := v["fromId"].(string); ok {
			s.Put(Indicator{ID: from, Pattern: "[domain-name:value = 'evil.example']"})
			wants(t, errorsOf(s, hostUnit, strings.ReplaceAll(sighting(id, "2026-03-01T10:00:00Z", "2026-03-01T10:05:00Z", 1, ""), domainID, s.items[from].core().standard)), "")
			continue
		}
		wants(t, errorsOf(s, corp, string(jsonText(map[string]any{"type": stix, "id": id, "name": v["name"], "description": v["description"],
			"abstract": v["name"], "content": v["description"], "object_refs": []string{corpID}}))), "")
		if id == v["standard_id"] { // the recorded one was computed over more than is shown
			e := s.entities[stix].byStandard.list()[0]
			e.standard, e.own.stixIDs = id, nil
		}
	}
	return s
}

func TestAnswersHaveTheShapeOfTheRecordings(t *testing.T) {
	for _, r := range slices.Concat(recordings(t, "graphql.jsonl"), recordings(t, "errors.jsonl")) {
		t.Run(r.Case, func(t *testing.T) {
			head := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer t"}
			switch r.Case {
			case "wrong token":
				head["Authorization"] = "Bearer wrong"
			case "no token":
				delete(head, "Authorization")
			}
			body := strings.Replace(string(r.Request), `"bundle": ""`, `"bundle": `+string(jsonText(bundleOf(corp, hostUnit))), 1)
			if r.Case == "malformed JSON" {
				body = `{"query": `
			}
			w := send(t, answered(t, r), "POST", "/graphql", head, body)
			if w.Code != r.Status || w.Header().Get("Content-Type") != r.ContentType {
				t.Errorf("status %d, %s, want %d, %s", w.Code, w.Header().Get("Content-Type"), r.Status, r.ContentType)
			}
			simtest.Same(t, "shape", shape(t, r.Response), shape(t, w.Body.Bytes()))
		})
	}
}

// recorded is an indicator like the one that a recorded event shows.
func recorded(data map[string]any) Indicator {
	m := sse{Data: map[string]any{"data": data}}
	in := Indicator{Name: data["name"].(string), Pattern: data["pattern"].(string), PatternType: data["pattern_type"].(string), MainType: m.octi("main_observable_type").(string)}
	in.Description, _ = data["description"].(string)
	in.Confidence, in.Score, in.Detection = new(80), new(70), new(true)
	in.ValidFrom, in.ValidUntil = day(0), day(400)
	if data["created_by_ref"] != nil {
		in.CreatedBy = &Identity{Name: "Intel Vendor"}
	}
	if data["labels"] != nil {
		in.Labels = []Label{{"octi-batch"}}
	}
	if data["object_marking_refs"] != nil {
		in.Markings = []Marking{{Definition: "TLP:GREEN"}}
	}
	if m.octi("stix_ids") != nil {
		in.StixIDs = []string{fresh("indicator")}
	}
	return in
}

// happened makes what a recorded message tells of, and gives the message that tells of it here.
func happened(t *testing.T, r recording) sse {
	t.Helper()
	s := streamed(Options{Version: newest, Now: time.Now}, wanted()...)
	s.log.by = s.users[0].ID
	if string(r.Data)[0] != '{' || r.Event == "connected" || r.Event == "consumer_metrics" {
		p := follow(t, s, "s")
		seconds(6)
		return messageOf(t, p, func(m sse) bool { return m.Event == r.Event })
	}
	m := sse{Event: r.Event, Data: parsed(t, r.Data)}
	data, _ := m.get("data").(map[string]any)
	referer, _ := m.get("origin", "referer").(string)
	if m.get("origin", "socket") == "internal" {
		s.log.by = ""
	}
	if referer == "init-dependencies" {
		return dependency(t, s, data["type"].(string))
	}
	in := recorded(data)
	inner, _ := m.get("type").(string)
	before, change := story(s, m, inner, in)
	id := s.Put(before)
	options := []string{"from=0"}
	if referer == "init-create" {
		seconds(1)
		options = append(options, "recover=2000-01-02")
	}
	p := follow(t, s, "s", options...)
	p.take(t)
	if change == nil {
		p = follow(t, s, "s", options...)
	} else {
		change(id)
	}
	return messageOf(t, p, func(got sse) bool { return got.Event == m.Event && got.get("data", "type") == "indicator" })
}

// story is what an indicator was before a recorded event, and what was done to it; nil is its creation.
func story(s *Sim, m sse, inner string, in Indicator) (before Indicator, change func(id string)) {
	before = in
	patch := fmt.Sprint(m.get("context", "patch"))
	become := func(id string) {
		s.Edit(id, func(i *Indicator) { i.Pattern, i.Name, i.Detection = in.Pattern, in.Name, in.Detection })
	}
	switch m.Event + " " + inner {
	case "update update":
		if before.Name = "before"; strings.Contains(patch, "/pattern") {
			before.Name, before.Pattern = in.Name, strings.NewReplacer("changed.example.org", "nfe-digital.top", "title: Edited", "title:").Replace(in.Pattern)
		}
		return before, become
	case "create update":
		before.Detection = new(false)
		return before, become
	case "delete update":
		return before, func(id string) { s.Expire(id) }
	case "delete delete":
		return before, func(id string) { s.Delete(id) }
	case "merge merge":
		before.StixIDs, before.Markings = nil, nil
		source := recorded(m.get("context", "sources").([]any)[0].(map[string]any))
		source.ID = "source"
		s.Put(source)
		return before, func(id string) { s.Merge(id, "source") }
	}
	return before, nil
}

// dependency gives what goes ahead of an indicator that a vendor brought, with another one and a file.
func dependency(t *testing.T, s *Sim, stix string) sse {
	t.Helper()
	const (
		green  = `"object_marking_refs": ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"]`
		told   = `"labels": ["octi-batch"], "created_by_ref": "` + corpID + `", ` + green
		hash   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		fileID = "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"
		other  = "indicator--8d30e978-c6dd-5439-9ed0-bd61238915c3"
	)
	based := relationID(parseVersion(newest), basedOn, domainID, fileID, never, never)
	wants(t, errorsOf(s, corp, plus(domain, told+`, "x_opencti_detection": true`),
		`{"type": "indicator", "id": "`+other+`", "pattern": "[file:hashes.'SHA-256' = '`+hash+`']", "pattern_type": "stix", "description": "x", `+told+`}`,
		`{"type": "file", "id": "`+fileID+`", "hashes": {"SHA-256": "`+hash+`"}, "x_opencti_score": 44, "x_opencti_description": "x", `+told+`}`,
		relationship(fresh("relationship"), "derived-from", domainID, other, ""), relationship(based, basedOn, domainID, fileID, ", "+green)), "")
	p := follow(t, s, "s")
	s.Edit(domainID, func(i *Indicator) { i.Score = new(7) })
	return messageOf(t, p, func(m sse) bool {
		return m.get("origin", "referer") != nil && m.get("data", "type") == stix && m.get("data", "relationship_type") != "derived-from"
	})
}

func messageOf(t *testing.T, p *tap, is func(sse) bool) sse {
	t.Helper()
	all := p.take(t)
	i := slices.IndexFunc(all, is)
	if i < 0 {
		t.Fatalf("no such message among %d", len(all))
	}
	return all[i]
}

func TestEventsHaveTheShapeOfTheRecordings(t *testing.T) {
	for i, r := range recordings(t, "stream.jsonl") {
		t.Run(fmt.Sprint(i, r.Event), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				got := happened(t, r)
				simtest.Same(t, "shape", shape(t, r.Data), shape(t, []byte(got.Text)))
			})
		})
	}
}
