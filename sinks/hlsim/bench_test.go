package hlsim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// loaded is a manager with one list of n IOC rules, and the list's id.
func loaded(tb testing.TB, n int) (*Sim, string) {
	tb.Helper()
	s := New(Options{})
	s.HTTP.SetLog(false)
	list, err := s.AddSource(IOC, "from_OpenCTI")
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Load(IOC, list, many(n)); err != nil {
		tb.Fatal(err)
	}
	return s, list
}

func many(n int) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{
			Type: "domain_name", Value: fmt.Sprintf("host-%d.campaign.example", i), Enabled: true, HLStatus: "stable",
			Description: "Seen in the sample campaign", Comment: fmt.Sprintf(`{"indicator_id": "indicator--%036d", "managed_by": "harfangsync"}`, i),
		}
	}
	return rules
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rules := many(n)
			for b.Loop() {
				b.StopTimer()
				s := New(Options{})
				list, err := s.AddSource(IOC, "l")
				if err != nil {
					b.Fatal(err)
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				b.StartTimer()
				if err := s.Load(IOC, list, rules); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/rule")
				runtime.KeepAlive(s)
				b.StartTimer()
			}
		})
	}
}

func BenchmarkPage(b *testing.B) {
	const n = 100_000
	s, list := loaded(b, n)
	for _, bench := range []struct{ name, query string }{
		{"first", "source_id=" + list + "&limit=500"},
		{"last", fmt.Sprintf("source_id=%s&limit=500&offset=%d", list, n-500)},
		{"changed since, in the middle", fmt.Sprintf("source_id=%s&limit=500&offset=%d&last_update__gte=2020-01-01+00:00:00", list, n/2)},
		{"look-up", "source_id=" + list + "&type=domain_name&value__exact=host-77777.campaign.example"},
		{"search", "source_id=" + list + "&search=host-777"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/api/data/threat_intelligence/IOCRule/?"+bench.query, nil)
				r.Header.Set("Authorization", "Token token")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body.String())
				}
			}
		})
	}
}
