package ingest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// oneRevision knows one revision of mozilla-central; for the repository "down"
// the server does not answer.
type oneRevision string

func (text oneRevision) Raw(_ context.Context, ref revisions.Ref) ([]byte, error) {
	switch ref.Repo + "/" + ref.Revision {
	case "mozilla-central/0123456789ab", "releases/mozilla-beta/0123456789ab":
		return []byte(text), nil
	}
	if ref.Repo == "down" {
		return nil, fmt.Errorf("ask: %w", revisions.ErrUnavailable)
	}
	return nil, fmt.Errorf("ask: %w", revisions.ErrNotFound)
}

func (text oneRevision) Spec(ctx context.Context, ref revisions.Ref) (*revisions.Spec, error) {
	b, err := text.Raw(ctx, ref)
	if err != nil {
		return nil, err
	}
	return revisions.Parse(b)
}

func TestHandlerInfo(t *testing.T) {
	const text = `{"H": {"kind": "boolean", "description": "x"}}`
	o := DefaultHandlerOptions()
	o.Schema = schema.Default()
	o.Definitions = oneRevision(text)
	o.Status = func() (any, bool) { return map[string]int{"backlog": 7}, true }
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
	tests := []struct {
		path string
		code int
		want string
	}{
		{"/status", 200, `{"backlog":7}`},
		{"/telemetry_schema", 200, `"field_name"`},
		{"/histograms/mozilla-central/0123456789ab", 200, text},
		{"/histograms/releases/mozilla-beta/0123456789ab", 200, text},
		{"/histograms/mozilla-central/aaaaaaaaaaaa", 404, "Not Found"},
		{"/histograms/mozilla-central/ffffffffffff", 404, "Not Found"},
		{"/histograms/..%2f..%2fetc/0123456789ab", 404, "Not Found"},
		{"/histograms/0123456789ab", 404, "Not Found"},
		{"/histograms/", 404, "Not Found"},
		{"/histograms/down/0123456789ab", 503, "Try again later"},
		{"/histogram_buckets?revision=https://hg.mozilla.org/mozilla-central/rev/0123456789ab", 200, `"buckets":[0,1,2]`},
		{"/histogram_buckets?revision=https://hg.mozilla.org/mozilla-central/rev/aaaaaaaaaaaa", 404, "Not Found"},
		{"/histogram_buckets?revision=nonsense", 404, "Not Found"},
		{"/histogram_buckets", 400, "Must provide a revision URL"},
	}

	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", tt.path, nil))
			if got := strings.ReplaceAll(w.Body.String(), " ", ""); w.Code != tt.code || !strings.Contains(got, strings.ReplaceAll(tt.want, " ", "")) {
				t.Errorf("%d %.200s, want %d %s", w.Code, w.Body, tt.code, tt.want)
			}
		})
	}
}

func (text oneRevision) AtHand(revisions.Ref) *revisions.Spec { return nil }
