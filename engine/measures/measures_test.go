package measures

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// publish publishes pings of a channel.
func publish(t *testing.T, data *layout.Data, source, channel string, pings ...string) {
	t.Helper()
	writer, err := data.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, ping := range pings {
		if err := writer.Add(layouttest.Channel(channel), fmt.Appendf(nil, "%s-%d", source, i), []byte(ping)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, data *layout.Data) *Store {
	t.Helper()
	store, err := Open(data, nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// update makes all days, also those that would rest.
func update(t *testing.T, store *Store) {
	t.Helper()
	store.mu.Lock()
	clear(store.notUntil)
	store.mu.Unlock()
	if err := store.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, store *Store, q Query) *Result {
	t.Helper()
	result, err := store.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// histogram is a ping with one histogram of three buckets, and a scalar.
func histogram(client, os string, counts ...int) string {
	values := map[string]int{}
	total := 0
	for i, count := range counts {
		values[fmt.Sprint([]int{0, 1, 10}[i])] = count
		total += count * i
	}
	text, _ := json.Marshal(values)
	return fmt.Sprintf(`{"clientId":%q,"environment":{"system":{"os":{"name":%q}}},"payload":{"histograms":{"H":{"range":[1,10],"bucket_count":3,"histogram_type":1,"sum":%d,"values":%s}},"processes":{"parent":{"scalars":{"s.n":%d,"s.t":"text"}},"content":{"keyedHistograms":{"K":{"a":{"range":[1,10],"bucket_count":3,"histogram_type":1,"sum":0,"values":{"0":1}}}}}}}}`, client, os, total, text, total)
}

func TestClientsWeighTheSame(t *testing.T) {
	data := layouttest.Open(t)
	publish(t, data, "log1", "nightly",
		histogram("a", "Linux", 100, 0, 0), histogram("a", "Linux", 0, 100, 0), // one client, two pings
		histogram("b", "Linux", 0, 0, 1))
	store := open(t, data)
	update(t, store)

	got := query(t, store, Query{Measure: "H", By: "date", Where: map[string][]string{"os": {"Linux"}}})
	if len(got.Groups) != 1 {
		t.Fatalf("%d groups, want 1: %+v", len(got.Groups), got.Groups)
	}
	sum := got.Groups[0]
	if !slices.Equal(sum.Counts, []float64{100, 100, 1}) || sum.Pings != 3 {
		t.Errorf("by ping: %v of %d pings, want 100, 100, 1 of 3", sum.Counts, sum.Pings)
	}
	if !slices.Equal(sum.Shares, []float64{0.5, 0.5, 1}) || sum.Clients != 2 {
		t.Errorf("by client: %v of %v clients, want 0.5, 0.5, 1 of 2", sum.Shares, sum.Clients)
	}
	if bounds := got.Bounds[sum.Bucketing]; !slices.Equal(bounds, []int{0, 1, 10}) {
		t.Errorf("bounds of %s: %v", sum.Bucketing, bounds)
	}

	// Every field is a choice, and narrows.
	if none := query(t, store, Query{Measure: "H", Where: map[string][]string{"os": {"Darwin"}}}); len(none.Groups) != 0 || len(none.Choices["os"]) != 1 {
		t.Errorf("of another system: %+v", none)
	}
	keyed := query(t, store, Query{Measure: "K", By: "key", Across: "process"})
	if len(keyed.Groups) != 1 || keyed.Groups[0].By != "a" || keyed.Groups[0].Across != "content" {
		t.Errorf("keyed: %+v", keyed.Groups)
	}
	if _, err := store.Query(Query{By: "colour"}); err == nil {
		t.Error("no error for a field that does not exist")
	}
}

// The same records give the same sums in rows and columns, in one part and in many, and from
// the file as from memory.
func TestFormsAgree(t *testing.T) {
	data := layouttest.Open(t)
	for i := range 20 {
		channel := []string{"nightly", "beta"}[i%2]
		publish(t, data, fmt.Sprint("log", i), channel, histogram(fmt.Sprint(i%7), "Linux", i, 2, 3), histogram("c", "Darwin", 1, i, 0))
	}
	store := open(t, data)
	update(t, store)
	names := []string{"H", "K", "s.n", "s.t"}
	answers := func(store *Store) (all string) {
		for _, name := range names {
			for _, by := range Fields {
				text, err := json.Marshal(query(t, store, Query{Measure: name, By: by, Across: "channel"}))
				if err != nil {
					t.Fatal(err)
				}
				all += string(text) + "\n"
			}
		}
		return all
	}
	want := answers(store)

	if got := answers(open(t, data)); got != want {
		t.Errorf("from the file: %s\nwant %s", got, want)
	}

	for _, columns := range []bool{false, true} {
		_, err := upkeep.In(data).Compact(t.Context(), upkeep.CompactOptions{Filter: schema.All(), Now: time.Now(), Columns: columns})
		if err != nil {
			t.Fatal(err)
		}
		if days, _ := store.Contents(); days[0].Missing != 0 {
			t.Errorf("%+v: a compaction is no news until the days are listed", days)
		}
		update(t, store)
		if got := answers(store); got != want {
			t.Errorf("compacted, columns %v: %s\nwant %s", columns, got, want)
		}
	}
}

func TestStaleDays(t *testing.T) {
	data := layouttest.Open(t)
	store := open(t, data)
	update(t, store)
	if days, names := store.Contents(); len(days)+len(names) != 0 {
		t.Errorf("of nothing: %v %v", days, names)
	}

	publish(t, data, "log1", "nightly", histogram("a", "Linux", 1, 0, 0))
	if _, err := store.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	if days, _ := store.Contents(); len(days) != 1 || days[0].Missing != 1 || !days[0].Made.IsZero() {
		t.Errorf("before it is made: %+v", days)
	}
	update(t, store)
	publish(t, data, "log2", "nightly", histogram("b", "Linux", 1, 0, 0))
	update(t, store)
	days, names := store.Contents()
	if len(days) != 1 || days[0].Records != 2 || days[0].Missing != 0 || len(names) != 4 || names[0].Pings != 2 {
		t.Errorf("made: %+v %+v", days, names)
	}

	// A damaged file is made again.
	name := filepath.Join(data.Dir(), Dir, days[0].Date)
	if err := os.WriteFile(name, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	store = open(t, data)
	if days, _ := store.Contents(); len(days) != 0 {
		t.Errorf("damaged: %+v", days)
	}
	update(t, store)
	if got := query(t, store, Query{Measure: "H"}); len(got.Groups) != 1 || got.Groups[0].Pings != 2 {
		t.Errorf("made again: %+v", got)
	}

	// A day whose records are gone is gone.
	if err := os.RemoveAll(filepath.Join(data.Dir(), layout.PublishedDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(data.Dir(), layout.PublishedDir), 0o755); err != nil {
		t.Fatal(err)
	}
	update(t, store)
	if days, _ := store.Contents(); len(days) != 0 {
		t.Errorf("gone: %+v", days)
	}
	if _, err := data.Root().Stat(path.Join(Dir, days[0].Date)); err == nil {
		t.Error("its file stays")
	}
}

// Pings that clients of today have sent: every type of their metrics is known, and every
// value can be counted.
func TestValues(t *testing.T) {
	files, err := filepath.Glob("../../ingest/convert/testdata/clients/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pings: %v", err)
	}
	kinds := map[string]int{}
	b := &dayBuild{partitions: map[schema.Dims]int{}, measures: map[string]*measure{}}
	b.enter(schema.Dims{})
	reader := newPingReader(nil, func(v *value) {
		kinds[v.kind]++
		b.add(v)
	})

	for _, name := range files {
		packed, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		packed.Close()

		var ping struct {
			Metrics map[string]json.RawMessage `json:"metrics"`
		}
		if err := json.Unmarshal(text, &ping); err != nil {
			t.Fatal(err)
		}
		for kind := range ping.Metrics {
			if _, known := gleanTypes[kind]; !known {
				t.Errorf("%s: metrics of type %s are not known", name, kind)
			}
		}
		text = bytes.TrimSpace(text)
		reader.read(t.Context(), text, identify(text))
	}

	for _, kind := range []string{"histogram", "scalar", "counter", "boolean", "string", "timing_distribution", "memory_distribution", "custom_distribution", "timespan"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s: %v", kind, slices.Sorted(maps.Keys(kinds)))
		}
	}
	for name, m := range b.measures {
		for _, cell := range m.cells {
			if len(cell.Counts) != len(cell.Bounds)+len(cell.Labels) || len(cell.Shares) != len(cell.Counts) {
				t.Errorf("%s: %d counts, %d bounds, %d labels", name, len(cell.Counts), len(cell.Bounds), len(cell.Labels))
			}
		}
	}
}

// What a ping has must not end the process, whatever it is.
func TestHostilePings(t *testing.T) {
	reader := newPingReader(nil, func(v *value) {})
	for _, text := range []string{
		`{}`, `{"histograms":[]}`, `{"histograms":{"a":[]}}`, `{"histograms":{"a":[1,2,3]}}`, `{"histograms":{"a":["x",1,2,3,4,5,6]}}`, `{"histograms":{"a":{}}}`,
		`{"payload":1}`, `{"payload":{"histograms":7,"processes":{"a":[]}}}`, `{"metrics":{"counter":[1]}}`, `{"metrics":{"timing_distribution":{"a":{"values":[]}}}}`,
		`{"metrics":{"timing_distribution":{"a":{"values":{"-5":1,"99999999999999999999":2,"x":3}}}}}`, `{"metrics":{"counter":{"a":-1,"b":1e300,"c":null}}}`,
		`{"payload":{"histograms":{"a":{"range":[1],"bucket_count":1e9,"histogram_type":0,"values":{"0":1}}}}}`,
		`{"payload":{"histograms":{"a":{"range":[1,2147483647],"bucket_count":10000,"histogram_type":0,"values":{"0":-1}}}}}`,
		`{"clientId":7,"environment":[],"info":{"OS":{}}}`,
	} {
		ping := []byte(text)
		reader.read(t.Context(), ping, identify(ping))
	}
}
