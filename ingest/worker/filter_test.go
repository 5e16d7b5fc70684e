package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// byID is an IngestFilter that decides by the document ID; open counts its Deciders.
type byID struct {
	decide func(id string) (decide.Decision, error)
	open   atomic.Int32
}

func (f *byID) NewDecider(context.Context) decide.Decider {
	f.open.Add(1)
	return idDecider{f}
}

type idDecider struct{ filter *byID }

func (d idDecider) Close() { d.filter.open.Add(-1) }

func (d idDecider) Decide(p schema.Dims, id, doc []byte) (decide.Decision, error) {
	if !json.Valid(doc) || !strings.HasPrefix(p.String(), "idle_daily/Firefox/release/23.0.1/2013/201309") {
		return decide.Decision{}, fmt.Errorf("odd record in %v: %s", p, doc)
	}
	return d.filter.decide(string(id))
}

// byWord decides by how an ID begins.
func byWord(id string) (decide.Decision, error) {
	switch word, _, _ := strings.Cut(id, "-"); word {
	case "drop":
		return decide.Decision{Action: decide.Drop, Reason: "test\nmachine"}, nil
	case "each":
		return decide.Decision{Action: decide.Drop, Reason: id}, nil
	case "aside":
		return decide.Decision{Action: decide.Quarantine, Reason: "odd " + id}, nil
	case "throw":
		return decide.Decision{}, errors.New("ingest.js:1:1: ingest: TypeError")
	case "slow":
		return decide.Decision{}, fmt.Errorf("%w: 1s", decide.ErrFilterLimit)
	}
	return decide.Decision{}, nil
}

// keepAll keeps every record.
func keepAll(string) (decide.Decision, error) { return decide.Decision{}, nil }

// submissions returns n of each of the words, as ingesttest.DataWith takes them.
func submissions(n int, words ...string) (list []string) {
	for i := range n {
		for _, word := range words {
			list = append(list, fmt.Sprintf("%s-%d", word, i), ingesttest.Ping(``))
		}
	}
	return list
}

func TestFilter(t *testing.T) {
	data := ingesttest.DataWith(t, append(submissions(3, "keep", "drop", "aside", "throw", "slow"), "bad", "{")...)
	filter := &byID{decide: byWord}
	got, err := newWorker(data, definitions(t), filter).ConvertLog(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}

	wantQuarantined := map[string]int64{convert.ClassConversion: 1, convert.ClassFilter: 3, convert.ClassFilterError: 6}
	if got.Submissions != 16 || got.Records != 3 || got.AllFiltered() != 3 || got.Filtered["test machine"] != 3 {
		t.Errorf("%+v", got)
	}
	if !maps.Equal(got.Quarantined, wantQuarantined) {
		t.Errorf("quarantined %v, want %v", got.Quarantined, wantQuarantined)
	}
	if n := filter.open.Load(); n != 0 {
		t.Errorf("%d Deciders were not closed", n)
	}
	for _, line := range ingesttest.Lines(t, data, schema.All()) {
		if !strings.Contains(line, "\tkeep-") {
			t.Errorf("published: %s", line)
		}
	}
	stored, err := statistics.Find(data.Root(), name, data.Log())
	if err != nil || stored.Filtered["test machine"] != 3 {
		t.Errorf("statistics %+v, %v", stored, err)
	}
}

// TestFilterAndReplay replays what a filter quarantined: with a filter, or when it is
// asked for.
func TestFilterAndReplay(t *testing.T) {
	data := ingesttest.DataWith(t, append(submissions(3, "keep", "drop", "aside", "throw", "slow"), "bad", "{")...)
	filter := &byID{decide: byWord}
	if _, err := newWorker(data, definitions(t), filter).ConvertLog(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	replay := func(f decide.DeciderSource, class string) quarantine.Replayed {
		t.Helper()
		conversion := decide.NewConversion(definitions(t), convert.DefaultOptions(), f)
		counts, err := quarantine.Replay(t.Context(), data, conversion, class, false)
		if err != nil {
			t.Fatal(err)
		}
		return counts
	}

	if n := replay(nil, ""); n.Tried != 1 || n.Records != 0 {
		t.Errorf("without a filter: %+v", n)
	}
	want := map[string]int64{convert.ClassConversion: 1, convert.ClassFilter: 3, convert.ClassFilterError: 6}
	if n := replay(filter, ""); n.Tried != 10 || n.Records != 0 || !maps.Equal(n.Quarantined, want) {
		t.Errorf("with the same filter: %+v", n)
	}
	corrected := &byID{decide: func(id string) (decide.Decision, error) {
		if strings.HasPrefix(id, "slow") {
			return decide.Decision{Action: decide.Drop, Reason: "slow"}, nil
		}
		return decide.Decision{}, nil
	}}
	if n := replay(corrected, convert.ClassFilterError); n.Tried != 6 || n.Records != 3 || n.Dropped["slow"] != 3 || len(n.Quarantined) != 0 {
		t.Errorf("with the corrected filter: %+v", n)
	}
	if n := replay(nil, convert.ClassFilter); n.Tried != 3 || n.Records != 3 {
		t.Errorf("without a filter, asked for: %+v", n)
	}
	if lines := ingesttest.Lines(t, data, schema.All()); len(lines) != 9 {
		t.Errorf("in the end %d records", len(lines))
	}
}

// TestSlowFilter: a filter that always takes too long stops the conversion, and the
// raw log stays as it is.
func TestSlowFilter(t *testing.T) {
	const each = 10 // as often as a filter may take too long
	data := ingesttest.DataWith(t, submissions(each, "slow", "drop", "keep")...)
	filter := &byID{decide: byWord}
	w := newWorker(data, definitions(t), filter)
	for range 2 {
		if _, err := w.ConvertLog(t.Context(), name); !errors.Is(err, decide.ErrFilterLimit) {
			t.Errorf("%v", err)
		}
	}
	if n := filter.open.Load(); n != 0 {
		t.Errorf("%d Deciders were not closed", n)
	}

	filter.decide = keepAll
	got, err := w.ConvertLog(t.Context(), name)
	if err != nil || got.Records != 3*each {
		t.Errorf("with the corrected filter: %+v, %v", got, err)
	}
}

func TestFilterReasonsAreBounded(t *testing.T) {
	data := ingesttest.DataWith(t, submissions(maxReasons+7, "each")...)
	got, err := newWorker(data, definitions(t), &byID{decide: byWord}).ConvertLog(t.Context(), name)
	if err != nil || len(got.Filtered) != maxReasons+1 || got.Filtered[schema.Other] != 7 {
		t.Errorf("%d reasons, %d others, %v", len(got.Filtered), got.Filtered[schema.Other], err)
	}
}

// TestFilterEnds: a filter that a cancelled context interrupts has not failed.
func TestFilterEnds(t *testing.T) {
	data := ingesttest.DataWith(t, submissions(10, "keep")...)
	ctx, cancel := context.WithCancel(t.Context())
	filter := &byID{decide: func(string) (decide.Decision, error) {
		cancel()
		return decide.Decision{}, errors.New("interrupted")
	}}
	if _, err := newWorker(data, definitions(t), filter).ConvertLog(ctx, name); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left := rawLogs(t, data); len(left) != 1 || filter.open.Load() != 0 {
		t.Errorf("raw logs %v; %d Deciders are open", left, filter.open.Load())
	}
}
