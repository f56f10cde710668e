package sigma

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheTableHoldsTogether: what public names become is what agents know.
func TestTheTableHoldsTogether(t *testing.T) {
	tab := known()
	seen := map[[3]string]bool{}
	for _, p := range tab.Public {
		at := [3]string{p.Product, p.Category, p.Service}
		if seen[at] || (p.Category == "") == (p.Service == "") {
			t.Errorf("%v: twice, or not one of category and service", at)
		}
		seen[at] = true
		category, service := p.Category, p.Service
		if p.To.Category+p.To.Service != "" {
			category, service = p.To.Category, p.To.Service
		}
		channel := p.Channel != "" && len(tab.logs(p.Channel, nil)) > 0
		if category != "" && tab.Products[p.Product].Categories[category] == nil || service != "" && tab.Services[service] == "" && !channel {
			t.Errorf("%v: no agent knows %s%s", at, category, service)
		}
		for _, to := range slices.Concat(slices.Collect(maps.Values(p.Fields)), slices.Collect(maps.Values(p.Hashes)), slices.Collect(maps.Keys(p.Add))) {
			if category != "" && !tab.field(p.Product, category, to) {
				t.Errorf("%v: %s has no %s", at, category, to)
			}
		}
		if p.Process && !tab.field(p.Product, category, "ProcessImage") {
			t.Errorf("%v: %s has no process", at, category)
		}
	}
}

func TestEveryServicesLogIsCollected(t *testing.T) {
	if known().Version == "" || known().Source == "" {
		t.Error("a table without a version or a source")
	}
	for service, channel := range known().Services {
		if len(known().logs(channel, nil)) == 0 {
			t.Errorf("service %s: %s is not collected", service, channel)
		}
	}
}

// TestTheTableIsTheContracts compares with the copy of the contract that the simulator keeps.
func TestTheTableIsTheContracts(t *testing.T) {
	var f struct {
		Categories map[string]map[string][]string
		Services   []string
		Agent      []string
	}
	b, err := os.ReadFile("../../sinks/hlsim/sigmafields.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	ours := map[string]map[string][]string{}
	for name, p := range known().Products {
		ours[name] = p.Categories
	}
	slices.Sort(f.Services)
	if d := cmp.Diff(f.Categories, ours); d != "" {
		t.Errorf("categories (-contract +table):\n%s", d)
	}
	if d := cmp.Diff(f.Services, slices.Sorted(maps.Keys(known().Services))); d != "" {
		t.Errorf("services (-contract +table):\n%s", d)
	}
	if d := cmp.Diff(f.Agent, known().Agent); d != "" {
		t.Errorf("agent (-contract +table):\n%s", d)
	}
}
