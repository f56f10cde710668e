package pattern_test

import (
	"slices"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

func TestWhatPeopleTypeIsTheValueThatTheyMean(t *testing.T) {
	for typed, want := range map[string]reconcile.Value{
		"evil.example":                       {Type: "domain_name", Value: "evil.example"},
		" EVIL[.]Example. ":                  {Type: "domain_name", Value: "evil.example"},
		"evil(.)example":                     {Type: "domain_name", Value: "evil.example"},
		"evil[dot]example":                   {Type: "domain_name", Value: "evil.example"},
		"evil[.example":                      {Type: "domain_name", Value: "evil.example"},
		"bücher[.]example":                   {Type: "domain_name", Value: "xn--bcher-kva.example"},
		"hxxp://evil[.]example/a[.]b":        {Type: "url", Value: "http://evil.example/a[.]b"},
		"hXXps[:]//Evil[.]example/A?x=[1]":   {Type: "url", Value: "https://evil.example/A?x=[1]"},
		"h**p://evil.example/":               {Type: "url", Value: "http://evil.example/"},
		"http://[2001:db8::1]/x":             {Type: "url", Value: "http://[2001:db8::1]/x"},
		"198.51.100[.]7":                     {Type: "ip_both", Value: "198.51.100.7"},
		"198[.]51[.]100[.]0/24":              {Type: "ip_both", Value: "198.51.100.0/24"},
		"2001:DB8:0:0::1":                    {Type: "ip_both", Value: "2001:db8::1"},
		"2001[:]db8[:][:]1":                  {Type: "ip_both", Value: "2001:db8::1"},
		"::ffff:198.51.100.7":                {Type: "ip_both", Value: "198.51.100.7"},
		"79054025255FB1A26E4BC422AEF54EB4":   {Type: "hash", Value: "79054025255fb1a26e4bc422aef54eb4"},
		`C:\Users\[x]\evil.exe`:              {Type: "filepath", Value: `C:\Users\[x]\evil.exe`},
		"evil.exe":                           {Type: "filename", Value: "evil.exe"},
		"10.0.0.0/8":                         {Type: "ip_both", Value: "10.0.0.0/8"}, // too broad for a rule of ours, and blockable by others
		"https://user@evil[.]example:8443/x": {Type: "url", Value: "https://user@evil.example:8443/x"},
	} {
		if got := pattern.Spellings(typed); !slices.Contains(got, want) {
			t.Errorf("%q: %v, want %v among them", typed, got, want)
		}
	}
	if got := pattern.Spellings(" \t"); len(got) > 0 {
		t.Errorf("a blank: %v", got)
	}
}

func TestTheFormTellsAValueFromASlip(t *testing.T) {
	for _, typed := range []string{
		"evil.example", "EVIL[.]Example.", "_dmarc.evil.example", "bücher[.]example", "198.51.100[.]7", "198.51.100.0/24", "2001:db8::1",
		"79054025255FB1A26E4BC422AEF54EB4", "hxxp://evil[.]example/a", "http://intranet/x", "http://[2001:db8::1]/x", "evil.example/a", "evil.example:8080",
		"evil.exe", "libevil.so.1", "my tool.exe", `C:\Users\[x]\evil`, "/tmp/evil", `\\host\share`, `%TEMP%\evil`,
	} {
		if !pattern.Telling(typed) {
			t.Errorf("%q is taken for a slip", typed)
		}
	}
	for _, typed := range []string{
		"", "not a value", "com", "localhost", "*.evil.example", ".", "198.51.100.256", "198.51.100.0/33", "2001:db8::zz", "2001:db8::/200", "198.51.100",
		"79054025255FB1A26E4BC422AEF54EB", "c2. loader. example", "http://", "evil.example or so",
	} {
		if pattern.Telling(typed) {
			t.Errorf("%q is taken for a value", typed)
		}
	}
}
