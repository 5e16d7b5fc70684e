package measures

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// BenchmarkQuery is one interaction of the explorer over a month of a store of any number of
// pings: what counts is in how many cells they are, here 400 partitions of five systems a day.
func BenchmarkQuery(b *testing.B) {
	def, err := revisions.NewDefinition("H", revisions.Exponential, 1, 10_000, 50)
	if err != nil {
		b.Fatal(err)
	}

	store := &Store{data: layouttest.Open(b), days: map[string]*Day{}, log: slog.New(slog.DiscardHandler), now: time.Now}
	for n := range 30 {
		date := fmt.Sprintf("202601%02d", n+1)
		build := &dayBuild{partitions: map[schema.Dims]int{}, measures: map[string]*measure{}, vote: vote}
		for partition := range 400 {
			dims := layouttest.Channel([]string{"nightly", "beta", "release", "esr"}[partition%4])
			dims[schema.Version] = fmt.Sprint(partition / 4 % 10)
			dims[schema.BuildID] = fmt.Sprint(partition)
			dims[schema.SubmissionDate] = date
			build.enter(dims)
			for _, system := range []string{"Linux", "Darwin", "Windows", "Android", "iOS"} {
				build.os = system
				counts := make([]float64, 50)
				for i := range counts {
					counts[i] = float64((partition + i*n) % 1000)
				}
				build.add(&value{measure: "H", kind: "histogram", process: "parent", bucketing: "exponential 1 to 10000", bounds: def.Bounds(), counts: counts, hasSum: true, sum: 1})
			}
		}
		day := &Day{Date: date, Partitions: build.list}
		if err := build.write(store.data.Root(), day); err != nil {
			b.Fatal(err)
		}
		store.days[date] = day
	}

	for _, by := range []string{"date", "version", "build"} {
		b.Run("by="+by, func(b *testing.B) {
			for b.Loop() {
				result, err := store.Query(Query{Measure: "H", By: by, Across: "channel"})
				if err != nil || len(result.Groups) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
