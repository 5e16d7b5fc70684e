package convert

import (
	"bytes"
	"compress/gzip"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions"
)

// packed returns a body of gzip.
func packed(text string) []byte {
	var out bytes.Buffer
	packer := gzip.NewWriter(&out)
	packer.Write([]byte(text))
	packer.Close()
	return out.Bytes()
}

// longPing is a ping of so many bytes.
func longPing(n int) string {
	return strings.Replace(ingesttest.Ping(`"FLAG":{"values":{"0":1}}`), "{", `{"long":"`+strings.Repeat("x", n)+`",`, 1)
}

// TestTurns converts large and small pings with turns and without: the result is the
// same, and a turn ends with Release.
func TestTurns(t *testing.T) {
	free := newTestConverter(t)
	o := free.options
	o.Turns = NewTurns()
	waiting := New(free.source, o)

	for _, tt := range []struct {
		name  string
		body  []byte
		large bool
	}{
		{"small", packed(longPing(1000)), false},
		{"large", packed(longPing(maxSmallText)), true},
		{"large, plain", []byte(longPing(maxSmallText)), true},
		{"small again", packed(longPing(1000)), false},
		{"large and bad", packed(longPing(maxSmallText) + "}"), true},
		{"too large", packed(longPing(o.MaxUnpacked)), true},
		{"large again", packed(longPing(maxSmallText)), true},
	} {
		s := rawlog.Submission{Path: "id", Body: tt.body}
		want, wantErr := free.Convert(t.Context(), &s)
		got, err := waiting.Convert(t.Context(), &s)
		if !bytes.Equal(got.JSON, want.JSON) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s: %.100s, %v; want %.100s, %v", tt.name, got.JSON, err, want.JSON, wantErr)
		}
		if waiting.Large() != tt.large {
			t.Errorf("%s: large %v, want %v", tt.name, waiting.Large(), tt.large)
		}
	}

	// The last one has the turn until its record is used.
	other := New(free.source, o)
	other.NoWait = true
	large := rawlog.Submission{Path: "id", Body: packed(longPing(maxSmallText))}
	if _, err := other.Convert(t.Context(), &large); !errors.Is(err, ErrBusy) {
		t.Errorf("a second large ping: %v, want %v", err, ErrBusy)
	}
	waiting.Release()
	if _, err := other.Convert(t.Context(), &large); err != nil {
		t.Errorf("a large ping after Release: %v", err)
	}
	other.Release()
	if n := cap(other.unpacker.text) + cap(other.writer.out.JSON) + cap(other.writer.ahead.out.JSON); n > 3*keptBytes {
		t.Errorf("%d bytes are kept after a large ping", n)
	}
}

// TestTurnOfALongRecord: a short ping becomes a long record, which takes a turn, too.
func TestTurnOfALongRecord(t *testing.T) {
	const definitions = 2 * histogram.MaxRecordBytes / 2000
	spec, err := revisions.Parse([]byte("{" + members(definitions, `"WIDE#":{"kind":"linear","low":1,"high":1000,"n_buckets":1000}`) + "}"))
	if err != nil {
		t.Fatal(err)
	}
	source := ingesttest.Definitions{Always: spec}
	o := DefaultOptions()
	free := New(source, o)
	o.Turns = NewTurns()
	waiting := New(source, o)

	for _, times := range []int{10, 2 * maxSmallRecord / 2000, definitions} {
		s := rawlog.Submission{Path: "id", Body: packed(ingesttest.Ping(members(times, `"WIDE#":{"values":{}}`)))}
		want, wantErr := free.Convert(t.Context(), &s)
		got, err := waiting.Convert(t.Context(), &s)
		if !bytes.Equal(got.JSON, want.JSON) || (err == nil) != (wantErr == nil) {
			t.Errorf("%d: %.100s, %v; want %.100s, %v", times, got.JSON, err, want.JSON, wantErr)
		}
		if large := times > 10; waiting.Large() != large {
			t.Errorf("%d: large %v, want %v", times, waiting.Large(), large)
		}
	}
}

// TestTooManyMembers: objects with more members than real ones are rejected before their
// index takes much memory, and what is named so is cut.
func TestTooManyMembers(t *testing.T) {
	for name, ping := range map[string]string{
		"top level":  strings.Replace(ingesttest.Ping(``), "{", "{"+members(maxMembers+1, `"m":1`)+",", 1),
		"info":       strings.Replace(ingesttest.Ping(``), `"info":{`, `"info":{`+members(maxMembers+1, `"m":1`)+",", 1),
		"payload":    strings.Replace(unifiedPing("main"), `"payload":{`, `"payload":{`+members(maxMembers+1, `"m":1`)+",", 1),
		"histograms": ingesttest.Ping(members(maxMembers+1, `"m":1`)),
		"one name":   ingesttest.Ping(members(maxMembers+1, `"FLAG":{"values":{}}`)),
	} {
		converter := newTestConverter(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := converter.ConvertJSON(t.Context(), []byte(ping), "20130910")
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc

		rejection, ok := errors.AsType[*Rejection](err)
		if !ok || rejection.Class != ClassConversion || !strings.Contains(strings.ToLower(rejection.Message), "more than 100000") {
			t.Errorf("%s: %v", name, err)
		}
		if limit := uint64(24 << 20); allocated > limit {
			t.Errorf("%s: %d bytes of memory", name, allocated)
		}
	}

	long := ingesttest.Ping(`"FLAG":{"values":{"` + strings.Repeat("x", 1<<20) + `":1}}`)
	_, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(long), "20130910")
	rejection, ok := errors.AsType[*Rejection](err)
	if !ok || len(rejection.Message) > maxMessageBytes+10 {
		t.Errorf("a message of %d bytes", len(err.Error()))
	}
}
