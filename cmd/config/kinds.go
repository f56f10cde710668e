package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/secret"
)

func asIs[T any](v T) (T, error) { return v, nil }

func text(at *string) kind { return scalar(at, asIs, same).described("text", plainSchema) }

func boolean(at *bool) kind {
	k := scalar(at, parseBool, same).described("true or false", object{"anyOf": []any{
		object{"type": "boolean"},
		object{"enum": []any{0, 1}},
		object{"type": "string", "pattern": "^(" + anyCase("true", "false", "yes", "no", "on", "off", "1", "0") + "|)$"},
	}})
	k.isBool = true
	return k
}

// reported is on by the word report, or by any that is true.
func reported(at *bool) kind {
	const report, off = "report", "off"
	parse := func(s string) (bool, error) {
		if strings.EqualFold(s, report) {
			return true, nil
		}
		on, err := parseBool(s)
		if err != nil {
			return false, bad("is neither of its values", "choose off or report")
		}
		return on, nil
	}
	value := func(on bool) any {
		if on {
			return report
		}
		return off
	}
	k := scalar(at, parse, value).described("`off` or `report`", object{"anyOf": []any{
		object{"type": "boolean"},
		object{"type": "string", "pattern": "^(" + anyCase(report, "true", "false", "yes", "no", "on", off, "1", "0") + "|)$"},
	}})
	k.isBool = true
	return k
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, bad("is neither true nor false", "write true or false (yes, no, on, off, 1 and 0 do as well)")
}

// word chooses one of several words, written in any case.
func word[T ~string](at *T, words ...T) kind {
	var known []string
	for _, w := range words {
		known = append(known, string(w))
	}
	parse := func(s string) (T, error) {
		w, err := choose(known, s)
		return T(w), err
	}
	return scalar(at, parse, func(v T) any { return string(v) }).described(codes(known), wordSchema(known))
}

func wordSchema(words []string) object {
	return object{"anyOf": []any{
		object{"enum": words},
		object{"type": "string", "pattern": "^(" + anyCase(words...) + "|)$"},
	}}
}

// words is a list of some of several words. They are kept in the order of words, so that the order in
// which they were written makes no difference. all is a word for every one of them, or "".
func words(at *[]string, all string, words ...string) kind {
	known := words
	if all != "" {
		known = append(slices.Clone(words), all)
	}
	tidy := func(chosen []string) []string {
		if all != "" && slices.Contains(chosen, all) {
			return []string{all}
		}
		slices.SortFunc(chosen, func(a, b string) int { return slices.Index(words, a) - slices.Index(words, b) })
		return chosen
	}
	parse := func(s string) (string, error) { return choose(known, s) }
	return list(at, parse, tidy).described("list of "+codes(known), listSchema(wordSchema(known)))
}

func listSchema(item object) object {
	return object{"anyOf": []any{object{"type": "array", "items": item}, plainSchema}}
}

var plainSchema = object{"type": []string{"string", "number"}}

// texts is a list of free texts in the order given.
func texts(at *[]string) kind {
	keep := func(all []string) []string { return all }
	return list(at, asIs, keep).described("list", listSchema(plainSchema))
}

// labels is a list whose order and case make no difference.
func labels(at *[]string) kind {
	lower := func(s string) (string, error) { return strings.ToLower(s), nil }
	return list(at, lower, sorted).described("list", listSchema(plainSchema))
}

// identifier is a UUID in its usual form; builtin, when not empty, is a word that stands for "".
func identifier(at *string, builtin string) kind {
	parse := func(s string) (string, error) {
		if builtin != "" && strings.EqualFold(s, builtin) {
			return "", nil
		}
		id, err := uuid.Parse(s)
		if err != nil || len(s) != 36 {
			remedy := "write it as 8-4-4-4-12 hexadecimal digits, such as uuidgen prints"
			if builtin != "" {
				remedy = "write the id of a live stream as OpenCTI shows it, or " + builtin + " for the built-in filter"
			}
			return "", bad("is no UUID", remedy)
		}
		return id.String(), nil
	}
	value := func(s string) any {
		if s == "" {
			return builtin
		}
		return s
	}
	form, schema := "UUID", object{"type": "string"}
	if builtin != "" {
		form = "UUID, or `" + builtin + "`"
	}
	return scalar(at, parse, value).described(form, schema)
}

var tlpNames = []string{"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"}

// marking is a TLP level, with or without the prefix, in any case; WHITE is CLEAR. With optional,
// none is "".
func marking(at *string, optional bool) kind {
	known := tlpNames
	if optional {
		known = append(slices.Clone(known), none)
	}
	parse := func(s string) (string, error) {
		if optional && strings.EqualFold(s, none) {
			return "", nil
		}
		rank, ok := reconcile.TLP(s)
		if !ok {
			return "", bad("is no TLP marking", "choose "+oneOf(known))
		}
		return tlpNames[rank], nil
	}
	value := func(s string) any {
		if s == "" {
			return none
		}
		return s
	}
	words := []string{"CLEAR", "WHITE", "GREEN", "AMBER", "AMBER+STRICT", "RED"}
	pattern := "^((" + anyCase("tlp:") + ")?(" + anyCase(words...) + ")|" + anyCase(none) + "|)$"
	return scalar(at, parse, value).described(codes(known), object{"anyOf": []any{
		object{"enum": known}, object{"type": "string", "pattern": pattern},
	}})
}

// level is a log level; warning is another name of warn.
func level(at *string) kind {
	names := []string{"debug", "info", "warn", "warning", "error"}
	parse := func(s string) (string, error) {
		w, err := choose(names, s)
		return strings.TrimSuffix(w, "ing"), err
	}
	return scalar(at, parse, same).described(codes(names), wordSchema(names))
}

// place is where the state is kept or the lock is taken.
func place(at *string) kind {
	parse := func(s string) (string, error) {
		if strings.EqualFold(s, InOpenCTI) || strings.EqualFold(s, Nowhere) {
			return strings.ToLower(s), nil
		}
		if len(s) > len(InFile) && strings.EqualFold(s[:len(InFile)], InFile) {
			if path := strings.TrimSpace(s[len(InFile):]); path != "" {
				return InFile + filepath.Clean(path), nil
			}
		}
		return "", bad("is no place", "choose opencti, file:PATH or none")
	}
	pattern := "^(" + anyCase(InOpenCTI, Nowhere) + "|" + anyCase(InFile) + ".+|)$"
	return scalar(at, parse, same).
		described("`opencti`, `file:PATH` or `none`", object{"type": "string", "pattern": pattern})
}

// token is a secret that goes into an Authorization header; a leading scheme word and a prefix that
// consoles show but that must not be sent (contract harfanglab-api 1.2) are dropped.
func token(at *secret.Text, scheme, prefix string) kind {
	parse := func(s string) (secret.Text, error) {
		if first, rest, ok := strings.Cut(s, " "); ok && strings.EqualFold(first, scheme) {
			s = strings.TrimSpace(rest)
		}
		if prefix != "" {
			s = strings.TrimPrefix(s, prefix)
		}
		if s == "" || strings.EqualFold(s, scheme) || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", bad("is no token", "write the token alone; it has no blanks or line ends")
		}
		return secret.Text(s), nil
	}
	return secretText(at, parse)
}

// password is a secret of any characters.
func password(at *secret.Text) kind {
	k := secretText(at, func(s string) (secret.Text, error) { return secret.Text(s), nil })
	k.verbatim = true
	return k
}

func secretText(at *secret.Text, parse func(string) (secret.Text, error)) kind {
	return scalar(at, parse, func(s secret.Text) any { return s.Reveal() }).described("text", plainSchema)
}

// anyCase is a regular expression for a word in any case, for JSON Schema, whose expressions know no
// flags.
func anyCase(words ...string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, r := range w {
			lower, upper := strings.ToLower(string(r)), strings.ToUpper(string(r))
			if lower == upper {
				b.WriteString(regexp.QuoteMeta(lower))
			} else {
				b.WriteString("[" + lower + upper + "]")
			}
		}
	}
	return b.String()
}
