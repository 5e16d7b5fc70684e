package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/aitgithub/telemetry-server/revisions"
)

// histogramsPrefix begins the path of every Histograms.json.
const histogramsPrefix = "/histograms/"

// DefinitionSource has the definitions that the handler answers with;
// *revisions.Cache is one. Errors are as its methods'.
type DefinitionSource interface {
	Spec(context.Context, revisions.Ref) (*revisions.Spec, error)
	Raw(context.Context, revisions.Ref) ([]byte, error)
}

// schema answers with the dimension schema's document.
func (h *handler) schema(w http.ResponseWriter, _ *http.Request) { sendJSON(w, h.o.Schema.Text()) }

// status answers with the server's state; see HandlerOptions.Status.
func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	status, taken := h.o.Status()
	text, err := json.Marshal(status)
	if err != nil {
		h.o.Log.Error("cannot answer /status", "err", err)
		answerFailed.send(w)
		return
	}

	if !taken {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write(append(text, '\n'))
		return
	}
	sendJSON(w, append(text, '\n'))
}

// health returns what answers /livez and /readyz; nil without.
func (h *handler) health() http.HandlerFunc {
	if h.o.Health == nil {
		return nil
	}
	return h.o.Health.ServeHTTP
}

// histograms answers GET /histograms/<repo…>/<revision> with that revision's
// Histograms.json.
func (h *handler) histograms(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, histogramsPrefix)
	// The revision is the last part; the repository may have several.
	slash := max(strings.LastIndexByte(name, '/'), 0)
	ref, err := revisions.NewRef(name[:slash], strings.TrimPrefix(name[slash:], "/"))
	if err != nil {
		h.sendDefinitions(w, nil, err)
		return
	}

	text, err := h.o.Definitions.Raw(r.Context(), ref)
	h.sendDefinitions(w, text, err)
}

// buckets answers GET /histogram_buckets?revision=URL with the bucket bounds of
// that revision's histograms.
func (h *handler) buckets(w http.ResponseWriter, r *http.Request) {
	url := r.URL.Query().Get("revision")
	if url == "" {
		answerNoRevision.send(w)
		return
	}

	spec, err := h.specOf(r.Context(), url)
	if err != nil {
		h.sendDefinitions(w, nil, err)
		return
	}

	h.sendDefinitions(w, spec.BucketTables(), nil)
}

// specOf returns the definitions of a revision URL.
func (h *handler) specOf(ctx context.Context, url string) (*revisions.Spec, error) {
	ref, err := revisions.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return h.o.Definitions.Spec(ctx, ref)
}

// sendDefinitions answers with text, or for the error with which it was looked up.
func (h *handler) sendDefinitions(w http.ResponseWriter, text []byte, err error) {
	switch {
	case err == nil:
		sendJSON(w, text)
	case errors.Is(err, revisions.ErrInvalidURL), errors.Is(err, revisions.ErrNotFound), errors.Is(err, revisions.ErrBadDefinitions):
		answerNotFound.send(w)
	// No answer from the revision server: the client may try again.
	default:
		h.o.Log.Debug("cannot find definitions for a client", "err", err)
		answerUnavailable.send(w)
	}
}

func sendJSON(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}
