package ingest

import (
	"encoding/json"
	"net/http"
)

// health is what /__heartbeat__ answers, as JSON, in the form of Mozilla's Dockerflow.
type health struct {
	Status string            `json:"status"` // ok or error
	Checks map[string]string `json:"checks"`
	// Details has the errors of the checks that fail.
	Details map[string]string `json:"details"`
}

// heartbeat answers whether a submission could be stored now.
func (h *handler) heartbeat(w http.ResponseWriter, _ *http.Request) {
	found := health{Status: "ok", Checks: map[string]string{"raw_log": "ok"}, Details: map[string]string{}}
	code := http.StatusOK
	if err := h.raw.Ready(); err != nil {
		found.Status = "error"
		found.Checks["raw_log"] = "error"
		found.Details["raw_log"] = err.Error()
		code = answerFor(err).code
	}
	h.sendValue(w, code, found)
}

// loadBalancerHeartbeat answers that the process runs, whatever else is wrong.
func (h *handler) loadBalancerHeartbeat(w http.ResponseWriter, _ *http.Request) { answerOK.send(w) }

// version answers with what the program was built from, in the form of Dockerflow.
func (h *handler) version(w http.ResponseWriter, _ *http.Request) {
	h.sendValue(w, http.StatusOK, map[string]string{
		"source":  "https://github.com/aitgithub/telemetry-server",
		"version": h.o.Version,
		"commit":  h.o.Version,
		"build":   "",
	})
}

// sendValue sends a value as JSON.
func (h *handler) sendValue(w http.ResponseWriter, code int, value any) {
	text, err := json.Marshal(value)
	if err != nil { // a record is not JSON, which would be a bug
		h.o.Log.Error("cannot answer", "err", err)
		answerFailed.send(w)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(text, '\n'))
}
