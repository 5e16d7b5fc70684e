package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"time"
)

// validatePrefix begins the path of a submission that is only to be judged.
const validatePrefix = "/validate/telemetry/"

// verdict is what /validate answers, as JSON.
type verdict struct {
	Valid bool `json:"valid"`
	// Class and Message say why a submission would be quarantined.
	Class   string `json:"class,omitempty"`
	Message string `json:"message,omitempty"`
	// ID, Dimensions (in schema order, as found) and Partition say where it would
	// be stored, Record as what.
	ID         string          `json:"id,omitempty"`
	Dimensions []string        `json:"dimensions,omitempty"`
	Partition  string          `json:"partition,omitempty"`
	Record     json.RawMessage `json:"record,omitempty"`
}

// newValidators returns the converters that validate shares, one per processor:
// it must not starve those who submit.
func newValidators(converter func() *convert.Converter) chan *convert.Converter {
	vs := make(chan *convert.Converter, runtime.GOMAXPROCS(0))
	for range cap(vs) {
		vs <- converter()
	}
	return vs
}

// validate converts a submission and answers with what became of it. It stores nothing.
func (h *handler) validate(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	path, ok := h.path(w, r, validatePrefix)
	if !ok {
		return
	}
	f, ok := h.readEntry(w, r, path, int(h.o.MaxBody), now)
	if !ok {
		return
	}
	defer h.release(f)
	var conv *convert.Converter
	select {
	case conv = <-h.validators:
	default:
		answerUnavailable.send(w)
		return
	}
	defer func() { h.validators <- conv }()
	rec, err := conv.Convert(r.Context(), &rawlog.Submission{Path: path, Body: f.Body(), Time: now})
	clear(conv.Dropped)
	v := verdict{Valid: err == nil}
	bad, isBad := errors.AsType[*convert.Rejection](err)
	switch {
	case err == nil:
		v.ID, v.Dimensions, v.Record = string(rec.ID), rec.Dims[:], rec.JSON
		if h.o.Schema != nil {
			v.Partition = h.o.Schema.Partition(rec.Dims).String()
		}
	case isBad:
		v.Class, v.Message = bad.Class, bad.Message
	default: // the definitions cannot be had now
		h.o.Log.Warn("cannot validate", "err", err)
		answerUnavailable.send(w)
		return
	}
	text, err := json.Marshal(v)
	if err != nil { // the record is not JSON, which would be a bug
		h.o.Log.Error("cannot answer /validate", "err", err)
		answerFailed.send(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if isBad {
		w.WriteHeader(http.StatusBadRequest)
	}
	w.Write(append(text, '\n'))
}
