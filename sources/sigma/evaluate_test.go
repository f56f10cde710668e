package sigma_test

import (
	"fmt"

	"github.com/harfangsync/harfangsync/sinks/hlsim/evaluate"
)

// event is what an endpoint saw, in public rules' form or in HarfangLab's. A field that is not there is null.
type event struct {
	product, category, service string
	fields                     map[string]string
}

func (e event) String() string {
	return fmt.Sprintf("%s %s%s %q", e.product, e.category, e.service, e.fields)
}

// failer is a test or a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

type rule struct {
	*evaluate.Rule
	test failer
}

func readRule(t failer, text string) rule {
	t.Helper()
	r, err := evaluate.Read(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return rule{r, t}
}

func (r rule) fires(e event) bool {
	r.test.Helper()
	fires, err := r.Fires(evaluate.Event{Product: e.product, Category: e.category, Service: e.service, Fields: e.fields})
	if err != nil {
		r.test.Fatalf("%v", err)
	}
	return fires
}
