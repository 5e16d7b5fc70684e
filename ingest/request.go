package ingest

import (
	"net/http"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// keptHeaders are the headers of a submission that the raw log keeps, by their
// canonical names. Others, such as cookies and addresses, are never stored.
var keptHeaders = [...]struct {
	field rawlog.Field
	name  string
}{
	{rawlog.FieldDate, "Date"},
	{rawlog.FieldUserAgent, "User-Agent"},
	{rawlog.FieldTelemetryAgent, "X-Telemetry-Agent"},
	{rawlog.FieldDebugID, "X-Debug-Id"},
	{rawlog.FieldSourceTags, "X-Source-Tags"},
	{rawlog.FieldPingSenderVersion, "X-Pingsender-Version"},
	{rawlog.FieldDNT, "Dnt"},
}

// requestOf returns what the raw log keeps of a request besides path and body.
func requestOf(r *http.Request) rawlog.Request {
	var scratch [512]byte // more than nearly all requests need: one allocation, of the result
	request := rawlog.AppendField(scratch[:0], rawlog.FieldMethod, r.Method)
	request = rawlog.AppendField(request, rawlog.FieldQuery, r.URL.RawQuery)

	// Of a header that comes twice the first counts, as in net/http.
	for _, header := range &keptHeaders {
		if values := r.Header[header.name]; len(values) > 0 {
			request = rawlog.AppendField(request, header.field, values[0])
		}
	}
	return rawlog.Request(request)
}
