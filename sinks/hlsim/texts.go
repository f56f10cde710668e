package hlsim

import "strings"

// What a manager makes of the texts that it is sent, before it stores them. What a request leaves out
// stays as it is.

func (k *Knobs) trimmed(s string) string {
	if k.TrimTexts {
		return strings.TrimSpace(s)
	}
	return s
}

func (k *Knobs) description(s string) string {
	s = cut(k.trimmed(s), k.CutDescription)
	if k.FoldDescriptions {
		s = strings.ToLower(s)
	}
	return s
}

func (k *Knobs) comment(s string) string { return cut(k.trimmed(s), k.CutComment) }

func (k *Knobs) name(s string) string {
	if k.FoldNames {
		return strings.ToLower(s)
	}
	return s
}

func (k *Knobs) content(s string) string {
	if first, rest, more := strings.Cut(s, "\n"); k.DropComments && more && strings.HasPrefix(first, "//") {
		s = rest
	}
	s = cut(k.trimmed(s), k.CutContent)
	if k.CRLF {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
	}
	return s
}

func (k *Knobs) value(typ, s string) string {
	if k.TrimValues {
		s = strings.TrimSpace(s)
	}
	switch {
	case k.UpperHashes && typ == "hash":
		return strings.ToUpper(s)
	case k.FoldValues:
		return strings.ToLower(s)
	}
	return s
}

// cut keeps the first most characters; 0 keeps all.
func cut(s string, most int) string {
	n := 0
	for i := range s {
		if n++; most > 0 && n > most {
			return s[:i]
		}
	}
	return s
}
