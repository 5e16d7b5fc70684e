package kafka

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Format says what the messages of a topic hold.
type Format int

const (
	// JSON messages have the document ID, or ID and five dimensions as in a
	// submission's URL, or namespace/type/version/ID, as key and the ping as value, plain or gzip.
	JSON Format = iota
	// Bagheera messages have a BagheeraMessage as value; their key means nothing.
	Bagheera
	numFormats
)

var formatNames = [numFormats]string{JSON: "json", Bagheera: "bagheera"}

// ParseFormat returns the Format with that name, "json" or "bagheera".
func ParseFormat(name string) (Format, error) {
	i := slices.Index(formatNames[:], name)
	if i < 0 {
		return 0, fmt.Errorf("message format %q: want %s", name, strings.Join(formatNames[:], " or "))
	}
	return Format(i), nil
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
func (c class) toStore() bool { return c != classSkipped }

// read makes a submission of a message. Its Body is a part of the message.
func (s *Source) read(r *kgo.Record, now time.Time) (rawlog.Submission, class) {
	sub := rawlog.Submission{Path: string(r.Key), Body: r.Value, Time: received(r.Timestamp, now), Request: requestOf(r.Headers)}
	if r.Value == nil {
		return sub, classSkipped
	}

	// Key and value mean different things in each format.
	class := classAppended
	switch s.o.Format {
	case JSON:
		if len(r.Key) == 0 {
			class = classMissingID
		}
		if _, ok := schema.ParseGenericPath(sub.Path); ok {
			sub.Path = "/" + sub.Path
		}
	case Bagheera:
		class = readEnvelope(&sub, now)
	}

	if class == classSkipped {
		return sub, class
	}

	// The converter rejects paths of four or five parts, so the message comes into the
	// quarantine, with the place that it came from.
	place := fmt.Sprintf("kafka/%s/%d/%d", r.Topic, r.Partition, r.Offset)
	if class == classMissingID || class == classBadEnvelope {
		sub.Path = place
	}
	if len(sub.Path) > rawlog.MaxPathBytes || len(sub.Body) > s.o.MaxBody {
		return rawlog.TooLarge(place, sub, int64(len(sub.Body))), classTooLarge
	}
	return sub, class
}

// requestOf returns the headers of a message that are named like those of a submission
// that the raw log keeps.
func requestOf(headers []kgo.RecordHeader) rawlog.Request {
	var request []byte
	for field := rawlog.FieldDate; field < rawlog.NumFields; field++ {
		for _, header := range headers {
			if strings.EqualFold(header.Key, field.Header()) {
				request = rawlog.AppendField(request, field, string(header.Value))
				break // of a header that comes twice the first counts
			}
		}
	}
	return rawlog.Request(request)
}

// readEnvelope replaces path, body and time of a submission, whose body is a
// Bagheera envelope, by what the envelope holds.
func readEnvelope(sub *rawlog.Submission, now time.Time) class {
	e, err := parseEnvelope(sub.Body)
	if err != nil {
		return classBadEnvelope
	}
	if e.operation != createUpdate {
		return classSkipped
	}

	if e.millis != 0 {
		sub.Time = received(time.UnixMilli(e.millis), now)
	}
	if e.id == "" {
		return classMissingID
	}

	sub.Path = e.path()
	sub.Body = e.payload
	return classAppended
}

// clockSlack is how far a producer's clock may be ahead of ours.
const clockSlack = 24 * time.Hour

// received returns t, the time that a message states, or now if t cannot be right.
func received(t, now time.Time) time.Time {
	if t.UnixMilli() <= 0 || t.After(now.Add(clockSlack)) {
		t = now
	}
	return t.UTC().Truncate(time.Millisecond)
}
