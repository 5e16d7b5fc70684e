package ingest

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// submitPrefix begins the path of every submission.
const submitPrefix = "/submit/telemetry/"

// HandlerOptions configures NewHandler; get it from DefaultHandlerOptions.
type HandlerOptions struct {
	// MaxBody is the longest body stored, in bytes, at most MaxBodyLimit.
	// Default DefaultMaxBody.
	MaxBody int64
	// MaxPath is the longest path stored, in bytes after the prefix, at most
	// MaxPathBytes, which is the default.
	MaxPath int
	// MaxInFlight bounds the bytes of bodies that are being read or wait for the
	// disk; a request beyond it is told to come again later. Default 256 MiB.
	MaxInFlight int64
	// Countries finds out the country that is kept of a client's address; nil:
	// nothing is kept.
	Countries *convert.Countries
	// TrustedProxies are those whose X-Forwarded-For is believed when Countries
	// is set, and then only back to the first address that is not one of them.
	TrustedProxies []netip.Prefix
	// Schema is handed out at /telemetry_schema; nil: 404.
	Schema *schema.Schema
	// Definitions are handed out at /histograms/<repo…>/<revision> and
	// /histogram_buckets?revision=URL; nil: 404.
	Definitions DefinitionSource
	// Converter makes a Converter for /validate; nil: 404.
	Converter func() *convert.Converter
	// Status returns what /status answers, to be encoded as JSON; nil: 404.
	Status func() any
	// Metrics counts requests; nil: nobody does.
	Metrics *Metrics
	// RequestLog gets a line for every RequestLogEvery-th request; nil: none.
	RequestLog      *slog.Logger
	RequestLogEvery uint64
	Log             *slog.Logger
}

// DefaultHandlerOptions returns the options described at HandlerOptions.
func DefaultHandlerOptions() HandlerOptions {
	return HandlerOptions{MaxBody: rawlog.DefaultMaxBody, MaxPath: rawlog.MaxPathBytes, MaxInFlight: 256 << 20, Log: slog.New(slog.DiscardHandler)}
}

// handler is the public HTTP surface.
type handler struct {
	log      *rawlog.Log
	o        HandlerOptions
	inFlight atomic.Int64 // bytes of bodies being read or waiting for the disk

	validators chan *convert.Converter
}

// NewHandler returns the public HTTP surface, which appends to log. A handler
// only limits, encodes, appends and answers: 200 means that the submission is on
// disk, whatever it holds; what that is worth is for the Converter to say.
func NewHandler(log *rawlog.Log, o HandlerOptions) http.Handler {
	o.MaxBody = min(o.MaxBody, rawlog.MaxBodyLimit)
	o.MaxPath = min(o.MaxPath, rawlog.MaxPathBytes)
	o.RequestLogEvery = max(o.RequestLogEvery, 1)
	if o.Metrics == nil {
		o.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	h := &handler{log: log, o: o}
	r := chi.NewRouter()
	r.Post(submitPrefix+"*", h.submit)
	for form := range batchFields {
		r.Post(submitPrefix+form, h.batch(form))
	}
	if o.Converter != nil {
		h.validators = newValidators(o.Converter)
		r.Post(validatePrefix+"*", h.validate)
	}
	if o.Status != nil {
		r.Get("/status", h.status)
	}
	if o.Schema != nil {
		r.Get("/telemetry_schema", h.schema)
	}
	if o.Definitions != nil {
		r.Get("/histograms/*", h.histograms)
		r.Get("/histogram_buckets", h.buckets)
	}
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { answerNotFound.send(w) })
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) { answerMethod.send(w) })
	return &observer{handler: h, next: r}
}

func (h *handler) submit(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	path, ok := h.path(w, r, submitPrefix)
	if !ok {
		return
	}
	f, ok := h.readEntry(w, r, path, int(h.o.MaxBody), now)
	if !ok {
		return
	}
	n := len(f.Body())
	err := h.log.AppendEntries(f)
	h.release(f)
	if err == nil {
		h.o.Metrics.bytes.Add(float64(n))
	}
	h.finish(w, err)
}

// finish answers for submissions that have been appended, or not.
func (h *handler) finish(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		answerOK.send(w)
	case errors.Is(err, rawlog.ErrClosed):
		answerUnavailable.send(w)
	case errors.Is(err, rawlog.ErrReserve), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		answerDiskFull.send(w)
	default: // the Log has logged it
		answerFailed.send(w)
	}
}

// path returns what follows the prefix in the request's target, not decoded: an
// encoded slash must not become a level. If it reports false it has answered.
func (h *handler) path(w http.ResponseWriter, r *http.Request, prefix string) (string, bool) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") { // absolute form, as proxies send it
		target = r.URL.EscapedPath()
	}
	target, _, _ = strings.Cut(target, "?")
	path, ok := strings.CutPrefix(target, prefix)
	slashes := strings.Count(path, "/")
	switch {
	case len(path) > h.o.MaxPath:
		answerPathLimit.send(w, len(path), h.o.MaxPath)
		return "", false
	case !ok || path == "" || slashes != 0 && slashes != schema.NumDims-1:
		answerNotFound.send(w)
		return "", false
	}
	return path, true
}

const (
	// firstRoom is how much memory a request gets before more of its body has come,
	// whatever length it announces: more than nearly all bodies need.
	firstRoom = 64 << 10
	// scarceRoom is that when half of the budget is used: clients that announce
	// bodies and do not send them shall not keep the others out.
	scarceRoom = 4 << 10
)

// readEntry reads a body of at most limit bytes into a sealed entry, which the
// caller gives to release. If it reports false it has answered.
func (h *handler) readEntry(w http.ResponseWriter, r *http.Request, path string, limit int, t time.Time) (*rawlog.Entry, bool) {
	n := int(min(r.ContentLength, math.MaxInt32)) // -1: unknown
	switch {
	case n == 0:
		answerNoLength.send(w)
		return nil, false
	case n > limit:
		answerBodyLimit.send(w, r.ContentLength, limit)
		discard(r)
		return nil, false
	case n < 0:
		n = limit + 1
	}
	room := min(n, firstRoom)
	if h.inFlight.Load() > h.o.MaxInFlight/2 {
		room = min(n, scarceRoom)
	}
	if !h.reserve(room) {
		answerUnavailable.send(w)
		return nil, false
	}
	country := ""
	if h.o.Countries != nil {
		country = h.o.Countries.Of(clientAddr(r, h.o.TrustedProxies))
	}
	f := rawlog.NewEntry(country, path, room, t)
	filled, bad := h.fill(r, &f, n)
	if bad == nil && filled > limit {
		bad = &answerStreamLimit
	}
	if bad == nil && filled == 0 {
		bad = &answerNoLength
	}
	if bad == nil {
		f.Cut(filled)
		f.Seal()
		return f, true
	}
	h.release(f)
	switch bad {
	case &answerStreamLimit:
		bad.send(w, limit)
		discard(r)
	case &answerCutShort:
		// Nobody may be listening any more, and what is left of the connection
		// cannot be trusted.
		w.Header()["Connection"] = closeValue
		fallthrough
	default:
		bad.send(w)
	}
	return nil, false
}

// maxDiscard bounds how much of a body that is too long is read nevertheless.
const maxDiscard = 16 << 20

// discard reads the rest of a body that nobody wants, for clients that listen
// only when they have sent everything: a connection closed before that looks to
// them like a failure, and they try again. Who asked first (Expect) has not
// sent it.
func discard(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		io.CopyN(io.Discard, r.Body, maxDiscard) // whatever ends it, nothing is lost
	}
}

// fill reads the body into f, which grows as it comes, until n bytes or the
// body's end, and returns how many there were, or the answer to what went wrong.
func (h *handler) fill(r *http.Request, f **rawlog.Entry, n int) (filled int, bad *answer) {
	for filled < n {
		if room := len((*f).Body()); filled == room {
			more := min(2*room, n)
			if !h.reserve(more - room) {
				return filled, &answerUnavailable
			}
			*f = (*f).Grow(more)
		}
		got, err := r.Body.Read((*f).Body()[filled:])
		filled += got
		if err == io.EOF {
			break
		}
		if err != nil {
			return filled, &answerCutShort
		}
	}
	if r.ContentLength > 0 && filled < n {
		return filled, &answerCutShort
	}
	return filled, nil
}

// reserve takes n bytes of the budget for bodies in flight, if they are there.
func (h *handler) reserve(n int) bool {
	if h.inFlight.Add(int64(n)) > h.o.MaxInFlight {
		h.inFlight.Add(-int64(n))
		return false
	}
	return true
}

// release gives an entry and its part of the budget back.
func (h *handler) release(f *rawlog.Entry) {
	h.inFlight.Add(-int64(f.Room()))
	f.Free()
}
