package octisim

import "encoding/json"

// addStream makes a collection. Its filters name their keys as lists (contract opencti-api 0.9).
func addStream(c *call) (any, error) {
	in := c.args["input"].(map[string]any)
	s := &Stream{ID: c.sim.newID()}
	s.Name, _ = in["name"].(string)
	s.Live, _ = in["stream_live"].(bool)
	s.Public, _ = in["stream_public"].(bool)
	if text, given := in["filters"].(string); given {
		if trim(text) != "" && !listsItsKeys([]byte(text)) {
			return nil, badInput("Variable \"$filters\" got an invalid value: key must be a list")
		}
		s.Filters = &text
	}
	c.sim.streams[s.ID] = s
	c.sim.log.ring()
	return s, nil
}

func listsItsKeys(text []byte) bool {
	var g struct {
		Filters []struct {
			Key []string `json:"key"`
		} `json:"filters"`
		Groups []json.RawMessage `json:"filterGroups"`
	}
	if json.Unmarshal(text, &g) != nil {
		return false
	}
	for _, one := range g.Groups {
		if !listsItsKeys(one) {
			return false
		}
	}
	return true
}

var streamEditFields = map[string]resolver{
	"delete": func(c *call) (any, error) {
		id := c.source.(string)
		if c.sim.streams[id] == nil {
			return nil, functional("Cannot delete the stream, it does not exist")
		}
		delete(c.sim.streams, id)
		c.sim.log.ring()
		return id, nil
	},
}

// unreadable says whether a collection has an empty text as filter, over which every new indicator stumbles
// (contract opencti-api 0.9).
func (s *Sim) unreadable() bool {
	for _, one := range s.streams {
		if one.Filters != nil && trim(*one.Filters) == "" {
			return true
		}
	}
	return false
}
