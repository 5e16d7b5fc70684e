package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// The fields of one submission in a batch body, before its JSON: the ID alone, or
// followed by the dimensions in the URL's order; or those of another namespace.
var (
	batchFields        = []string{"id"}
	batchDimsFields    = append([]string{"id"}, urlDimNames()...)
	batchGenericFields = []string{"namespace", "type", "version", "id"}
)

// urlDimNames returns the field names of the dimensions in the URL's order.
func urlDimNames() (names []string) {
	for _, dim := range schema.URLOrder {
		names = append(names, schema.DimNames[dim])
	}
	return names
}

const (
	// maxBatchBytes bounds the body of a batch.
	maxBatchBytes = 16 << 20
	// maxBatchRecords bounds its submissions: each takes some hundred bytes of memory, and
	// of the raw log, besides its own.
	maxBatchRecords = 50_000
)

// batch stores many submissions that come in one body: their fields and JSON, all
// separated by tabs. All of them are stored, or none.
func (h *handler) batch(fields []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		head := rawlog.Submission{Request: batchRequestOf(r), Time: received}
		e, ok := h.readEntry(w, r, reading{head: &head, limit: maxBatchBytes})
		if !ok {
			return
		}

		records, err := splitBatch(e.Body(), fields, h.o)
		if err != nil {
			h.release(e)
			answer{http.StatusBadRequest, err.Error()}.send(w)
			return
		}

		// The submissions take memory beside the body that they came in.
		memory := batchMemory(records, head.Request)
		if !h.reserve(memory) {
			h.release(e)
			answerUnavailable.send(w)
			return
		}
		head.Country = "" // the address is that of the program that has gathered the batch
		entries := batchEntries(records, head)
		h.release(e)

		h.finish(w, h.raw.AppendEntries(entries...))
		for _, entry := range entries {
			entry.Free()
		}
		h.inFlight.Add(-int64(memory))
	}
}

// batchRecord is one submission of a batch. Its text lies in the body.
type batchRecord struct {
	path string
	text []byte
}

// batchRecordBytes is the memory of a batchRecord and of its place in the lists of entries.
const batchRecordBytes = 64

// maxBatchRequestBytes bounds what of the request is stored with each record of a batch:
// a request with long headers and many records would be stored thousands of times.
const maxBatchRequestBytes = 512

// batchRequestOf is requestOf for a batch; of a request that is too long it has the
// method only.
func batchRequestOf(r *http.Request) rawlog.Request {
	request := requestOf(r)
	if len(request) > maxBatchRequestBytes {
		request = rawlog.Request(rawlog.AppendField(nil, rawlog.FieldMethod, r.Method))
	}
	return request
}

// batchMemory returns the bytes of memory that records and their entries take.
func batchMemory(records []batchRecord, request rawlog.Request) (bytes int) {
	for _, record := range records {
		bytes += batchRecordBytes + rawlog.EntryMemory(len(record.path)+len(request)+len(record.text))
	}
	return bytes
}

// batchEntries returns the sealed entries of records, which have all else from head. The
// caller frees them.
func batchEntries(records []batchRecord, head rawlog.Submission) []*rawlog.Entry {
	entries := make([]*rawlog.Entry, len(records))
	for i, record := range records {
		head.Path = record.path
		entry := rawlog.NewEntry(&head, len(record.text))
		copy(entry.Body(), record.text)
		entry.Seal()
		entries[i] = entry
	}
	return entries
}

// splitBatch cuts a batch into submissions. Its error names the field that is wrong.
func splitBatch(body []byte, names []string, o HandlerOptions) ([]batchRecord, error) {
	// A newline at the end, as line tools add it, is not part of the last JSON.
	body = bytes.TrimRight(body, "\r\n")
	fields := bytes.Count(body, tab) + 1
	n := len(names) + 1
	if fields%n != 0 {
		return nil, fmt.Errorf("batch has %d fields, which is no multiple of %d", fields, n)
	}
	if fields/n > maxBatchRecords {
		return nil, fmt.Errorf("batch has %d records, more than %d", fields/n, maxBatchRecords)
	}

	records := make([]batchRecord, 0, fields/n)
	for i := range fields / n {
		var record batchRecord
		var err error
		record, body, err = cutRecord(body, names, o)
		if err != nil {
			return nil, fmt.Errorf("record %d: field %w", i+1, err)
		}
		records = append(records, record)
	}

	return records, nil
}

var tab = []byte{'\t'}

// cutRecord cuts the first record off a batch that has enough fields. Its error begins
// with the name of the field that is wrong.
func cutRecord(body []byte, names []string, o HandlerOptions) (record batchRecord, rest []byte, err error) {
	// A slash would add a level to the path; a newline shows that records are not separated by tabs.
	var path strings.Builder
	for i, name := range names {
		var value []byte
		value, body, _ = bytes.Cut(body, tab)
		switch {
		case len(value) == 0 && i == 0:
			return record, nil, fmt.Errorf("%s is empty", name)
		case bytes.ContainsAny(value, "/\r\n"):
			return record, nil, fmt.Errorf("%s holds a slash or a newline", name)
		case path.Len()+len(value) > o.MaxPath:
			return record, nil, fmt.Errorf("%s and the dimensions are longer than %d bytes", names[0], o.MaxPath)
		}

		// The path is what a single submission's URL would have had.
		if i > 0 {
			path.WriteByte('/')
		}
		path.Write(value)
	}

	record.path = path.String()
	if names[0] == batchGenericFields[0] {
		if _, ok := schema.ParseGenericPath(record.path); !ok {
			return record, nil, fmt.Errorf("namespace, type, version or id: %q is no path of a submission", record.path)
		}
		record.path = "/" + record.path
	}

	record.text, rest, _ = bytes.Cut(body, tab)
	switch {
	case len(record.path) > o.MaxPath:
		return record, nil, fmt.Errorf("%s and the dimensions are longer than %d bytes", names[0], o.MaxPath)
	case int64(len(record.text)) > o.MaxBody:
		return record, nil, fmt.Errorf("json is longer than %d bytes", o.MaxBody)
	case !json.Valid(record.text):
		return record, nil, fmt.Errorf("json is not JSON")
	}

	return record, rest, nil
}
