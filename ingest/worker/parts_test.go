package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// dyingChild is a Child in this process, whose death is a panic of the filter.
type dyingChild struct {
	w      *Worker // without Child
	deaths int
}

func (c *dyingChild) ConvertLog(ctx context.Context, name string) (stats Stats, err error) {
	defer func() {
		if recover() != nil {
			c.deaths++
			stats, err = Stats{}, ErrEnded
		}
	}()
	return c.w.ConvertLog(ctx, name)
}

// poisonFilter is a filter that ends the process for IDs that begin with "poison".
func poisonFilter() *byID {
	return &byID{decide: func(id string) (decide.Decision, error) {
		if strings.HasPrefix(id, "poison") {
			panic("a death")
		}
		return decide.Decision{}, nil
	}}
}

// writeAttempts makes a raw log one that has ended processes.
func writeAttempts(t *testing.T, data *layout.Data, source, text string) {
	t.Helper()
	dir := filepath.Join(data.Dir(), layout.AttemptsDir)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, source), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// convertEverything converts all raw logs, and those that they become, as intake does.
func convertEverything(t *testing.T, w *Worker, data *layout.Data) Stats {
	t.Helper()
	total := newStats()
	for names := rawLogs(t, data); len(names) > 0; names = rawLogs(t, data) {
		stats, err := w.ConvertLog(t.Context(), names[0])
		if err != nil {
			t.Fatal(err)
		}
		total.Add(stats)
	}
	return total
}

// requireOnce checks that each good submission was published once, that each poisonous one
// was quarantined as such, and that nothing is left over.
func requireOnce(t *testing.T, data *layout.Data, good, poisonous int) {
	t.Helper()
	everything := schema.All()
	everything.IncludeQuarantined = true
	seen := map[string]int{}
	for _, line := range ingesttest.Lines(t, data, everything) {
		fields := strings.SplitN(line, "\t", 3)
		seen[fields[1]]++
		isPoison := strings.HasPrefix(fields[1], "poison")
		if isPoison != strings.Contains(fields[2], convert.ClassEndedProcess) {
			t.Errorf("%s became %.200s", fields[1], fields[2])
		}
	}

	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s is stored %d times", id, times)
		}
	}
	if len(seen) != good+poisonous {
		t.Errorf("%d submissions are stored, want %d and %d", len(seen), good, poisonous)
	}
	if left, _ := os.ReadDir(filepath.Join(data.Dir(), layout.AttemptsDir)); len(left) > 0 {
		t.Errorf("left of attempts: %v", left)
	}
}

// TestPoison: whichever submissions end their process, alone or many, the others are
// published once, and each of them ends two processes at most, besides those of the
// halves that are divided.
func TestPoison(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{0, 0.02, 0.3, 1} {
		const n = 60
		var submissions []string
		poisonous := 0
		for i := range n {
			word := "good"
			if random.Float64() < share {
				word = "poison"
				poisonous++
			}
			submissions = append(submissions, fmt.Sprintf("%s%d", word, i), ingesttest.Ping(``))
		}
		data := ingesttest.DataWith(t, submissions...)
		data.DropRepeats(3)
		writeAttempts(t, data, name, "began\nbegan\n")

		child := &dyingChild{w: newWorker(data, definitions(t), poisonFilter())}
		w := New(data, child.w.o)
		w.o.Child = child
		stats := convertEverything(t, w, data)

		requireOnce(t, data, n-poisonous, poisonous)
		if child.deaths != 2*poisonous {
			t.Errorf("%d of %d are poisonous: %d deaths", poisonous, n, child.deaths)
		}
		if stats.Submissions != n || stats.Divided < n || stats.Records != int64(n-poisonous) {
			t.Errorf("%+v", stats)
		}
	}
}

// TestDeathsOfNoSubmission: where it is not known which submission ended the process, as
// where it ended in the commit, parts are halved, and no submission is quarantined.
func TestDeathsOfNoSubmission(t *testing.T) {
	data := ingesttest.DataWith(t, submissions(5, "good")...)
	w := newWorker(data, definitions(t), nil)
	writeAttempts(t, data, name, "began\nbegan\n")
	for halved := 0; halved < 3; halved++ {
		if _, err := w.ConvertLog(t.Context(), rawLogs(t, data)[0]); err != nil {
			t.Fatal(err)
		}
		writeAttempts(t, data, rawLogs(t, data)[0], "began\nat 32\ncommit\n")
	}

	// One is alone now, and goes on ending its process.
	writeAttempts(t, data, rawLogs(t, data)[0], "began\nat 32\ncommit\nbegan\nbegan\n")
	convertEverything(t, w, data)
	requireOnce(t, data, 5, 0)
}

// TestAttempts reads what is left of attempts.
func TestAttempts(t *testing.T) {
	for text, want := range map[string]attempts{
		"":                                    {0, -1},
		"began\n":                             {1, -1},
		"began\nbegan\n":                      {2, -1},
		"began\nat 32\nat 57\n":               {1, 57},
		"began\nat 32\nat 5":                  {1, 32},
		"began\nat 32\ncommit\n":              {1, -1},
		"began\nat 32\nbegan\nat 57\nended\n": {1, 32},
		"began\nat 32\nbegan\n":               {2, -1},
		died(32):                              {1, 32},
	} {
		if got := parseAttempts([]byte(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

// TestAttemptsCountDeathsOnly: a conversion that fails, or is interrupted, is no death.
func TestAttemptsCountDeathsOnly(t *testing.T) {
	data := ingesttest.DataWith(t, goodPath, unavailablePing)
	w := newWorker(data, definitions(t), nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	for _, earlier := range []string{"", "began\n"} {
		if earlier != "" {
			writeAttempts(t, data, name, earlier)
		}
		for range 3 {
			if _, err := w.ConvertLog(t.Context(), name); err == nil {
				t.Error("converted without definitions")
			}
			if _, err := w.ConvertLog(ended, name); !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted: %v", err)
			}
		}

		found, err := w.attempts(name)
		if err != nil || found.deaths != strings.Count(earlier, "began") {
			t.Errorf("after %q: %+v, %v", earlier, found, err)
		}
	}
}

// TestRepeatsOfParts: a process that ended between recording its submissions and the commit
// makes none of them a repeat for the parts.
func TestRepeatsOfParts(t *testing.T) {
	list := submissions(5, "good")
	data := ingesttest.DataWith(t, append(list, list...)...) // each twice
	data.DropRepeats(3)
	before, err := os.ReadFile(filepath.Join(data.Dir(), layout.RawDir, name))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(data, definitions(t), nil)
	if stats, err := w.ConvertLog(t.Context(), name); err != nil || stats.Records != 5 {
		t.Fatalf("%+v, %v", stats, err)
	}

	// A copy of what was published comes back.
	if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), before, 0o666); err != nil {
		t.Fatal(err)
	}
	writeAttempts(t, data, name, "began\nbegan\n")
	if stats := convertEverything(t, w, data); stats.Records != 0 || stats.Repeated != 10 {
		t.Errorf("%+v", stats)
	}
	requireOnce(t, data, 5, 0)

	// What the commit did is undone, but for the index.
	for _, dir := range []string{layout.PublishedDir, statistics.Dir} {
		if err := os.RemoveAll(filepath.Join(data.Dir(), dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), before, 0o666); err != nil {
		t.Fatal(err)
	}
	writeAttempts(t, data, name, "began\nbegan\n")
	if stats := convertEverything(t, w, data); stats.Records != 5 || stats.Repeated != 5 {
		t.Errorf("%+v", stats)
	}
	requireOnce(t, data, 5, 0)
}

// TestPartNames: names of parts, of their parts and of what waits of them are different,
// and those of raw logs.
func TestPartNames(t *testing.T) {
	const source = "telemetry.log.v3.a.host.17.1391385600000.finished"
	first := partName(source, 0)
	if want := "telemetry.log.v4.a.host.17.part000000000-1.1391385600000.finished"; first != want {
		t.Errorf("%s, want %s", first, want)
	}

	seen := map[string]bool{source: true}
	for _, name := range []string{
		first, partName(source, 7), partName(first, 0), partName(first, 5), partName(partName(source, 7), 0),
		partName(partName(first, 5), 0), waitingName(first), partName(waitingName(first), 0),
		partName(partName(waitingName(first), 0), 0), waitingName(waitingName(first)), partName("import.0123", 0),
	} {
		if seen[name] || !IsPart(name) {
			t.Errorf("%s: seen %v, part %v", name, seen[name], IsPart(name))
		}
		seen[name] = true
	}
	for _, name := range []string{source, waitingName(source), "import.0123", "", ".part", "telemetry.log.v3.part1.2.3"} {
		if IsPart(name) {
			t.Errorf("%q is a part", name)
		}
	}
}

// TestImportPoison: an imported file that ended the process becomes parts, once.
func TestImportPoison(t *testing.T) {
	data := ingesttest.DataWith(t, "good1", ingesttest.Ping(``), "poison2", ingesttest.Ping(``), "good3", ingesttest.Ping(``))
	text := takeRawLog(t, data)
	child := &dyingChild{w: newWorker(data, definitions(t), poisonFilter())}
	w := New(data, child.w.o)
	w.o.Child = child

	source, err := contentSource(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	writeAttempts(t, data, source, "began\nbegan\n")
	stats := importText(t, w, text)
	if err := w.ConvertParts(t.Context(), &stats); err != nil {
		t.Fatal(err)
	}
	if stats.Records != 2 || stats.Quarantined[convert.ClassEndedProcess] != 1 || stats.Submissions != 3 {
		t.Errorf("%+v", stats)
	}
	if again := importText(t, w, text); again.Repeated != 3 || again.Records != 0 || len(again.Parts) != 0 {
		t.Errorf("imported again: %+v", again)
	}
	requireOnce(t, data, 2, 1)
}

// TestDivisionIsBounded: parts have a bounded number of submissions and of bytes.
func TestDivisionIsBounded(t *testing.T) {
	large := strings.Repeat("x", maxPartBytes/3)
	for _, tt := range []struct {
		name  string
		n     int
		body  string
		parts int
	}{
		{"tiny ones", maxPartSubmissions + 1, "{}", 2},
		{"large ones", 7, large, 3},
		{"as large as a part", 2, large + large + large, 2},
	} {
		var submissions []string
		for i := range tt.n {
			submissions = append(submissions, fmt.Sprint("id", i), tt.body)
		}
		data := ingesttest.DataWith(t, submissions...)
		writeAttempts(t, data, name, "began\nbegan\n")
		stats, err := newWorker(data, definitions(t), nil).ConvertLog(t.Context(), name)
		if err != nil || len(stats.Parts) != tt.parts || stats.Divided != int64(tt.n) || len(rawLogs(t, data)) != tt.parts {
			t.Errorf("%s: %d parts, want %d, %v", tt.name, len(stats.Parts), tt.parts, err)
		}
	}
}
