package ingest

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/tap"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// DefaultMaxBody is the longest body that is stored unless configured otherwise. Clients
// send at most 1 MiB; Mozilla's own server takes some 10 MiB.
const DefaultMaxBody = 10 << 20

// HandlerOptions configures NewHandler; get it from DefaultHandlerOptions.
type HandlerOptions struct {
	// MaxBody is the longest body stored, in bytes, at most rawlog.MaxBodyLimit.
	// Default 10 MiB.
	MaxBody int64
	// MaxPath is the longest path stored, in bytes after the prefix, at most
	// rawlog.MaxPathBytes, which is the default.
	MaxPath int
	// MaxInFlight bounds the memory of bodies that are being read or wait for the
	// disk; a request beyond it is answered with 503. A single one may take
	// InFlightOf(MaxPath, MaxBody). Default 256 MiB.
	MaxInFlight int64
	// Countries finds the country of a client's address, which is stored instead of
	// the address; nil: nothing is stored.
	Countries *convert.Countries
	// Shares bound what one client may take.
	Shares Shares
	// TrustedProxies are those whose X-Forwarded-For is believed, for Countries and
	// Shares, and then only back to the first address that is not one of them.
	TrustedProxies []netip.Prefix
	// Schema is the answer of /telemetry_schema; nil: 404.
	Schema *schema.Schema
	// Definitions has the answers of /histograms/<repo…>/<revision> and
	// /histogram_buckets?revision=URL; nil: 404.
	Definitions DefinitionSource
	// Converter makes a Converter for /validate; nil: 404.
	Converter func() *convert.Converter
	// Tap shows stored submissions to developers; nil: to nobody.
	Tap *tap.Tap
	// Version is what /__version__ says that the program was built from.
	Version string
	// Status returns the answer of /status, to be encoded as JSON, and whether a
	// submission would be taken now: else its code is 503. Nil: 404.
	Status func() (answer any, taken bool)
	// Health answers /livez and /readyz; nil: 404.
	Health http.Handler
	// Metrics counts requests; nil: they are not counted.
	Metrics *Metrics
	// RequestLog gets a line for every RequestLogEvery-th request; nil: none.
	RequestLog      *slog.Logger
	RequestLogEvery uint64
	Log             *slog.Logger
}

// DefaultHandlerOptions returns the options described at HandlerOptions.
func DefaultHandlerOptions() HandlerOptions {
	return HandlerOptions{
		MaxBody:     DefaultMaxBody,
		MaxPath:     rawlog.MaxPathBytes,
		MaxInFlight: 256 << 20,
		Log:         slog.New(slog.DiscardHandler),
	}
}

// InFlightOf returns the part of MaxInFlight that a submission with a path and body of so
// many bytes takes at most.
func InFlightOf(pathBytes int, bodyBytes int64) int64 {
	// While an entry grows, the one of half the size is there too.
	return 2 * int64(rawlog.EntryMemory(pathBytes+int(bodyBytes)))
}

// handler is the public HTTP surface.
type handler struct {
	raw      *rawlog.Log
	o        HandlerOptions
	inFlight atomic.Int64 // memory of bodies being read or waiting for the disk, in bytes

	validators chan *convert.Converter // nil without Converter
}

// NewHandler returns the public HTTP surface, which appends to raw. A handler
// only limits, encodes, appends and answers: 200 means that the submission is on
// disk, whatever it holds. Whether it is a good one is found out by conversion.
func NewHandler(raw *rawlog.Log, o HandlerOptions) http.Handler {
	// What an entry of the raw log cannot hold must not be allowed by an option.
	o.MaxBody = min(o.MaxBody, rawlog.MaxBodyLimit)
	o.MaxPath = min(o.MaxPath, rawlog.MaxPathBytes)
	o.RequestLogEvery = max(o.RequestLogEvery, 1)
	if o.Metrics == nil {
		o.Metrics = NewMetrics(prometheus.NewRegistry())
	}

	// The converters are made once and shared by all requests.
	h := &handler{raw: raw, o: o}
	if o.Converter != nil {
		h.validators = newValidators(o.Converter)
	}

	return &observer{handler: h, next: h.router(), sharing: newSharing(o.Shares, o.TrustedProxies)}
}

// submit stores one submission.
func (h *handler) submit(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	path, ok := h.path(w, r, submitPrefix)
	if !ok {
		return
	}

	head := rawlog.Submission{Path: path, Request: requestOf(r), Time: received}
	e, ok := h.readEntry(w, r, reading{head: &head, limit: int(h.o.MaxBody), store: true})
	if !ok {
		return
	}

	// The entry is written from where the body was read to: no further copy.
	n := len(e.Body())
	err := h.raw.AppendEntries(e)
	if err == nil {
		head.Body = e.Body()
		h.o.Tap.Show(&head)
	}
	h.release(e)
	if err == nil {
		h.o.Metrics.bytes.Add(float64(n))
	}

	h.finish(w, err)
}

// finish answers for submissions whose append has returned err.
func (h *handler) finish(w http.ResponseWriter, err error) { answerFor(err).send(w) }

// answerFor returns the answer for submissions whose append has returned err.
func answerFor(err error) answer {
	switch {
	case err == nil:
		return answerOK
	case errors.Is(err, rawlog.ErrClosed):
		return answerUnavailable
	// A full disk has space again when raw logs are converted or data expires.
	case errors.Is(err, rawlog.ErrReserve), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return answerDiskFull
	}
	return answerFailed // the raw log has logged it
}
