package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/aitgithub/telemetry-server/revisions"
)

// DefinitionSource is where the handler gets the texts it hands out;
// *revisions.Cache is one.
type DefinitionSource interface {
	Spec(context.Context, revisions.Ref) (*revisions.Spec, error)
	Raw(context.Context, revisions.Ref) ([]byte, error)
}

// schema answers with the dimension schema's document.
func (h *handler) schema(w http.ResponseWriter, _ *http.Request) { sendJSON(w, h.o.Schema.Text()) }

// status answers with the server's state; see HandlerOptions.Status.
func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	b, err := json.Marshal(h.o.Status())
	if err != nil {
		h.o.Log.Error("cannot answer /status", "err", err)
		answerFailed.send(w)
		return
	}
	sendJSON(w, append(b, '\n'))
}

// histograms answers GET /histograms/<repo…>/<revision> with that revision's
// Histograms.json.
func (h *handler) histograms(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/histograms/")
	i := max(strings.LastIndexByte(name, '/'), 0)
	ref, err := revisions.NewRef(name[:i], strings.TrimPrefix(name[i:], "/"))
	var text []byte
	if err == nil {
		text, err = h.o.Definitions.Raw(r.Context(), ref)
	}
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
	ref, err := revisions.ParseURL(url)
	var spec *revisions.Spec
	if err == nil {
		spec, err = h.o.Definitions.Spec(r.Context(), ref)
	}
	var text []byte
	if err == nil {
		text = spec.BucketTables()
	}
	h.sendDefinitions(w, text, err)
}

func (h *handler) sendDefinitions(w http.ResponseWriter, text []byte, err error) {
	switch {
	case err == nil:
		sendJSON(w, text)
	case errors.Is(err, revisions.ErrInvalidURL), errors.Is(err, revisions.ErrNotFound), errors.Is(err, revisions.ErrBadDefinitions):
		answerNotFound.send(w)
	default:
		h.o.Log.Warn("cannot find definitions for a client", "err", err)
		answerUnavailable.send(w)
	}
}

func sendJSON(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}
