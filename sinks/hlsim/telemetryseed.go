package hlsim

import (
	"fmt"
	"strings"
	"time"
)

// SeededValue is one that SeedTelemetry makes known, and what is special about it.
type SeededValue struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// seeds are the values of contract harfanglab-telemetry 12.4 and 12.5: how many rows of them there are, on
// how many endpoints, over the last ten days.
var seeds = []struct {
	name        string
	seen        Sighting
	rows, hosts int
	age, late   time.Duration // of the newest row, and until it comes
	stream      string        // another than the type's first
}{
	{name: "unseen", seen: Sighting{Type: "domain_name", Value: "unseen.example"}},
	{name: "one busy host", seen: Sighting{Type: "domain_name", Value: "chatty.example"}, rows: 9000, hosts: 1},
	{name: "once on every host", seen: Sighting{Type: "hash", Value: strings.Repeat("e1", 32)}, rows: 500, hosts: 500},
	{name: "more rows than are counted", seen: Sighting{Type: "filename", Value: "updater.exe"}, rows: 12_000, hosts: 30},
	{name: "a program of the system", seen: Sighting{Type: "hash", Value: strings.Repeat("05", 32), Path: `C:\Windows\System32\svchost.exe`}, rows: 1200, hosts: 400},
	{name: "a driver", seen: Sighting{Type: "hash", Value: strings.Repeat("d7", 32), Path: `C:\Windows\System32\drivers\old one.sys`}, rows: 3, hosts: 2, stream: "DriverLoad"},
	{name: "an address of ours", seen: Sighting{Type: "ip_src", Value: ownAddress}, rows: 50, hosts: 1}, // beside the connections below
	{name: "an address", seen: Sighting{Type: "ip_dst", Value: "203.0.113.99"}, rows: 60, hosts: 40},
	{name: "mixed case", seen: Sighting{Type: "domain_name", Value: "MiXed.Example"}, rows: 4, hosts: 2},
	{name: "a busy host name", seen: Sighting{Type: "url", Value: "https://cdn.busy.example/bad/page?id=1"}, rows: 2000, hosts: 450},
	{name: "a comma", seen: Sighting{Type: "filename", Value: "invoice, final.exe"}, rows: 3, hosts: 2},
	{name: "near another", seen: Sighting{Type: "domain_name", Value: "near.example"}, rows: 2, hosts: 1},
	{name: "the other", seen: Sighting{Type: "domain_name", Value: "near.example.org"}, rows: 5, hosts: 3},
	{name: "in the future", seen: Sighting{Type: "domain_name", Value: "future.example"}, rows: 1, hosts: 1, age: -72 * time.Second, late: -time.Minute - 12*time.Second},
	{name: "not there yet", seen: Sighting{Type: "domain_name", Value: "late.example"}, rows: 1, hosts: 1, age: 30 * time.Minute, late: 68 * time.Minute},
	{name: "three weeks ago", seen: Sighting{Type: "domain_name", Value: "old.example"}, rows: 2, hosts: 2, age: 21 * 24 * time.Hour},
}

const (
	seededHosts = 500
	ownAddress  = "198.51.100.11" // of an agent that is seeded
)

// SeedTelemetry makes a fleet of 500 agents, what they reported up to now, and ten agents that have not been
// there for 40 days; it names the values that were made known. Two agents have one host name.
func (s *Sim) SeedTelemetry() (known []SeededValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now()
	for i := range seededHosts + 10 {
		d := newAlertBuilder(Sighting{Host: seededHost(i)}, newRandom(0), AlertSpelling{}, now).agent()
		switch i {
		case 0:
			d["ipaddress"] = ownAddress
		case seededHosts - 1:
			d["hostname"] = seededHost(i - 1)
		}
		raw, _ := encode(d) // texts
		a := s.alerts.agents.read(raw).agent
		a.policy, a.external, a.offline = i%len(policies), "198.51.100.254", i >= seededHosts
		a.seen(now.AddDate(-1, 0, 0))
		if a.offline {
			a.seen(now.AddDate(0, 0, -40))
		} else {
			a.seen(now)
		}
	}
	for _, one := range seeds {
		known = append(known, SeededValue{one.name, one.seen.Type, one.seen.Value})
		step := 10 * 24 * time.Hour / time.Duration(max(one.rows, 1))
		for i := range one.rows {
			seen := one.seen
			seen.Host = seededHost(i % one.hosts)
			seen.At = now.Add(-one.age - time.Duration(i)*step)
			s.leaveTelemetry(newAlertBuilder(seen, newRandom(uint64(i)), AlertSpelling{}, now), one.late, one.stream)
		}
	}
	return known
}

func seededHost(i int) string { return fmt.Sprintf("FLEET-%03d", i+1) }
