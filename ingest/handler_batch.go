package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// batchFields are the fields of one submission in a batch body, before its JSON;
// more than the ID are in the URL's order.
var batchFields = map[string][]string{
	"batch":      {"id"},
	"batch_dims": {"id", "reason", "appName", "appVersion", "appUpdateChannel", "appBuildID"},
}

// maxBatchBytes bounds the body of a batch.
const maxBatchBytes = 16 << 20

// batch takes many submissions in one body: their fields and JSON, all separated
// by tabs. All of them are stored, or none.
func (h *handler) batch(form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		f, ok := h.readEntry(w, r, "", maxBatchBytes, now)
		if !ok {
			return
		}
		subs, err := splitBatch(string(f.Body()), batchFields[form], h.o, now)
		h.release(f)
		if err != nil {
			answer{http.StatusBadRequest, err.Error()}.send(w)
			return
		}
		// A client that has closed its side only, as nc does, waits for the answer.
		h.finish(w, h.log.Append(context.WithoutCancel(r.Context()), subs...))
	}
}

// splitBatch cuts a batch into submissions. Its error names the field that is wrong.
func splitBatch(body string, names []string, o HandlerOptions, now time.Time) ([]rawlog.Submission, error) {
	fields := strings.Split(strings.TrimRight(body, "\r\n"), "\t")
	n := len(names) + 1
	if len(fields)%n != 0 {
		return nil, fmt.Errorf("batch has %d fields, which is no multiple of %d", len(fields), n)
	}
	subs := make([]rawlog.Submission, 0, len(fields)/n)
	for i := 0; i < len(fields); i += n {
		record := fields[i : i+n]
		bad := func(name, what string) error { return fmt.Errorf("record %d: field %s %s", i/n+1, name, what) }
		for j, name := range names {
			switch v := record[j]; {
			case v == "" && j == 0:
				return nil, bad(name, "is empty")
			case strings.ContainsAny(v, "/\r\n"):
				return nil, bad(name, "holds a slash or a newline")
			}
		}
		path, text := strings.Join(record[:n-1], "/"), record[n-1]
		switch {
		case len(path) > o.MaxPath:
			return nil, bad(names[0], fmt.Sprintf("and the dimensions are longer than %d bytes", o.MaxPath))
		case int64(len(text)) > o.MaxBody:
			return nil, bad("json", fmt.Sprintf("is longer than %d bytes", o.MaxBody))
		case !json.Valid([]byte(text)):
			return nil, bad("json", "is not JSON")
		}
		subs = append(subs, rawlog.Submission{Path: path, Body: []byte(text), Time: now})
	}
	return subs, nil
}
