package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// health knows whether the server is ready, and what a submission would be answered. It
// is safe for concurrent use.
type health struct {
	log        *rawlog.Log
	raw        *intake.RawFolder // nil: nothing is converted here
	stuckAfter time.Duration     // 0: never

	draining atomic.Bool
}

// refusal returns why a submission would not be taken now; "" if it would. The text is
// public: it names no file.
func (h *health) refusal() string {
	if h.draining.Load() {
		return "the server is shutting down"
	}
	return h.log.Refusal()
}

// unready returns why other servers should get the submissions; "" if there is no reason.
func (h *health) unready() string {
	if why := h.refusal(); why != "" {
		return why
	}
	if h.raw == nil || h.stuckAfter == 0 {
		return ""
	}

	if stuck := h.raw.Stuck(); stuck > h.stuckAfter {
		return fmt.Sprintf("conversion has been stuck for %s; the log says why", stuck.Round(time.Second))
	}
	return ""
}

// handler answers GET /livez, which says that the process answers, and GET /readyz.
func (h *health) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "OK") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := h.unready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "OK")
	})
	return mux
}

// reloaders are what SIGHUP loads again.
type reloaders struct {
	mu  sync.Mutex // protects all
	all []func() error
}

func (r *reloaders) add(reload func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, reload)
}

// reload loads all again, and returns the errors of those that stay as they were.
func (r *reloaders) reload() (errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reload := range r.all {
		if err := reload(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
