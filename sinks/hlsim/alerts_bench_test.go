package hlsim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"runtime"
	"testing"
	"time"
)

// generated are n documents of every shape, one a second up to a fixed moment.
func generated(tb testing.TB, n int) []json.RawMessage {
	tb.Helper()
	to := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	docs, err := New(Options{}).Documents(Spec{Count: n, Hosts: 1 + n/100, From: to.Add(-time.Duration(n) * time.Second), To: to})
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		generated(b, 1000)
	}
}

func BenchmarkLoadAlerts(b *testing.B) {
	const n = 100_000
	docs := generated(b, n)
	for b.Loop() {
		s := New(Options{})
		b.StopTimer()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		if ids, err := s.LoadAlerts(docs); len(ids) != n || err != nil {
			b.Fatal(len(ids), err)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/alert")
		runtime.KeepAlive(s)
		b.StartTimer()
	}
}

func BenchmarkAlertPage(b *testing.B) {
	const n = 100_000
	s := New(Options{Knobs: Knobs{AlertKnobs: AlertKnobs{IndexWindow: -1}}})
	s.HTTP.SetLog(false)
	if _, err := s.LoadAlerts(generated(b, n)); err != nil {
		b.Fatal(err)
	}
	list, err := s.AddSource(IOC, "l")
	if err != nil {
		b.Fatal(err)
	}
	s.Add(IOC, Rule{SourceID: list, Type: "url", Value: "u", Enabled: true})
	bench := func(name, path string, before func(i int)) {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				before(i)
				if code, body := ask(s, path); code != 200 {
					b.Fatal(string(body))
				}
			}
		})
	}
	none := func(int) {}
	first, last := alertPath+"?limit=100", fmt.Sprint(alertPath, "?limit=100&ordering=alert_time&offset=", n-100)
	bench("first", first, none)
	bench("last", last, none)
	bench("all types, filtered", alertPath+"?limit=100&offset=5000&status=new,investigating&alert_type=ioc,sigma,yara", none)
	bench("a window of an hour", alertPath+"?"+url.Values{"limit": {"100"}, "alert_time__gte": {"2026-03-01T20:00:00Z"}, "alert_time__lt": {"2026-03-01T21:00:00Z"}}.Encode(), none)
	bench("after each arrival", first+"&status=new", func(int) { _, _ = s.Saw(Sighting{Value: "u"}) })
	bench("after each triage", alertPath+"?limit=100&last_update__gte=2026-03-01T20:00:00Z", func(i int) { s.Triage(s.events.byTime[i%n].id, "closed") })
	bench("ten thousand ids", alertPath+"?limit=10000&fields=id", none)
	bench("threats", threatPath+"?limit=100", none)
}
