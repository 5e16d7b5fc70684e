package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// byID is a Filter that decides by the document ID; open counts its deciders.
type byID struct {
	decide func(id string) error
	open   atomic.Int32
}

func (f *byID) Decider(context.Context) (func(p schema.Dims, id, doc []byte) error, func()) {
	f.open.Add(1)
	return func(p schema.Dims, id, doc []byte) error {
		if !json.Valid(doc) || !strings.HasPrefix(p.String(), "idle_daily/Firefox/release/23.0.1/2013/201309") {
			return fmt.Errorf("odd record in %v: %s", p, doc)
		}
		return f.decide(string(id))
	}, func() { f.open.Add(-1) }
}

// byWord decides by how an ID begins.
func byWord(id string) error {
	switch word, _, _ := strings.Cut(id, "-"); word {
	case "drop":
		return &Filtered{"test\nmachine"}
	case "each":
		return &Filtered{id}
	case "aside":
		return &convert.Reject{Class: convert.ClassFilter, Message: "odd " + id}
	case "throw":
		return errors.New("ingest.js:1:1: ingest: TypeError")
	case "slow":
		return fmt.Errorf("%w: 1s", ErrFilterLimit)
	}
	return nil
}

// submissions returns n of each of the words, as dataWith takes them.
func submissions(n int, words ...string) (list []string) {
	for i := range n {
		for _, w := range words {
			list = append(list, fmt.Sprintf("%s-%d", w, i), ingesttest.Ping(``))
		}
	}
	return list
}

func TestFilter(t *testing.T) {
	data, name := dataWith(t, append(submissions(3, "keep", "drop", "aside", "throw", "slow"), "bad", "{")...)
	f := &byID{decide: byWord}
	st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText), Filter: f})
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid := map[string]int64{convert.ClassConversion: 1, convert.ClassFilter: 3, convert.ClassFilterError: 6}
	if st.Submissions != 16 || st.Records != 3 || st.FilteredOut() != 3 || st.Filtered["test machine"] != 3 || !maps.Equal(st.Invalid, wantInvalid) {
		t.Errorf("%+v", st)
	}
	if f.open.Load() != 0 {
		t.Errorf("%d deciders were not freed", f.open.Load())
	}
	for _, line := range linesIn(t, data, schema.All()) {
		if !strings.Contains(line, "\tkeep-") {
			t.Errorf("published: %s", line)
		}
	}
	var doc StatsDoc
	b, err := data.Root().ReadFile(path.Join(StatsDir, name+".json"))
	if err := errors.Join(err, json.Unmarshal(b, &doc)); err != nil || doc.Filtered["test machine"] != 3 {
		t.Errorf("statistics %s, %v", b, err)
	}

	// What the filter refused is replayed with a filter, or when asked for.
	replay := func(f Filter, class string) Replayed {
		t.Helper()
		n, err := Replay(t.Context(), data, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText), Filter: f}, class, false)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := replay(nil, ""); n.Tried != 1 || n.Records != 0 {
		t.Errorf("without a filter: %+v", n)
	}
	if n := replay(f, ""); n.Tried != 10 || n.Records != 0 || !maps.Equal(n.Invalid, wantInvalid) {
		t.Errorf("with the same filter: %+v", n)
	}
	mended := &byID{decide: func(id string) error {
		if strings.HasPrefix(id, "slow") {
			return &Filtered{"slow"}
		}
		return nil
	}}
	if n := replay(mended, convert.ClassFilterError); n.Tried != 6 || n.Records != 3 || n.Filtered["slow"] != 3 || len(n.Invalid) != 0 {
		t.Errorf("with the mended filter: %+v", n)
	}
	if n := replay(nil, convert.ClassFilter); n.Tried != 3 || n.Records != 3 {
		t.Errorf("without a filter, asked for: %+v", n)
	}
	if got := linesIn(t, data, schema.All()); len(got) != 9 {
		t.Errorf("in the end %d records", len(got))
	}
}

// TestSlowFilter: a filter that always takes too long stops the conversion, and
// costs nothing else.
func TestSlowFilter(t *testing.T) {
	data, name := dataWith(t, submissions(maxFilterLimits, "slow", "drop", "keep")...)
	f := &byID{decide: byWord}
	o := Options{Converter: withDefinitions(t, ingesttest.DefinitionsText), Filter: f}
	for range 2 {
		if _, err := ConvertLog(t.Context(), data, name, o); !errors.Is(err, ErrFilterLimit) {
			t.Errorf("%v", err)
		}
	}
	if f.open.Load() != 0 {
		t.Errorf("%d deciders were not freed", f.open.Load())
	}
	f.decide = func(id string) error { return nil }
	if st, err := ConvertLog(t.Context(), data, name, o); err != nil || st.Records != 3*maxFilterLimits {
		t.Errorf("with the mended filter: %+v, %v", st, err)
	}
}

func TestFilterReasonsAreBounded(t *testing.T) {
	data, name := dataWith(t, submissions(maxFilterReasons+7, "each")...)
	st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText), Filter: &byID{decide: byWord}})
	if err != nil || len(st.Filtered) != maxFilterReasons+1 || st.Filtered[schema.Other] != 7 {
		t.Errorf("%d reasons, %d others, %v", len(st.Filtered), st.Filtered[schema.Other], err)
	}
	for text, want := range map[string]string{"a\x00\tb\n": "a  b ", strings.Repeat("é", 150): strings.Repeat("é", 100), "xé" + strings.Repeat("y", 300): "xé" + strings.Repeat("y", 197), "\xff": ""} {
		if got := plain(text, maxReasonBytes); got != want {
			t.Errorf("%.20q became %q", text, got)
		}
	}
}

// TestFilterEnds: an ended context is no fault of the filter's.
func TestFilterEnds(t *testing.T) {
	data, name := dataWith(t, submissions(10, "keep")...)
	ctx, cancel := context.WithCancel(t.Context())
	f := &byID{decide: func(string) error { cancel(); return errors.New("interrupted") }}
	if _, err := ConvertLog(ctx, data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText), Filter: f}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path.Join(data.Dir(), layout.RawDir, name)); err != nil || f.open.Load() != 0 {
		t.Errorf("the raw log: %v; %d deciders left", err, f.open.Load())
	}
}

// TestConvertedAgain: what is converted again under the same source, with another
// outcome, takes the place of what was published before.
func TestConvertedAgain(t *testing.T) {
	data, name := dataWith(t, submissions(5, "keep", "other")...)
	text, err := data.Root().ReadFile(path.Join(layout.RawDir, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name              string
		says              func(id string) error
		records, filtered int
		quarantined       int64
	}{
		{"all", func(string) error { return nil }, 10, 0, 0},
		{"all again", func(string) error { return nil }, 10, 0, 0},
		{"none", func(string) error { return &Filtered{"x"} }, 0, 10, 0},
		{"aside", func(string) error { return &convert.Reject{Class: convert.ClassFilter, Message: "x"} }, 0, 0, 10},
		{"some", func(id string) error {
			if strings.HasPrefix(id, "other") {
				return &convert.Reject{Class: convert.ClassFilter, Message: "y"}
			}
			return nil
		}, 5, 0, 5},
		{"all in the end", func(string) error { return nil }, 10, 0, 0},
	} {
		r := rawlog.NewReader(bytes.NewReader(text), rawlog.Version)
		o := Options{Converter: withDefinitions(t, ingesttest.DefinitionsText), Filter: &byID{decide: step.says}}
		if _, err := ConvertFrames(t.Context(), data, "import.x", r, o); err != nil {
			t.Fatal(err)
		}
		filtered := 0
		for doc, err := range ReadStats(data.Root().FS()) {
			if err != nil {
				t.Fatal(err)
			}
			filtered += int(doc.Filtered["x"])
		}
		segs, err := Quarantine(t.Context(), data.Tree(), "")
		if err != nil {
			t.Fatal(err)
		}
		quarantined := int64(0)
		for _, s := range segs {
			info, err := data.Tree().Info(s)
			if err != nil {
				t.Fatal(err)
			}
			quarantined += info.Records
		}
		if got := len(linesIn(t, data, schema.All())); got != step.records || filtered != step.filtered || quarantined != step.quarantined {
			t.Errorf("%s: %d records, %d filtered, %d quarantined", step.name, got, filtered, quarantined)
		}
	}
}
