package tap

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	// maxShownBytes bounds the JSON of a ping in an event.
	maxShownBytes = 1 << 20
	// maxShownText bounds what is shown of a body that is no JSON.
	maxShownText = 4 << 10
	// maxUnpacked bounds the text of a body that did not become a record.
	maxUnpacked = 16 << 20
)

// Event is what a listener is sent of a submission, as JSON.
type Event struct {
	Time       time.Time `json:"time"` // when it was received
	Namespace  string    `json:"namespace"`
	Type       string    `json:"type"`
	ID         string    `json:"id"`
	Path       string    `json:"path"` // as raw logs have it
	Bytes      int       `json:"bytes"`
	Tag        string    `json:"tag,omitempty"`
	SourceTags string    `json:"source_tags,omitempty"`

	// Outcome is published, quarantined, dropped, forgotten or waiting.
	Outcome string `json:"outcome"`
	// Reason says why it is not published, Class is the class of the quarantine.
	Class  string `json:"class,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Partition is where a published record goes.
	Partition string `json:"partition,omitempty"`

	// Ping is the record as it will be stored, or the body if it is JSON; Text the
	// beginning of another body. Larger ones than a megabyte are left out.
	Ping json.RawMessage `json:"ping,omitempty"`
	Text string          `json:"text,omitempty"`
	// Missed is how many selected submissions came before it and are not shown.
	Missed int64 `json:"missed,omitempty"`
}

// outcomes are the names of what becomes of a submission.
var outcomes = map[decide.Kind]string{
	decide.Published:   "published",
	decide.Quarantined: "quarantined",
	decide.Dropped:     "dropped",
	decide.Waiting:     "waiting",
	decide.Forgotten:   "forgotten",
}

// event converts a submission. Selected is false if the record goes to a partition that
// the selection does not have.
func (t *Tap) event(ctx context.Context, s *rawlog.Submission, want *selection) (event Event, selected bool, err error) {
	path, _ := schema.ParseSubmissionPath(s.Path)
	event = Event{
		Time: s.Time, Namespace: path.Namespace, Type: path.Type, ID: path.ID, Path: s.Path, Bytes: len(s.Body),
		Tag: s.Request.Get(rawlog.FieldDebugID), SourceTags: s.Request.Get(rawlog.FieldSourceTags),
	}

	// The filter and the list of clients of now, as for a raw log that is finished now.
	conversion, err := t.o.Conversion()
	if err != nil {
		return event, false, err
	}

	forgotten, err := t.o.Forgotten(ctx)
	if err != nil {
		return event, false, err
	}

	converter := conversion.NewConverter(ctx)
	defer converter.Close()

	outcome, err := converter.Convert(ctx, s)
	if err != nil {
		return event, false, err
	}

	decide.NewForgetting(forgotten, conversion.Deletions()).Apply(s, &outcome)

	event.setOutcome(&outcome)
	if outcome.Kind == decide.Published {
		event.Ping = bytes.Clone(outcome.Record.JSON)
		event.bound()
		return event, want.where.Selects(outcome.Partition), nil
	}

	// Only published records have a partition that a condition could select.
	event.show(s.Body)
	return event, !want.hasWhere, nil
}

// setOutcome sets what becomes of the submission, and why.
func (e *Event) setOutcome(outcome *decide.Outcome) {
	e.Outcome = outcomes[outcome.Kind]

	switch outcome.Kind {
	case decide.Published:
		e.Partition = outcome.Partition.String()
	case decide.Quarantined:
		e.Class, e.Reason = outcome.Rejection.Class, outcome.Rejection.Message
	case decide.Dropped:
		e.Reason = outcome.Reason
	case decide.Waiting:
		e.Reason = outcome.Outage.Error()
	case decide.Forgotten:
		e.Reason = "the client asked for its data to be deleted"
	}
}

// show shows a body that did not become a record.
func (e *Event) show(body []byte) {
	text, err := convert.Unpack(body, maxUnpacked)
	if err != nil {
		text = body
	}

	if json.Valid(text) {
		e.Ping = text
		e.bound()
		return
	}

	// The cut may split a character.
	e.Text = string(bytes.ToValidUTF8(text[:min(len(text), maxShownText)], []byte("\ufffd")))
}

// bound leaves out a ping that is too large to be read by anybody.
func (e *Event) bound() {
	if len(e.Ping) > maxShownBytes {
		e.Ping = nil
	}
}
