package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/metrics"
	"github.com/harfangsync/harfangsync/reconcile/crash"
)

// listener serves /metrics and /healthz for as long as the process goes on. A nil one does nothing.
type listener struct {
	metrics.Server
	http http.Server
}

// late is how many full runs may pass without a good one before the process is unhealthy.
const late = 3

// listen begins to serve where the settings say so, for a command with a full run each period; 0 is one that ends. It
// may be called again, as each of many runs does.
func (p *program) listen(cfg *config.Config, period time.Duration) error {
	if cfg.Sync.Listen == "" || period == 0 {
		return nil
	}
	if p.listener == nil {
		ln, err := net.Listen("tcp", cfg.Sync.Listen)
		if err != nil {
			return exit.Usagef("sync.listen: %v", err)
		}
		l := &listener{}
		l.http = http.Server{
			Handler: l.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
			MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0),
		}
		p.listener = l
		p.log.Info("serving /metrics and /healthz", "address", ln.Addr().String())
		go func() {
			defer crash.Exit()
			_ = l.http.Serve(ln) // until close
		}()
	}
	p.listener.Expect(late*period + cfg.Sync.Deadline)
	return nil
}

func (l *listener) publish(r *metrics.Report) {
	if l != nil {
		l.Publish(r)
	}
}

// watch says what finds out whether the lock is held.
func (l *listener) watch(check func() error) {
	if l != nil {
		l.Watch(check)
	}
}

func (l *listener) close() {
	if l != nil {
		_ = l.http.Close()
	}
}
