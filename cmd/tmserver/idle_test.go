package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestCompactWhenIdle waits for what a server does while no raw log waits: it merges
// past days, does not merge today's partition, and removes what is too old.
func TestCompactWhenIdle(t *testing.T) {
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	for log := range 3 {
		w, err := data.NewWriter(fmt.Sprintf("log.%d", log), layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}

		for _, date := range []string{"20130801", "20130909", "20130910"} {
			p := schema.Dims{"r", "a", "c", "1", "b", date}
			if err := w.Add(p, fmt.Appendf(nil, "id-%d", log), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}

		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	c := &idleCompaction{
		data: data, every: time.Millisecond, keepDays: 30,
		now: func() time.Time { return time.Date(2013, 9, 10, 12, 0, 0, 0, time.UTC) },
		log: slog.New(slog.DiscardHandler),
	}
	go func() {
		defer close(done)
		c.run(ctx)
	}()

	for {
		segs, err := data.Tree().Segments(t.Context(), schema.All())
		if err != nil {
			t.Fatal(err)
		}

		if len(segs) == 4 { // one of the 9th, three of the 10th
			break
		}
		time.Sleep(time.Millisecond)
	}

	stop()
	<-done
}
