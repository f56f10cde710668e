package hlsim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Many clients read and write at once; run with -race. What they made, and only that, is there in the end.
func TestManyClients(t *testing.T) {
	m := numbered(t, 300, Knobs{})
	const clients, each = 8, 12
	var all sync.WaitGroup
	run := func(work func(i int)) {
		for c := range clients {
			all.Go(func() {
				for i := range each {
					work(c*each + i)
				}
			})
		}
	}
	run(func(i int) {
		path := m.makeIOC(fmt.Sprint("new-", i, ".example"), object{"comment": "made"})
		m.do("PATCH", path, object{"comment": strings.Repeat("x", i), "references": []string{"r"}}).want(t, 200, "")
		if i%2 == 0 {
			m.do("DELETE", path, nil).want(t, 204, "")
		}
	})
	run(func(i int) {
		m.get(fmt.Sprint(iocs, "?limit=40&offset=", i)).want(t, 200, "")
		m.get(iocs+"?search=new&limit=5").want(t, 200, "")
		m.get(iocLists).want(t, 200, "")
	})
	run(func(i int) {
		m.makeFile(sigmas, m.sigma("s", titled(newID())))
		m.get(sigmas+"?limit=5").want(t, 200, "")
	})
	all.Go(func() {
		for i := range each {
			m.SetKnobs(func(k *Knobs) { k.IgnoreFilters, k.NewestFirst = []string{fmt.Sprint("x", i)}, i%2 == 0 })
			m.Promote()
			_, _, _ = m.Rules(Sigma), m.Sources(IOC), m.Knobs()
		}
	})
	all.Wait()
	if n := m.Count(IOC); n != 300+clients*each/2 {
		t.Errorf("%d IOC rules", n)
	}
	if n := m.Count(Sigma); n != clients*each {
		t.Errorf("%d Sigma rules", n)
	}
}

// Of clients that want the same at once, one gets it.
func TestOneOfManyTwins(t *testing.T) {
	m := start(t, Options{})
	made := make([]int, 8)
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() { made[i] = m.do("POST", iocs, m.ioc("a.example")).status })
	}
	all.Wait()
	n := 0
	for _, status := range made {
		if status == 201 {
			n++
		}
	}
	if n != 1 || m.Count(IOC) != 1 {
		t.Errorf("answers %v", made)
	}
}

// A request that waits holds nobody else up.
func TestLatencyIsNotShared(t *testing.T) {
	m := start(t, Options{Latency: 100 * time.Millisecond})
	from := time.Now()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { m.makeIOC(fmt.Sprint(i, ".example")) })
	}
	all.Wait()
	if took := time.Since(from); took > time.Second {
		t.Errorf("20 requests of 100 ms at once took %v", took)
	}
}
