package ingest

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/aitgithub/telemetry-server/layout"
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
	// Schema is handed out at /telemetry_schema; nil: 404.
	Schema *layout.Schema
	// Definitions are handed out at /histograms/<repo…>/<revision> and
	// /histogram_buckets?revision=URL; nil: 404.
	Definitions DefinitionSource
	// Status returns what /status answers, to be encoded as JSON; nil: 404.
	Status func() any
	Logger *slog.Logger
}

// DefaultHandlerOptions returns the options described at HandlerOptions.
func DefaultHandlerOptions() HandlerOptions {
	return HandlerOptions{MaxBody: DefaultMaxBody, MaxPath: MaxPathBytes, Logger: slog.New(slog.DiscardHandler)}
}

// handler is the public HTTP surface.
type handler struct {
	log *Log
	o   HandlerOptions
}

// NewHandler returns the public HTTP surface, which appends to log. A handler
// only limits, frames, appends and answers: 200 means that the submission is on
// disk, whatever it holds; what that is worth is for the Converter to say.
func NewHandler(log *Log, o HandlerOptions) http.Handler {
	o.MaxBody = min(o.MaxBody, MaxBodyLimit)
	o.MaxPath = min(o.MaxPath, MaxPathBytes)
	h := &handler{log: log, o: o}
	r := chi.NewRouter()
	r.Post(submitPrefix+"*", h.submit)
	for form := range batchFields {
		r.Post(submitPrefix+form, h.batch(form))
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
	return r
}

func (h *handler) submit(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	path, ok := submissionPath(r)
	switch n := strings.Count(path, "/"); {
	case len(path) > h.o.MaxPath:
		answerPathLimit.send(w, len(path), h.o.MaxPath)
		return
	case !ok || n != 0 && n != 5:
		answerNotFound.send(w)
		return
	}
	f, ok := h.readFrame(w, r, path, h.o.MaxBody, now)
	if !ok {
		return
	}
	err := h.log.append(f)
	f.free()
	h.finish(w, err)
}

// finish answers for submissions that have been appended, or not.
func (h *handler) finish(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		answerOK.send(w)
	case errors.Is(err, ErrClosed):
		answerUnavailable.send(w)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		answerDiskFull.send(w)
	default: // the Log has logged it
		answerFailed.send(w)
	}
}

// submissionPath returns what follows the prefix in the request's target, not
// decoded: an encoded slash must not become a level. It reports whether there is
// anything.
func submissionPath(r *http.Request) (string, bool) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") { // absolute form, as proxies send it
		target = r.URL.EscapedPath()
	}
	target, _, _ = strings.Cut(target, "?")
	path, ok := strings.CutPrefix(target, submitPrefix)
	return path, ok && path != ""
}

// readFrame reads a body of at most limit bytes into a sealed frame, which the
// caller frees. If it reports false it has answered.
func (h *handler) readFrame(w http.ResponseWriter, r *http.Request, path string, limit int64, t time.Time) (*frame, bool) {
	n := r.ContentLength
	switch {
	case n == 0:
		answerNoLength.send(w)
		return nil, false
	case n > limit:
		answerBodyLimit.send(w, n, limit)
		return nil, false
	case n < 0:
		return h.readChunked(w, r, path, int(limit), t)
	}
	f := takeFrame(path, int(n), t)
	if _, err := io.ReadFull(r.Body, f.body()); err != nil {
		f.free()
		cutShort(w)
		return nil, false
	}
	f.seal()
	return f, true
}

// readChunked reads a body of unknown length.
func (h *handler) readChunked(w http.ResponseWriter, r *http.Request, path string, limit int, t time.Time) (*frame, bool) {
	f := takeFrame(path, min(16<<10, limit+1), t)
	filled := 0
	for {
		n, err := r.Body.Read(f.body()[filled:])
		filled += n
		switch {
		case filled > limit:
			f.free()
			answerStreamLimit.send(w, limit)
			return nil, false
		case err == io.EOF && filled == 0:
			f.free()
			answerNoLength.send(w)
			return nil, false
		case err == io.EOF:
			f.cut(filled)
			f.seal()
			return f, true
		case err != nil:
			f.free()
			cutShort(w)
			return nil, false
		case filled == len(f.body()):
			f = f.grow(min(2*filled, limit+1))
		}
	}
}

// cutShort answers a body that did not come as announced. Nobody may be
// listening any more, and what is left of the connection cannot be trusted.
func cutShort(w http.ResponseWriter) {
	w.Header()["Connection"] = closeValue
	answerCutShort.send(w)
}
