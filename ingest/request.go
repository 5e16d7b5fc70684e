package ingest

import (
	"net/http"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// requestOf returns what the raw log keeps of a request besides path and body. Other headers,
// such as cookies and addresses, are never stored.
func requestOf(r *http.Request) rawlog.Request {
	var scratch [512]byte // more than nearly all requests need: one allocation, of the result
	request := rawlog.AppendField(scratch[:0], rawlog.FieldMethod, r.Method)
	request = rawlog.AppendField(request, rawlog.FieldQuery, r.URL.RawQuery)

	// Of a header that comes twice the first counts, as in net/http.
	for field := rawlog.FieldDate; field < rawlog.NumFields; field++ {
		if values := r.Header[field.Header()]; len(values) > 0 {
			request = rawlog.AppendField(request, field, values[0])
		}
	}
	return rawlog.Request(request)
}
