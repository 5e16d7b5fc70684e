package ingest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/convert/schemas"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/pipeline"
)

// validation is what /validate answers, as JSON.
type validation struct {
	Valid bool `json:"valid"`
	// Class and Message say why a submission would be quarantined.
	Class   string `json:"class,omitempty"`
	Message string `json:"message,omitempty"`
	// ID, Dimensions (in schema order, as found) and Partition say where it would
	// be stored, record what would be stored; sendValidation writes it.
	ID         string   `json:"id,omitempty"`
	Dimensions []string `json:"dimensions,omitempty"`
	Partition  string   `json:"partition,omitempty"`
	record     []byte   // JSON
	// SchemaErrors are all places that fail its JSON Schema, up to a bound, also if the
	// server only counts such submissions.
	SchemaErrors []schemas.Place `json:"schema_errors,omitempty"`
}

// newValidators returns the converters that validate shares, one per processor:
// requests to validate must not starve submissions.
func newValidators(converter func() *convert.Converter) chan *convert.Converter {
	validators := make(chan *convert.Converter, pipeline.Processors())
	// Receiving one from the channel is taking it, sending it is putting it back.
	for range cap(validators) {
		validator := converter()
		validator.NoWait, validator.CheckAll = true, true
		validators <- validator
	}
	return validators
}

// validate converts a submission and answers with the record or the reason for
// which it would be quarantined. It stores nothing.
//
// It converts in this process, which no submission can end: no script runs here (the
// ingest filter is the worker's), large pings take turns, no step calls itself for each level
// of a ping (TestNoPingEndsTheProcess), and a panic costs one answer.
func (h *handler) validate(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	path, ok := h.path(w, r, validatePrefix)
	if !ok {
		return
	}

	head := rawlog.Submission{Path: path, Request: requestOf(r), Time: received}
	e, ok := h.readEntry(w, r, reading{head: &head, limit: int(h.o.MaxBody)})
	if !ok {
		return
	}

	defer h.release(e)

	// Nothing waits for a converter: the client can come again.
	var conv *convert.Converter
	select {
	case conv = <-h.validators:
	default:
		answerUnavailable.send(w)
		return
	}

	defer func() {
		conv.Release()
		h.validators <- conv
	}()

	head.Body = e.Body()

	// Convert as the worker does, but nothing is counted and nothing is stored.
	record, err := conv.Convert(r.Context(), &head)
	clear(conv.Dropped) // the counts are for records that are stored
	rejection, isRejected := errors.AsType[*convert.Rejection](err)
	switch {
	case err == nil:
		h.sendValidation(w, http.StatusOK, h.validRecord(record, conv.FailedPlaces))
	case isRejected:
		h.sendValidation(w, http.StatusBadRequest, validation{Class: rejection.Class, Message: rejection.Message, SchemaErrors: conv.FailedPlaces})
	case errors.Is(err, convert.ErrBusy):
		answerUnavailable.send(w)
	default: // the definitions are not available now
		h.o.Log.Debug("cannot validate", "err", err)
		answerUnavailable.send(w)
	}
}

// validRecord returns the answer for a submission that was converted. It refers to
// the record's bytes.
func (h *handler) validRecord(record convert.Record, failed []schemas.Place) validation {
	v := validation{Valid: true, ID: string(record.ID), Dimensions: record.Dims[:], record: record.JSON, SchemaErrors: failed}
	if h.o.Schema != nil {
		v.Partition = h.o.Schema.Partition(record.Dims).String()
	}
	return v
}

func (h *handler) sendValidation(w http.ResponseWriter, code int, v validation) {
	text, err := json.Marshal(v)
	if err != nil {
		h.o.Log.Error("cannot answer /validate", "err", err)
		answerFailed.send(w)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if v.record == nil {
		w.Write(append(text, '\n'))
		return
	}

	// The record is the last member, as it is: a copy of it may be large.
	w.Write(text[:len(text)-1])
	io.WriteString(w, `,"record":`)
	w.Write(v.record)
	io.WriteString(w, "}\n")
}
