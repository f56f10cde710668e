package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// WriteFile writes a report to a text file, in one step and readable by all: the collector is another
// user. When the file of an earlier run knows of a later success than the report, that one is kept.
func (r *Report) WriteFile(path string) error {
	r.keepSuccess(path)
	if err := prometheus.WriteToTextfile(path, r.All()); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// mostText bounds what is read of an earlier file; ours have some kB.
const mostText = 1 << 20

// keepSuccess takes the last success over from an earlier file. One that cannot be read, or that knows the
// future, is none.
func (r *Report) keepSuccess(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	p := expfmt.NewTextParser(model.LegacyValidation)
	found, err := p.TextToMetricFamilies(io.LimitReader(f, mostText))
	if err != nil {
		return
	}
	for _, m := range found[namespace+"_last_success_timestamp_seconds"].GetMetric() {
		v := m.GetGauge().GetValue()
		if v > seconds(r.LastSuccess) && v > 0 && v <= seconds(r.Ended) {
			r.LastSuccess = time.UnixMilli(int64(v * 1000)).UTC()
		}
	}
}

// Gateway is a Pushgateway. Instance tells this installation's metrics from another's.
type Gateway struct {
	URL      string // without trailing slash
	Login    string // "" is no authentication
	Password secret.Text
	Instance string
	HTTP     *http.Client
}

// Push sends a report to a Pushgateway under job="harfangsync" and the instance, in place of the last one. When a run
// last succeeded stands beside it, under kept="success": a report that does not know leaves it as it is.
func (r *Report) Push(ctx context.Context, g Gateway) error {
	if err := g.send(r.registry(), func(p *push.Pusher) error { return p.PushContext(ctx) }); err != nil || r.LastSuccess.IsZero() {
		return err
	}
	return g.send(r.success(), func(p *push.Pusher) error { return p.Grouping("kept", "success").PushContext(ctx) })
}

func (g *Gateway) send(from prometheus.Gatherer, do func(*push.Pusher) error) error {
	answer := &answers{next: g.HTTP}
	p := push.New(g.URL, namespace).Grouping("instance", g.Instance).Gatherer(from).Format(expfmt.NewFormat(expfmt.TypeTextPlain)).Client(answer)
	if g.Login != "" {
		p.BasicAuth(g.Login, g.Password.Reveal())
	}
	err := do(p)
	switch {
	case err == nil:
		return nil
	case answer.status > 0: // what the gateway says in its body is not shown: a proxy may echo the credentials
		return fmt.Errorf("push metrics: the gateway answers %d %s", answer.status, http.StatusText(answer.status))
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("push metrics: the gateway gives no answer in time")
	}
	return fmt.Errorf("push metrics: %w", err)
}

// answers remembers the status of the last answer.
type answers struct {
	next   *http.Client
	status int
}

// Do sends a request.
func (a *answers) Do(r *http.Request) (*http.Response, error) {
	resp, err := a.next.Do(r)
	if err != nil {
		return nil, err
	}
	a.status = resp.StatusCode
	return resp, nil
}
