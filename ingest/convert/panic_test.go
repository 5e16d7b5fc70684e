package convert

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions"
)

// panicky is a source of definitions with a bug.
type panicky struct{}

func (panicky) Spec(context.Context, revisions.Ref) (*revisions.Spec, error) { panic("out of order") }

func TestConvertSurvivesItsOwnBugs(t *testing.T) {
	c := New(panicky{}, Options{})
	bad := rawlog.Submission{Path: "a", Body: []byte(`{"ver":1,"info":{"revision":"http://hg.mozilla.org/mozilla-central/rev/ad0ae007aa9e"},"histograms":{"A":{}}}`)}
	good := rawlog.Submission{Path: "b", Body: []byte(`{"ver":2,"info":{},"histograms":{}}`)}
	for range 2 {
		_, err := c.Convert(t.Context(), &bad)
		if r, ok := errors.AsType[*Rejection](err); !ok || r.Class != ClassConversion || !strings.Contains(r.Message, "out of order") {
			t.Errorf("Convert = %v, want a rejection that names the panic", err)
		}
		if r, err := c.Convert(t.Context(), &good); err != nil || string(r.ID) != "b" {
			t.Errorf("the submission after it: %q, %v", r.ID, err)
		}
	}
}

func (panicky) AtHand(revisions.Ref) *revisions.Spec { return nil }
