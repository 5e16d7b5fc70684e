package kafka

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// Format says what the messages of a topic hold.
type Format int

const (
	// JSON messages have the document ID, or ID and five dimensions as in a
	// submission's URL, as key and the ping as value, plain or gzip.
	JSON Format = iota
	// Bagheera messages have a BagheeraMessage as value; their key means nothing.
	Bagheera
)

// ParseFormat returns the Format with that name, "json" or "bagheera".
func ParseFormat(name string) (Format, error) {
	switch name {
	case "json":
		return JSON, nil
	case "bagheera":
		return Bagheera, nil
	}
	return 0, fmt.Errorf("message format %q: want json or bagheera", name)
}

// class says what became of a message; doc.go has the table.
type class string

const (
	classAppended    class = "appended"
	classSkipped     class = "skipped"
	classMissingID   class = "missing_id"
	classBadEnvelope class = "bad_envelope"
	classTooLarge    class = "too_large"
)

var classes = []class{classAppended, classSkipped, classMissingID, classBadEnvelope, classTooLarge}

// toStore says whether a message of that class goes into the raw log.
func (c class) toStore() bool { return c != classSkipped && c != classTooLarge }

// read makes a submission of a message. Its Body is a part of the message.
func (s *Source) read(r *kgo.Record, now time.Time) (rawlog.Submission, class) {
	sub := rawlog.Submission{Path: string(r.Key), Body: r.Value, Time: received(r.Timestamp, now)}
	class := classAppended
	switch {
	case r.Value == nil:
		return sub, classSkipped
	case s.o.Format == Bagheera:
		e, err := parseEnvelope(r.Value)
		switch {
		case err != nil:
			class = classBadEnvelope
		case e.operation != createUpdate:
			return sub, classSkipped
		case e.id == "":
			class = classMissingID
		default:
			sub.Path, sub.Body = e.path(), e.payload
		}
		if err == nil && e.millis != 0 {
			sub.Time = received(time.UnixMilli(e.millis), now)
		}
	case len(r.Key) == 0:
		class = classMissingID
	}
	if class != classAppended {
		// A path of four parts is none that the Converter takes.
		sub.Path = fmt.Sprintf("kafka/%s/%d/%d", r.Topic, r.Partition, r.Offset)
	}
	if len(sub.Path) > s.o.MaxPath || len(sub.Body) > s.o.MaxBody {
		return sub, classTooLarge
	}
	return sub, class
}

// clockSlack is how far a producer's clock may be ahead of ours.
const clockSlack = 24 * time.Hour

// received returns t, the time that a message states, or now if no clock that is
// to be believed shows it.
func received(t, now time.Time) time.Time {
	if t.UnixMilli() <= 0 || t.After(now.Add(clockSlack)) {
		t = now
	}
	return t.UTC().Truncate(time.Millisecond)
}
