package ingesttest

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// ClientRequest is a request that a current client has sent.
type ClientRequest struct {
	Name, Method, Path string
	Headers            http.Header
	Body               []byte // as sent; nil if there was none
}

// ClientRequests returns the requests of data/clients of the shared data.
func ClientRequests(t testing.TB) (requests []ClientRequest) {
	t.Helper()
	const folder = "clients/"
	var index []struct {
		Name, Method, Path, Body string
		Headers                  [][2]string
	}
	if err := json.Unmarshal(Shared(t, folder+"index.json"), &index); err != nil {
		t.Fatal(err)
	}

	for _, row := range index {
		request := ClientRequest{Name: row.Name, Method: row.Method, Path: row.Path, Headers: http.Header{}}
		for _, header := range row.Headers {
			request.Headers.Add(header[0], header[1])
		}
		if row.Body != "(none)" {
			body, err := os.ReadFile(filepath.Join(sharedData(), folder, row.Body)) // packed as it was sent
			if err != nil {
				t.Fatal(err)
			}
			request.Body = body
		}
		requests = append(requests, request)
	}
	return requests
}

// Submission returns what a raw log holds of the request, received at a fixed time.
func (r *ClientRequest) Submission() rawlog.Submission {
	target, query, _ := strings.Cut(r.Path, "?")
	path := strings.TrimPrefix(target, "/submit")
	if legacy, ok := strings.CutPrefix(path, "/telemetry/"); ok {
		path = legacy
	}

	request := rawlog.AppendField(nil, rawlog.FieldMethod, r.Method)
	request = rawlog.AppendField(request, rawlog.FieldQuery, query)
	for field := rawlog.FieldDate; field < rawlog.NumFields; field++ {
		request = rawlog.AppendField(request, field, r.Headers.Get(field.Header()))
	}
	return rawlog.Submission{Path: path, Body: r.Body, Request: rawlog.Request(request), Time: ClientsReceived}
}

// ClientsReceived is when Submission says that a request was received: on the day on which
// all of them were.
var ClientsReceived = time.Date(2026, 11, 28, 11, 0, 0, 0, time.UTC)

// Sample is a validation sample of mozilla-pipeline-schemas.
type Sample struct {
	// Name is namespace/type.version.what.pass or .fail.
	Name string
	Text []byte
	// Pass says that it is valid by its JSON Schema.
	Pass bool
}

// Samples returns the validation samples of the shared data.
func Samples(t testing.TB) (samples []Sample) {
	t.Helper()
	const folder = "pipeline-schemas/validation"
	Shared(t, "pipeline-schemas/LICENSE.txt") // skips the test if there are none

	err := fs.WalkDir(os.DirFS(filepath.Join(sharedData(), folder)), ".", func(name string, entry fs.DirEntry, err error) error {
		short, ok := strings.CutSuffix(name, ".json")
		if err == nil && ok {
			samples = append(samples, Sample{short, Shared(t, folder+"/"+name), strings.HasSuffix(short, ".pass")})
		}
		return err
	})
	if err != nil || len(samples) == 0 {
		t.Fatal(len(samples), err)
	}
	return samples
}

// Submission returns the sample as a submission to its namespace.
func (s *Sample) Submission() rawlog.Submission {
	namespace, name, _ := strings.Cut(s.Name, "/")
	parts := strings.Split(name, ".")
	request := rawlog.AppendField(nil, rawlog.FieldMethod, http.MethodPost)
	return rawlog.Submission{
		Path: "/" + namespace + "/" + parts[0] + "/" + parts[1] + "/" + "d0c0ffee-0000-4000-8000-000000000000",
		Body: s.Text, Request: rawlog.Request(request), Time: ClientsReceived,
	}
}
