package dedup

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"go.etcd.io/bbolt"
)

// testRoot returns an empty folder.
func testRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { root.Close() })
	return root
}

// testRepeats returns an index of so many days in the folder.
func testRepeats(root *os.Root, days int) *Repeats {
	return NewRepeats(root, "seen.bolt", days, slog.New(slog.DiscardHandler))
}

// TestRepeatsInUse opens the index twice, as two processes would.
func TestRepeatsInUse(t *testing.T) {
	root := testRoot(t)
	first, err := testRepeats(root, 3).Recorder("log.1")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()

	second := testRepeats(root, 3)
	second.wait = 10 * time.Millisecond
	_, err = second.Recorder("log.2")
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("seen.bolt: process %d has it", os.Getpid())) {
		t.Errorf("Recorder: %v, want an error that names file and process", err)
	}
}

// TestRepeatsTakeTurns: a process with two Recorders open at all times, as a server with a
// backlog has, lets another one have the index.
func TestRepeatsTakeTurns(t *testing.T) {
	root := testRoot(t)
	busy := testRepeats(root, 3)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for worker := range 2 {
		open, err := busy.Recorder(fmt.Sprintf("log.%d.0", worker))
		if err != nil {
			t.Fatal(err)
		}
		workers.Go(func() {
			// The next one is opened before this one is closed, but by the other worker.
			for n := 1; ; n++ {
				time.Sleep(time.Duration(1+worker) * time.Millisecond)
				open.Close()
				select {
				case <-stop:
					return
				default:
				}
				if open, err = busy.Recorder(fmt.Sprintf("log.%d.%d", worker, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}

	for n := range 3 {
		other, err := testRepeats(root, 3).Recorder(fmt.Sprintf("elsewhere.%d", n))
		if err != nil {
			t.Error(err)
			break
		}
		other.Close()
	}
	close(stop)
	workers.Wait()
}

// TestRecord follows the submissions of several raw logs through the index.
func TestRecord(t *testing.T) {
	index := testRepeats(testRoot(t), 3)
	day := func(n int) time.Time { return time.Date(2013, 9, n, 23, 0, 0, 0, time.UTC) }

	for i, tt := range []struct {
		rawLog string
		day    int
		body   string
		undo   bool
		want   bool // repeated
	}{
		{rawLog: "log.1", day: 10, body: "1"},
		{rawLog: "log.1.finished", day: 10, body: "1"}, // the same raw log
		{rawLog: "log.2", day: 13, body: "1", want: true},
		{rawLog: "log.2", day: 14, body: "1"}, // received four days ago
		{rawLog: "log.3", day: 14, body: "2", undo: true},
		{rawLog: "log.4", day: 14, body: "2"},
		{rawLog: "log.3", day: 14, body: "2", want: true}, // log.4 has it now
	} {
		recorder, err := index.Recorder(tt.rawLog)
		if err != nil {
			t.Fatal(err)
		}

		got, err := recorder.Repeated([]byte("id"), []byte(tt.body), day(tt.day))
		if err == nil {
			err = recorder.Record()
		}
		if err == nil && tt.undo {
			err = recorder.Undo()
		}
		if err != nil || got != tt.want {
			t.Errorf("step %d: repeated %v, %v; want %v", i, got, err, tt.want)
		}
		recorder.Close()
	}
}

// receipt is one submission of a raw log in the tests of orders.
type receipt struct {
	body string
	day  int
}

// september returns a time on the n-th day from 1 September 2013 on, which is the 0th.
func september(n int) time.Time { return time.Date(2013, 9, 1+n, 5, 0, 0, 0, time.UTC) }

// convertLog looks up all receipts of a raw log, records them, and returns those that
// are not repeated. While is called before they are recorded.
func convertLog(t *testing.T, index *Repeats, rawLog string, receipts []receipt, while func()) (stored []receipt) {
	t.Helper()
	recorder, err := index.Recorder(rawLog)
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()

	for _, r := range receipts {
		repeated, err := recorder.Repeated([]byte("id"), []byte(r.body), september(r.day))
		if err != nil {
			t.Fatal(err)
		}
		if !repeated {
			stored = append(stored, r)
		}
	}

	while()
	if err := recorder.Record(); err != nil {
		t.Fatal(err)
	}
	return stored
}

// TestOrderOfRawLogsDoesNotMatter spreads receipts over raw logs, converts these in a
// random order, some while another one is not recorded yet and some a second time, and
// requires that of receipts within the window exactly one is stored.
func TestOrderOfRawLogsDoesNotMatter(t *testing.T) {
	const windowDays, logCount = 3, 6
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 46))
		logs := make([][]receipt, logCount)
		var received []receipt
		for range 60 {
			r := receipt{body: fmt.Sprint(random.IntN(12)), day: random.IntN(30)}
			if random.IntN(10) == 0 {
				r.day += 400 // one log makes all others old
			}
			received = append(received, r)
			log := random.IntN(logCount)
			logs[log] = append(logs[log], r)
		}

		index := testRepeats(testRoot(t), windowDays)
		var stored []receipt
		storedOf := make([][]receipt, logCount)
		convert := func(log int, while func()) {
			storedOf[log] = convertLog(t, index, fmt.Sprint("log.", log), logs[log], while)
			stored = append(stored, storedOf[log]...)
		}

		order := random.Perm(logCount)
		nothing := func() {}
		for i := 0; i < logCount; i += 2 {
			if random.IntN(2) == 0 {
				convert(order[i], func() { convert(order[i+1], nothing) })
			} else {
				convert(order[i], nothing)
				convert(order[i+1], nothing)
			}
		}

		checkOnce(t, seed, received, stored, windowDays)

		// After a crash, a raw log that was recorded stores the same again.
		again := convertLog(t, index, fmt.Sprint("log.", order[0], ".finished"), logs[order[0]], nothing)
		if first := storedOf[order[0]]; !slices.Equal(again, first) {
			t.Errorf("seed %d: stored again %v, first %v", seed, again, first)
		}
	}
}

// checkOnce requires that no two of stored are repeats of each other, and that all of
// received are stored or repeats of what is.
func checkOnce(t *testing.T, seed uint64, received, stored []receipt, windowDays int) {
	t.Helper()
	repeats := func(a, b receipt) bool {
		return a.body == b.body && a.day-b.day <= windowDays && b.day-a.day <= windowDays
	}

	for i, a := range stored {
		for _, b := range stored[:i] {
			if repeats(a, b) {
				t.Errorf("seed %d: %v and %v are both stored", seed, a, b)
			}
		}
	}

	for _, r := range received {
		found := false
		for _, s := range stored {
			found = found || repeats(r, s)
		}
		if !found {
			t.Errorf("seed %d: %v is lost", seed, r)
		}
	}
}

// TestExpire looks up an old submission after newer days came, and after some time
// in which nothing was added to its day.
func TestExpire(t *testing.T) {
	for _, tt := range []struct {
		laterDays int // when its day is looked at next
		want      bool
	}{{0, true}, {idleDays, true}, {idleDays + 1, false}} {
		now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		index := testRepeats(testRoot(t), 3)
		index.now = func() time.Time { return now }
		convertLog(t, index, "log.1", []receipt{{body: "1", day: 0}}, func() {})

		for day := range tt.laterDays {
			now = now.AddDate(0, 0, 1)
			convertLog(t, index, fmt.Sprint("log.2.", day), []receipt{{body: fmt.Sprint("2 ", day), day: 1000}}, func() {})
		}
		stored := convertLog(t, index, "log.3", []receipt{{body: "1", day: 1}}, func() {})
		if repeated := len(stored) == 0; repeated != tt.want {
			t.Errorf("%d days later: repeated %v, want %v", tt.laterDays, repeated, tt.want)
		}
	}
}

// TestClockLeaps uses the index while the clock is wrong: it loses nothing.
func TestClockLeaps(t *testing.T) {
	start := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, leap := range []time.Time{start.AddDate(1, 0, 0), start.AddDate(100, 0, 0), start.AddDate(-1, 0, 0), time.Unix(0, 0)} {
		now := start
		index := testRepeats(testRoot(t), 3)
		index.now = func() time.Time { return now }
		received := func(at time.Time, body string) (repeated bool) {
			t.Helper()
			recorder, err := index.Recorder("log." + at.String() + body)
			if err != nil {
				t.Fatal(err)
			}
			defer recorder.Close()
			repeated, err = recorder.Repeated([]byte("id"), []byte(body), at)
			if err == nil {
				err = recorder.Record()
			}
			if err != nil {
				t.Fatal(err)
			}
			return repeated
		}

		received(start, "1")
		now = leap
		for range 3 {
			received(now, "2")
		}
		now = start.Add(time.Hour)
		if !received(now, "1") {
			t.Errorf("the clock said %v for a while: a submission from before is not in the index any more", leap)
		}
	}
}

// TestExpireOfOldVersion removes a day that has no date of its last addition.
func TestExpireOfOldVersion(t *testing.T) {
	index := testRepeats(testRoot(t), 3)
	convertLog(t, index, "log.1", []receipt{{body: "1", day: 0}}, func() {})

	recorder, err := index.Recorder("log.2")
	if err != nil {
		t.Fatal(err)
	}
	err = index.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(schema.DateOf(september(0)))).Delete(lastAddedKey)
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder.Close()

	now := time.Now()
	index.now = func() time.Time { return now }
	for day := range idleDays + 1 {
		now = now.AddDate(0, 0, 1)
		convertLog(t, index, fmt.Sprint("log.3.", day), []receipt{{body: fmt.Sprint("2 ", day), day: 10}}, func() {})
	}
	if stored := convertLog(t, index, "log.4", []receipt{{body: "1", day: 0}}, func() {}); len(stored) != 1 {
		t.Error("the day is still in the index")
	}
}

// TestForget removes what one raw log recorded, in more than one transaction, and nothing
// else.
func TestForget(t *testing.T) {
	index := testRepeats(testRoot(t), 3)
	received := time.Date(2013, 9, 10, 23, 0, 0, 0, time.UTC)
	const n = 2*keysPerTransaction + 5

	record := func(rawLog string, count int) {
		t.Helper()
		recorder, err := index.Recorder(rawLog)
		if err != nil {
			t.Fatal(err)
		}
		defer recorder.Close()
		for i := range count {
			if _, err := recorder.Repeated([]byte(rawLog), fmt.Append(nil, i), received.AddDate(0, 0, i%2)); err != nil {
				t.Fatal(err)
			}
		}
		if err := recorder.Record(); err != nil {
			t.Fatal(err)
		}
	}

	count := func() (entries int) {
		recorder, err := index.Recorder("another")
		if err != nil {
			t.Fatal(err)
		}
		defer recorder.Close()
		index.db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(_ []byte, day *bbolt.Bucket) error {
				entries += day.Stats().KeyN
				return nil
			})
		})
		return entries
	}

	record("stays", 100)
	before := count()
	record("goes", n)
	recorder, err := index.Recorder("goes.finished")
	if err != nil {
		t.Fatal(err)
	}
	if err := recorder.Forget(); err != nil {
		t.Fatal(err)
	}
	recorder.Close()
	if got := count(); got != before {
		t.Errorf("%d entries are left, want %d", got, before)
	}
	if err := Check(index.root, index.name); err != nil {
		t.Error(err)
	}
}

// TestConflicts: another body under the same ID within the window, in the same raw log or
// another one, is no repeat but a conflict.
func TestConflicts(t *testing.T) {
	index := testRepeats(testRoot(t), 3)
	for i, tt := range []struct {
		rawLog string
		days   []int
		bodies []string
		want   int64
	}{
		{"log.1", []int{1, 1, 1}, []string{"a", "b", "a"}, 1},
		{"log.1", []int{1, 1, 1}, []string{"a", "b", "a"}, 1}, // the same raw log again
		{"log.2", []int{2, 3}, []string{"a", "c"}, 1},
		{"log.3", []int{20, 20}, []string{"a", "a"}, 0}, // long after
	} {
		recorder, err := index.Recorder(tt.rawLog)
		if err != nil {
			t.Fatal(err)
		}
		for n, body := range tt.bodies {
			if _, err := recorder.Repeated([]byte("id"), []byte(body), september(tt.days[n])); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := recorder.Repeated([]byte("other"), []byte("x"), september(tt.days[0])); err != nil {
			t.Fatal(err)
		}
		if got := recorder.Conflicts(); got != tt.want {
			t.Errorf("step %d: %d conflicts, want %d", i, got, tt.want)
		}
		if err := recorder.Record(); err != nil {
			t.Fatal(err)
		}
		recorder.Close()
	}
}
