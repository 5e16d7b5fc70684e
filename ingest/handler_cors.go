package ingest

import (
	"net/http"
	"strings"
)

// Pages of any origin may submit: a submission carries no credentials, and its answer
// says nothing. The values are shared, because assigning them allocates nothing.
var (
	corsOrigin  = []string{"*"}
	corsMethods = []string{"POST, PUT, OPTIONS"}
	corsHeaders = []string{"Content-Type, Content-Encoding, Date, DNT, X-Telemetry-Agent, X-Debug-ID, X-Source-Tags, X-PingSender-Version"}
	corsMaxAge  = []string{"86400"} // seconds for which a browser need not ask again
)

// allowOrigin lets pages read the answer to a request if it is of a submission path,
// whatever the answer is: without it, a page's client takes every answer for a failure of
// the network, and sends again.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, submitPrefix) {
		w.Header()["Access-Control-Allow-Origin"] = corsOrigin
	}
}

// preflight answers a browser that asks whether a page may submit.
func (h *handler) preflight(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header["Access-Control-Allow-Methods"] = corsMethods
	header["Access-Control-Allow-Headers"] = corsHeaders
	header["Access-Control-Max-Age"] = corsMaxAge
	w.WriteHeader(http.StatusNoContent)
}
