package ingest

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// endpoint is one row of the table of the public address.
type endpoint struct {
	methods []string
	pattern string // of its path, for the router
	// doc is the path as the status table in doc.go and docs/operating.md spell it;
	// a test compares.
	doc string
	// handle returns what answers; nil if this server does not have the endpoint, as
	// nothing answers for it in HandlerOptions.
	handle func(h *handler) http.HandlerFunc
}

// endpoints is the table of the public address. Another path is
// answered with 404, another method with 405.
var endpoints = []endpoint{
	{
		[]string{http.MethodPost, http.MethodPut}, submitPrefix + "*", "/submit/<namespace>/<type>/<version>/<id>",
		func(h *handler) http.HandlerFunc { return h.submit },
	},
	{
		// The same as the row above: only the documents tell them apart.
		[]string{http.MethodPost, http.MethodPut}, submitPrefix + telemetryPart + "*", "/submit/telemetry/<id>[/<reason>/<app>/<version>/<channel>/<build>]",
		func(h *handler) http.HandlerFunc { return h.submit },
	},
	{
		[]string{http.MethodPost}, submitPrefix + telemetryPart + "batch", "/submit/telemetry/batch",
		func(h *handler) http.HandlerFunc { return h.batch(batchFields) },
	},
	{
		[]string{http.MethodPost}, submitPrefix + telemetryPart + "batch_dims", "/submit/telemetry/batch_dims",
		func(h *handler) http.HandlerFunc { return h.batch(batchDimsFields) },
	},
	{
		[]string{http.MethodPost}, submitPrefix + "batch", "/submit/batch",
		func(h *handler) http.HandlerFunc { return h.batch(batchGenericFields) },
	},
	{
		[]string{http.MethodOptions}, submitPrefix + "*", "/submit/…",
		func(h *handler) http.HandlerFunc { return h.preflight },
	},
	{
		[]string{http.MethodPost, http.MethodPut}, validatePrefix + "*", "/validate/…",
		func(h *handler) http.HandlerFunc { return having(h.validators != nil, h.validate) },
	},
	{
		[]string{http.MethodGet}, "/__heartbeat__", "/__heartbeat__",
		func(h *handler) http.HandlerFunc { return h.heartbeat },
	},
	{
		[]string{http.MethodGet}, "/__lbheartbeat__", "/__lbheartbeat__",
		func(h *handler) http.HandlerFunc { return h.loadBalancerHeartbeat },
	},
	{
		[]string{http.MethodGet}, "/__version__", "/__version__",
		func(h *handler) http.HandlerFunc { return h.version },
	},
	{
		[]string{http.MethodGet}, "/status", "/status",
		func(h *handler) http.HandlerFunc { return having(h.o.Status != nil, h.status) },
	},
	{
		[]string{http.MethodGet}, "/livez", "/livez",
		func(h *handler) http.HandlerFunc { return h.health() },
	},
	{
		[]string{http.MethodGet}, "/readyz", "/readyz",
		func(h *handler) http.HandlerFunc { return h.health() },
	},
	{
		[]string{http.MethodGet}, "/telemetry_schema", "/telemetry_schema",
		func(h *handler) http.HandlerFunc { return having(h.o.Schema != nil, h.schema) },
	},
	{
		[]string{http.MethodGet}, histogramsPrefix + "*", "/histograms/<repo…>/<revision>",
		func(h *handler) http.HandlerFunc { return having(h.o.Definitions != nil, h.histograms) },
	},
	{
		[]string{http.MethodGet}, "/histogram_buckets", "/histogram_buckets?revision=<URL>",
		func(h *handler) http.HandlerFunc { return having(h.o.Definitions != nil, h.buckets) },
	},
}

// having returns f if there is what it needs, else nil.
func having(needed bool, f http.HandlerFunc) http.HandlerFunc {
	if !needed {
		return nil
	}
	return f
}

// router returns the routes of the table.
func (h *handler) router() chi.Router {
	router := chi.NewRouter()
	for _, e := range endpoints {
		// What this server does not have answers 404, like any other path.
		if f := e.handle(h); f != nil {
			for _, method := range e.methods {
				router.Method(method, e.pattern, f)
			}
		}
	}

	router.NotFound(func(w http.ResponseWriter, _ *http.Request) { answerNotFound.send(w) })
	router.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) { answerMethod.send(w) })
	return router
}
