package worker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// TestImportAgainDoublesNothing imports the same raw log again and again, with filters
// that change, and replays the quarantine and compacts in between: no submission is ever
// stored twice, and in the end all are published.
func TestImportAgainDoublesNothing(t *testing.T) {
	const submissionCount, steps = 8, 12
	seeds := uint64(16)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 17))
		data := ingesttest.DataWith(t, submissions(submissionCount, "id")...)
		if seed%2 == 0 {
			data.DropRepeats(3)
		}
		text := takeRawLog(t, data)

		// A filter decides about an ID by a table.
		var decisions [submissionCount]decide.Decision
		filter := &byID{decide: func(id string) (decide.Decision, error) {
			var number int
			if _, err := fmt.Sscanf(id, "id-%d", &number); err != nil {
				return decide.Decision{}, err
			}
			return decisions[number], nil
		}}
		importIt := func() { importText(t, newWorker(data, definitions(t), filter), text) }
		replay := func() {
			conversion := decide.NewConversion(definitions(t), convert.DefaultOptions(), filter)
			for _, dryRun := range []bool{true, false} {
				if _, err := quarantine.Replay(t.Context(), data, conversion, "", dryRun); err != nil {
					t.Fatal(err)
				}
			}
		}
		compact := func() {
			options := upkeep.CompactOptions{Filter: layouttest.Everything(), Now: time.Now(), Columns: random.IntN(2) == 0}
			if _, err := upkeep.In(data).Compact(t.Context(), options); err != nil {
				t.Fatal(err)
			}
			if _, err := statistics.Merge(t.Context(), data); err != nil {
				t.Fatal(err)
			}
		}

		// The replay and the import of another file, so that merged segments hold both.
		other := ingesttest.DataWith(t, submissions(2, "other")...)
		otherText := takeRawLog(t, other)
		aside := &byID{decide: func(string) (decide.Decision, error) {
			return decide.Decision{Action: decide.Quarantine, Reason: "x"}, nil
		}}

		var history []string
		for range steps {
			for i := range decisions {
				decisions[i] = [...]decide.Decision{{}, {}, {Action: decide.Quarantine, Reason: "x"}, {Action: decide.Drop, Reason: "x"}}[random.IntN(4)]
			}

			step := random.IntN(4)
			history = append(history, [...]string{"import", "replay", "compact", "import another"}[step])
			switch step {
			case 0:
				importIt()
			case 1:
				// The other file's submissions are not in the filter's table.
				conversion := decide.NewConversion(definitions(t), convert.DefaultOptions(), &byID{decide: func(id string) (decide.Decision, error) {
					if strings.HasPrefix(id, "other") {
						kept := decisions[0]
						if kept.Action == decide.Drop {
							kept = decide.Decision{}
						}
						return kept, nil
					}
					return filter.decide(id)
				}})
				if _, err := quarantine.Replay(t.Context(), data, conversion, "", false); err != nil {
					t.Fatal(err)
				}
			case 2:
				compact()
			case 3:
				importText(t, newWorker(data, definitions(t), aside), otherText)
			}

			// A filter drops nothing of the other file.
			stored := countStored(t, data)
			for id, n := range stored {
				if n > 1 {
					t.Fatalf("seed %d: after %v, %s is stored %d times", seed, history, id, n)
				}
			}
			if n := stored["other-0"] + stored["other-1"]; slices.Contains(history, "import another") && n != 2 {
				t.Fatalf("seed %d: after %v, %d submissions of the other file are stored", seed, history, n)
			}
		}

		// What is dropped comes back with the file, the rest out of the quarantine.
		decisions = [submissionCount]decide.Decision{}
		filter.decide = func(string) (decide.Decision, error) { return decide.Decision{}, nil }
		importIt()
		replay()
		importIt()
		records := 0
		for _, line := range ingesttest.Lines(t, data, schema.All()) {
			if strings.Contains(line, "\tid-") {
				records++
			}
		}
		if records != submissionCount {
			t.Fatalf("seed %d: in the end %d records after %v", seed, records, history)
		}
	}
}

// countStored counts, by document ID, what is published or quarantined.
func countStored(t *testing.T, data *layout.Data) map[string]int {
	t.Helper()
	counts := map[string]int{}
	segments, err := data.Tree().Segments(t.Context(), layouttest.Everything())
	if err != nil {
		t.Fatal(err)
	}
	for _, segment := range segments {
		text, err := layouttest.ReadSegment(data.Tree(), segment)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			id, _, _ := strings.Cut(line, "\t")
			counts[id]++
		}
	}
	return counts
}
