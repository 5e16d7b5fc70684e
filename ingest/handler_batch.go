package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// The fields of one submission in a batch body, before its JSON: the ID alone, or
// followed by the dimensions in the URL's order.
var (
	batchFields     = []string{"id"}
	batchDimsFields = append([]string{"id"}, urlDimNames()...)
)

// urlDimNames returns the field names of the dimensions in the URL's order.
func urlDimNames() (names []string) {
	for _, dim := range schema.URLOrder {
		names = append(names, schema.DimNames[dim])
	}
	return names
}

// maxBatchBytes bounds the body of a batch.
const maxBatchBytes = 16 << 20

// batch stores many submissions that come in one body: their fields and JSON, all
// separated by tabs. All of them are stored, or none.
func (h *handler) batch(fields []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		e, ok := h.readEntry(w, r, "", maxBatchBytes, received)
		if !ok {
			return
		}

		// Submissions refer to a copy, so the entry and its room are free at once.
		subs, err := splitBatch(string(e.Body()), fields, h.o, received)
		h.release(e)
		if err != nil {
			answer{http.StatusBadRequest, err.Error()}.send(w)
			return
		}

		// A client that has closed only its own side, as nc does, waits for the answer.
		ctx := context.WithoutCancel(r.Context())
		h.finish(w, h.raw.Append(ctx, subs...))
	}
}

// splitBatch cuts a batch into submissions. Its error names the field that is wrong.
func splitBatch(body string, names []string, o HandlerOptions, received time.Time) ([]rawlog.Submission, error) {
	// A newline at the end, as line tools add it, is not part of the last JSON.
	fields := strings.Split(strings.TrimRight(body, "\r\n"), "\t")
	n := len(names) + 1
	if len(fields)%n != 0 {
		return nil, fmt.Errorf("batch has %d fields, which is no multiple of %d", len(fields), n)
	}

	subs := make([]rawlog.Submission, 0, len(fields)/n)
	for i := 0; i < len(fields); i += n {
		path, text, err := batchRecord(fields[i:i+n], names, o)
		if err != nil {
			return nil, fmt.Errorf("record %d: field %w", i/n+1, err)
		}
		subs = append(subs, rawlog.Submission{Path: path, Body: []byte(text), Time: received})
	}

	return subs, nil
}

// batchRecord returns the path and the JSON of one record. Its error begins with
// the name of the field that is wrong.
func batchRecord(record, names []string, o HandlerOptions) (path, text string, err error) {
	// A slash would add a level to the path; a newline shows that records are not separated by tabs.
	for i, name := range names {
		switch value := record[i]; {
		case value == "" && i == 0:
			return "", "", fmt.Errorf("%s is empty", name)
		case strings.ContainsAny(value, "/\r\n"):
			return "", "", fmt.Errorf("%s holds a slash or a newline", name)
		}
	}

	// The path is what a single submission's URL would have had.
	path = strings.Join(record[:len(names)], "/")
	text = record[len(names)]
	switch {
	case len(path) > o.MaxPath:
		return "", "", fmt.Errorf("%s and the dimensions are longer than %d bytes", names[0], o.MaxPath)
	case int64(len(text)) > o.MaxBody:
		return "", "", fmt.Errorf("json is longer than %d bytes", o.MaxBody)
	case !json.Valid([]byte(text)):
		return "", "", fmt.Errorf("json is not JSON")
	}

	return path, text, nil
}
