package config

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// Statement is one setting that somebody gave.
type Statement struct {
	Setting string // under its proper path
	Value   any    // in the form of a config.yml: text, number, truth value or list of texts; a secret.Text for a secret
	Name    string // the name that it was given under, such as HARFANGLAB_INTEL_URL
	Comment string // for a config.yml
}

// Stated lists the settings that somebody gave and that can be read, in the order of the table.
func (c *Config) Stated() []Statement {
	var all []Statement
	for i := range c.settings {
		s := &c.settings[i]
		if !s.origin.Given() || s.broken {
			continue
		}
		st := Statement{Setting: s.path, Value: s.value(), Name: s.origin.at}
		if len(s.given) > 0 {
			st.Name = cmp.Or(s.given[0].name, s.origin.at)
		}
		if text, ok := st.Value.(string); ok && s.secret {
			st.Value = secret.Text(text)
		}
		all = append(all, st)
	}
	return all
}

// Variable is the environment variable of a setting.
func (s Statement) Variable() string { return env(s.Setting) }

// Write writes settings in the form of a config.yml, each with its comment. Secrets are ***.
func Write(w io.Writer, all []Statement) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range all {
		var value yaml.Node
		if text, ok := s.Value.(secret.Text); ok {
			s.Value = text.String()
		}
		if err := value.Encode(s.Value); err != nil {
			return fmt.Errorf("print %s: %w", s.Setting, err)
		}
		if value.Kind == yaml.SequenceNode {
			value.Style = yaml.FlowStyle
		}
		words := strings.Split(s.Setting, ".")
		at := root
		for _, word := range words[:len(words)-1] {
			at = below(at, word)
		}
		value.LineComment = "# " + oneLine(s.Comment)
		at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: words[len(words)-1]}, &value)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return enc.Close()
}
