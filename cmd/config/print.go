package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// Effective is one setting as it is in effect.
type Effective struct {
	Setting string
	Value   any // *** for a secret; text, number, truth value, or list of texts or of entries
	Origin  Origin
}

// Effective lists every setting in the order of the table, secrets masked.
func (c *Config) Effective() []Effective {
	all := make([]Effective, len(c.settings))
	for i := range c.settings {
		s := &c.settings[i]
		e := Effective{Setting: s.path, Value: s.value(), Origin: s.origin}
		if v, ok := e.Value.(string); ok && s.secret {
			e.Value = secret.Text(v).String()
		}
		if e.Origin.source == unset && !empty(e.Value) {
			e.Origin.source = byDefault // such as no entries of a list
		}
		all[i] = e
	}
	return all
}

// Print writes the settings in effect in the form of a config.yml, with the origin of each as a
// comment and secrets as ***.
func Print(w io.Writer, c *Config) error {
	var all []Statement
	for _, e := range c.Effective() {
		all = append(all, Statement{Setting: e.Setting, Value: e.Value, Comment: e.Origin.String()})
	}
	return Write(w, all)
}

// below is the mapping under a key, which is made when it is not there.
func below(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	m := &yaml.Node{Kind: yaml.MappingNode}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, m)
	return m
}

// oneLine keeps a file name from ending a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// SettingsDigest is the SHA-256, in hexadecimal, of the settings that shape a plan, and of the content
// of the exclusion files. Tokens, logs, pacing and the limits of gates are not among them. It depends
// on what settings say, not on where or how they say it.
func SettingsDigest(c *Config) string {
	shaping := [][2]any{}
	for _, s := range c.settings {
		if s.shapes {
			shaping = append(shaping, [2]any{s.path, s.value()})
		}
	}
	shaping = append(shaping, [2]any{"sync.exclusions", c.Sync.ExclusionsDigest})
	if d := c.Sync.Mapping.Digest(); d != "" {
		shaping = append(shaping, [2]any{"sync.mapping", d})
	}
	if c.Sync.Promote.After > 0 {
		shaping = append(shaping, [2]any{"sync.promote", c.Sync.Promote})
	}
	b, err := json.Marshal(shaping)
	if err != nil {
		panic(err) // texts, numbers, truth values and lists of texts always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
