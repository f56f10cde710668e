package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// integer is a whole number from 1 on.
func integer(at *int, most int) kind {
	parse := func(s string) (int, error) { return parseInt(s, 1, most) }
	return scalar(at, parse, same).described(fmt.Sprintf("1 to %d", most), intSchema(1, most, "[0-9]*"))
}

// count is a whole number from 0 on.
func count(at *int, most int) kind {
	parse := func(s string) (int, error) { return parseInt(s, 0, most) }
	return scalar(at, parse, same).described(fmt.Sprintf("0 to %d", most), intSchema(0, most, "[0-9]+"))
}

// intSchema is a number, or a text that text matches.
func intSchema(least, most int, text string) object {
	return object{"anyOf": []any{
		object{"type": "integer", "minimum": least, "maximum": most},
		object{"type": "string", "pattern": "^(" + text + "|)$"},
	}}
}

func parseInt(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, bad("is no whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most), "")
	}
	return n, nil
}

// percent is a whole number from 0 to 100, with or without the sign.
func percent(at *int) kind {
	parse := func(s string) (int, error) { return parseInt(strings.TrimSpace(strings.TrimSuffix(s, "%")), 0, 100) }
	return scalar(at, parse, same).described("0 to 100", intSchema(0, 100, "[0-9]+ *%?"))
}

// none is the word for no limit.
const none = "none"

// score is a whole number from 0 to 100, or none.
func score(at **int) kind {
	parse := func(s string) (*int, error) {
		if strings.EqualFold(s, none) {
			return nil, nil
		}
		n, err := parseInt(s, 0, 100)
		return &n, err
	}
	value := func(p *int) any {
		if p == nil {
			return none
		}
		return *p
	}
	return scalar(at, parse, value).described("0 to 100, or `none`", intSchema(0, 100, "[0-9]*|"+anyCase(none)))
}

// thresholds are one score for every kind, scores by kind, or none. Those by kind are a YAML mapping, or a text such as
// ioc=60,sigma=0.
func thresholds(at *reconcile.Thresholds) kind {
	parse := func(s string) (reconcile.Thresholds, error) {
		if strings.EqualFold(s, none) {
			return nil, nil
		}
		if !strings.Contains(s, "=") {
			n, err := parseInt(s, 0, 100)
			return reconcile.LeastScore(n), err
		}
		t := reconcile.Thresholds{}
		for pair := range strings.SplitSeq(s, ",") {
			word, text, _ := strings.Cut(pair, "=")
			word, err := choose(kindWords, strings.TrimSpace(word))
			if err != nil {
				return nil, problemOf(err, Origin{}, pair)
			}
			k, _ := reconcile.ParseKind(word)
			if _, twice := t[k]; twice {
				return nil, bad("names "+word+" twice", "keep one")
			}
			n, err := parseInt(strings.TrimSpace(text), 0, 100)
			if err != nil {
				return nil, problemOf(err, Origin{}, pair)
			}
			t[k] = n
		}
		return t, nil
	}
	value := func(t reconcile.Thresholds) any {
		n, all, unlimited := t.Uniform()
		switch {
		case unlimited:
			return none
		case all:
			return n
		}
		words := map[string]int{}
		for k, n := range t {
			words[k.String()] = n
		}
		return words
	}
	k := scalar(at, parse, value)
	k.pairs = true
	score := object{"anyOf": []any{intSchema(0, 100, "[0-9]*"), object{"type": "null"}}}
	return k.described("0 to 100, or `none`, or by kind", object{"anyOf": []any{
		intSchema(0, 100, "[0-9]*|"+anyCase(none)),
		object{"type": "string", "pattern": "^ *[A-Za-z]+ *= *[0-9]+ *(, *[A-Za-z]+ *= *[0-9]+ *)*$"},
		object{"type": "object", "additionalProperties": false, "properties": object{"ioc": score, "sigma": score, "yara": score}},
	}})
}

var kindWords = []string{reconcile.IOC.String(), reconcile.Sigma.String(), reconcile.YARA.String()}

var amountSchema = object{"anyOf": []any{object{"type": "number", "minimum": 0}, object{"type": "string"}}}

// rate is a number of requests a second; 0 and none are no limit.
func rate(at *float64) kind {
	parse := func(s string) (float64, error) {
		if strings.EqualFold(s, none) {
			return 0, nil
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0) || math.IsInf(f, 0) {
			return 0, bad("is no number of requests a second", "write a number such as 20, or 0 for no limit")
		}
		return f, nil
	}
	return scalar(at, parse, same).described("requests a second; 0 is no limit", amountSchema)
}

// duration is 10s, 1m30s or bare seconds. With unlimited, 0 and none are no limit; without, the value
// is at least least.
func duration(at *time.Duration, least time.Duration, unlimited bool) kind {
	parse := func(s string) (time.Duration, error) {
		if unlimited && strings.EqualFold(s, none) {
			return 0, nil
		}
		d, err := parseDuration(s)
		if err != nil {
			return 0, err
		}
		if d < least && !(unlimited && d == 0) {
			return 0, bad("is too short", "write at least "+shortDuration(least))
		}
		return d, nil
	}
	value := func(d time.Duration) any {
		if unlimited && d == 0 {
			return none
		}
		return shortDuration(d)
	}
	form := "duration"
	if unlimited {
		form = "duration, or `none`"
	}
	return scalar(at, parse, value).described(form, amountSchema)
}

func parseDuration(s string) (time.Duration, error) {
	wrong := bad("is no duration", "write it as 10s, 1m30s, 24h or 14d; a bare number is seconds")
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if !(f >= 0) || f >= math.MaxInt64/1e9 {
			return 0, wrong
		}
		return time.Duration(f * float64(time.Second)), nil
	}
	if days, err := strconv.Atoi(strings.TrimSuffix(strings.ToLower(s), "d")); err == nil && days >= 0 && days < 100_000 {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(strings.ToLower(s))
	if err != nil || d < 0 {
		return 0, wrong
	}
	return d, nil
}

// Duration is a command's own flag, in the spelling of the settings.
type Duration time.Duration

// Set reads the flag.
func (d *Duration) Set(s string) error {
	v, err := parseDuration(strings.TrimSpace(s))
	if err != nil {
		return problemOf(err, Origin{}, s)
	}
	*d = Duration(v)
	return nil
}

func (d *Duration) String() string { return shortDuration(time.Duration(*d)) }

// shortDuration prints 24h0m0s as 24h.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
