package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// observer counts each answered request, and logs every n-th.
type observer struct {
	*handler
	next http.Handler
	seen atomic.Uint64

	sharing *sharing // nil: no limits
}

// answerWriter notes the status code of an answer. It is pooled.
type answerWriter struct {
	http.ResponseWriter
	code int
}

var answerWriters = sync.Pool{New: func() any { return new(answerWriter) }}

func (w *answerWriter) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find the real writer.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (o *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	code := o.serve(w, r)
	took := time.Since(start)

	// A log line carries what the client sent; it is for one request in many.
	o.o.Metrics.request(code, took)
	if log := o.o.RequestLog; log != nil && o.seen.Add(1)%o.o.RequestLogEvery == 0 {
		log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request",
			slog.String("method", r.Method), slog.String("url", r.RequestURI), slog.Int("code", code),
			slog.Int64("size", r.ContentLength), slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	}
}

// answer answers r, unless its client has more than its share.
func (o *observer) answer(w http.ResponseWriter, r *http.Request) {
	if o.sharing != nil {
		end, ok := o.sharing.begin(r)
		if !ok {
			answerTooMany.send(w)
			return
		}
		defer end()
	}
	o.next.ServeHTTP(w, r)
}

// serve answers r and returns the status code of the answer.
func (o *observer) serve(w http.ResponseWriter, r *http.Request) (code int) {
	noted := answerWriters.Get().(*answerWriter)
	*noted = answerWriter{ResponseWriter: w}
	allowOrigin(noted, r)

	// A proxy that sees another length than we do would take the rest of the body for a
	// request of its own. net/http hides a length beside Transfer-Encoding, so every such
	// connection ends.
	if r.TransferEncoding != nil && r.ProtoMajor == 1 {
		noted.Header()["Connection"] = closeValue
	}
	o.answer(noted, r)
	code = noted.code

	*noted = answerWriter{} // a pooled writer must not hold the connection
	answerWriters.Put(noted)
	if code == 0 { // net/http's default
		code = http.StatusOK
	}
	return code
}
