package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/cmd/tmserver/ui"
	"github.com/aitgithub/telemetry-server/engine/measures"
)

// page is what the admin address answers to people: the web page, and what it shows.
type page struct {
	folder  *dataFolder
	metrics *prometheus.Registry
	status  func() (any, bool)
	days    *measures.Store
	submit  func() string // URL for submissions
	now     func() time.Time
	store   storeCache
}

// buildPage opens the explorer's days and keeps them fresh.
func (s *serving) buildPage(ctx context.Context) (part, error) {
	days, err := measures.Open(s.folder.Data, s.folder.definitions.Local(), s.st.Now, s.st.Log)
	if err != nil {
		return part{}, err
	}
	s.days = days
	return inBackground(context.WithoutCancel(ctx), days.Run), nil
}

// newPage returns the page of a server whose parts, but HTTP, are built.
func (s *serving) newPage() *page {
	return &page{
		folder:  s.folder,
		metrics: s.registry,
		status:  statusOf(s.folder, &s.overLimit, s.health, s.st.Now),
		days:    s.days,
		submit:  s.submitURL.get,
		now:     s.st.Now,
	}
}

// pageEndpoints are the endpoints of the page, which it and programs read.
// docs/operating.md has a row for each.
var pageEndpoints = []struct {
	pattern string // of http.ServeMux
	answer  func(*page, *http.Request) (any, error)
}{
	{"GET /api/v1/overview", (*page).overview},
	{"GET /api/v1/measures", (*page).measureNames},
	{"GET /api/v1/measures/sums", (*page).measureSums},
	{"GET /api/v1/measures/definition", (*page).measureDefinition},
	{"GET /api/v1/store", (*page).storePartitions},
	{"GET /api/v1/store/records", (*page).storeRecords},
	{"GET /api/v1/quarantine", (*page).quarantineClasses},
	{"GET /api/v1/quarantine/examples", (*page).quarantineExamples},
}

// register adds the page to the admin address.
func (p *page) register(mux *http.ServeMux) {
	for _, endpoint := range pageEndpoints {
		mux.HandleFunc(endpoint.pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := endpoint.answer(p, r)
			writeAnswer(w, answer, err)
		})
	}
	mux.Handle("GET /", ui.Handler())
}

// requestError is a mistake of the request, with its status.
type requestError struct {
	status int
	err    error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

func badRequest(err error) error { return &requestError{http.StatusBadRequest, err} }

// writeAnswer writes JSON. Errors are {"error": sentence}.
func writeAnswer(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		if wrong, ok := errors.AsType[*requestError](err); ok {
			status = wrong.status
		}
		answer = map[string]string{"error": err.Error()}
	}

	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(text)
}

// address is a URL that is known once the server listens.
type address struct {
	mu  sync.Mutex // protects url
	url string
}

func (a *address) set(url string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.url = url
}

func (a *address) get() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.url
}
