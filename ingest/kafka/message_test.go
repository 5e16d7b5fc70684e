package kafka

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// encode is the envelope as Bagheera's producer writes it.
func (e *envelope) encode() []byte {
	var b []byte
	b = protowire.AppendTag(b, 2, protowire.BytesType) // the namespace, which we pass over
	b = protowire.AppendString(b, "telemetry")
	b = protowire.AppendTag(b, fieldID, protowire.BytesType)
	b = protowire.AppendString(b, e.id)
	b = protowire.AppendTag(b, 4, protowire.BytesType) // the client's address
	b = protowire.AppendBytes(b, []byte{127, 0, 0, 1})
	b = protowire.AppendTag(b, fieldPayload, protowire.BytesType)
	b = protowire.AppendBytes(b, e.payload)
	b = protowire.AppendTag(b, fieldTimestamp, protowire.VarintType)
	b = protowire.AppendVarint(b, protowire.EncodeZigZag(e.millis))
	b = protowire.AppendTag(b, fieldOperation, protowire.VarintType)
	b = protowire.AppendVarint(b, e.operation)
	for _, p := range e.partition {
		b = protowire.AppendTag(b, fieldPartition, protowire.BytesType)
		b = protowire.AppendString(b, p)
	}

	return b
}

func TestRead(t *testing.T) {
	now := time.Date(2014, 2, 3, 4, 5, 6, 789e6, time.UTC)
	sent := now.Add(-time.Hour)
	whole := envelope{id: "i", payload: []byte("{}"), millis: sent.UnixMilli(), partition: []string{"idle-daily", "Firefox", "27.0", "release", "20140127"}}
	deleted := envelope{id: "i", operation: 1}
	long := envelope{id: "i", payload: make([]byte, 101), millis: sent.UnixMilli()}
	longKey := strings.Repeat("i", 10<<10+1)
	const place = "kafka/t/2/7"
	for _, c := range []struct {
		name   string
		format Format
		key    string
		value  []byte
		stamp  time.Time
		class  class
		path   string
		body   string
		time   time.Time
	}{
		{"plain", JSON, "i", []byte("{}"), sent, classAppended, "i", "{}", sent},
		{"with dimensions", JSON, "i/r/a/v/c/b", []byte("{}"), sent, classAppended, "i/r/a/v/c/b", "{}", sent},
		{"another namespace", JSON, "org-example/baseline/1/i", []byte("{}"), sent, classAppended, "/org-example/baseline/1/i", "{}", sent},
		{"four parts that are no namespace", JSON, "Org/a/1/i", []byte("{}"), sent, classAppended, "Org/a/1/i", "{}", sent},
		{"gzip stays as it is", JSON, "i", []byte("\x1f\x8b"), sent, classAppended, "i", "\x1f\x8b", sent},
		{"tabs are for the Converter", JSON, "a\tb", []byte("{}"), sent, classAppended, "a\tb", "{}", sent},
		{"empty value", JSON, "i", []byte{}, sent, classAppended, "i", "", sent},
		{"tombstone", JSON, "i", nil, sent, classSkipped, "", "", sent},
		{"no key", JSON, "", []byte("{}"), sent, classMissingID, place, "{}", sent},
		{"longest", JSON, "i", make([]byte, 100), sent, classAppended, "i", string(make([]byte, 100)), sent},
		{"value too long", JSON, "i/r", make([]byte, 101), sent, classTooLarge, place + "/too_large:101:3:i%2Fr", string(make([]byte, 101)), sent},
		{"key too long", JSON, longKey, []byte("{}"), sent, classTooLarge, place + fmt.Sprintf("/too_large:2:%d:%s", len(longKey), longKey[:3072]), "{}", sent},
		{"payload too long", Bagheera, "k", long.encode(), now, classTooLarge, place + "/too_large:101:1:i", string(long.payload), sent},
		{"bad envelope too long", Bagheera, "k", make([]byte, 101), sent, classTooLarge, place + "/too_large:101:11:kafka%2Ft%2F2%2F7", string(make([]byte, 101)), sent},
		{"no time", JSON, "i", []byte("{}"), time.UnixMilli(-1), classAppended, "i", "{}", now},
		{"time of a broken clock", JSON, "i", []byte("{}"), now.AddDate(10, 0, 0), classAppended, "i", "{}", now},
		{"envelope", Bagheera, "", whole.encode(), now, classAppended, "i/idle-daily/Firefox/27.0/release/20140127", "{}", sent},
		{"envelope, DELETE", Bagheera, "", deleted.encode(), now, classSkipped, "", "", sent},
		{"envelope without ID", Bagheera, "k", (&envelope{payload: []byte("{}")}).encode(), sent, classMissingID, place, string((&envelope{payload: []byte("{}")}).encode()), sent},
		{"envelope cut short", Bagheera, "k", whole.encode()[:19], sent, classBadEnvelope, place, string(whole.encode()[:19]), sent},
		{"JSON is no envelope", Bagheera, "k", []byte(`{"ver":1}`), sent, classBadEnvelope, place, `{"ver":1}`, sent},
		{"empty envelope", Bagheera, "k", []byte{}, sent, classMissingID, place, "", sent},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Source{o: Options{Format: c.format, MaxBody: 100}}
			sub, class := s.read(&kgo.Record{Topic: "t", Partition: 2, Offset: 7, Key: []byte(c.key), Value: c.value, Timestamp: c.stamp}, now)
			if class != c.class {
				t.Fatalf("class %s, want %s", class, c.class)
			}
			if !class.toStore() {
				return
			}
			if sub.Path != c.path || string(sub.Body) != c.body || !sub.Time.Equal(c.time) {
				t.Errorf("got %q %q %v, want %q %q %v", sub.Path, sub.Body, sub.Time, c.path, c.body, c.time)
			}
		})
	}
}

// TestEveryFormatIsNamedAndRead parses each format's name and reads a message of it.
func TestEveryFormatIsNamedAndRead(t *testing.T) {
	e := envelope{id: "i", payload: []byte("{}")}
	examples := [numFormats]kgo.Record{
		JSON:     {Key: []byte("i"), Value: []byte("{}")},
		Bagheera: {Value: e.encode()},
	}

	for format := range numFormats {
		name := formatNames[format]
		if got, err := ParseFormat(name); err != nil || got != format || name == "" {
			t.Errorf("ParseFormat(%q) = %v, %v, want %v", name, got, err, format)
		}

		s := &Source{o: Options{Format: format, MaxBody: 100}}
		sub, class := s.read(&examples[format], time.Now())
		if class != classAppended || sub.Path != "i" || string(sub.Body) != "{}" {
			t.Errorf("%s: read %q %q as %s", name, sub.Path, sub.Body, class)
		}
	}
	if _, err := ParseFormat("xml"); err == nil || err.Error() != `message format "xml": want json or bagheera` {
		t.Errorf("ParseFormat of an unknown format: %v", err)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add((&envelope{id: "i", payload: []byte("{}"), millis: -1, partition: []string{"a", ""}}).encode())
	f.Add((&envelope{id: "i", operation: 1}).encode())
	f.Add([]byte("{}"))
	f.Add([]byte{0x0b, 0x0c}) // a group
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEnvelope(b)
		if err != nil {
			return
		}
		again, err := parseEnvelope(e.encode())
		if err != nil || again.id != e.id || !bytes.Equal(again.payload, e.payload) || again.millis != e.millis ||
			again.operation != e.operation || !slices.Equal(again.partition, e.partition) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}

// TestHeaders: headers of a message that are named like those of a submission are kept.
func TestHeaders(t *testing.T) {
	got := requestOf([]kgo.RecordHeader{{Key: "x-debug-id", Value: []byte("tag")}, {Key: "X-Debug-ID", Value: []byte("second")}, {Key: "cookie", Value: []byte("c")}})
	if got.Get(rawlog.FieldDebugID) != "tag" || strings.Contains(string(got), "cookie") {
		t.Errorf("%q", got)
	}
	if requestOf(nil) != "" {
		t.Error("a message without headers has a request")
	}
}
