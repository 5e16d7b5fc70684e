package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
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

// TestForgetWithin: what a server does by itself about deletion requests: nothing for some
// days, so that many share one rewriting, and then in time.
func TestForgetWithin(t *testing.T) {
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	w, err := data.NewWriter("log", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := schema.Dims{"r", "a", "c", "1", "b", "20130910"}
	if err := w.Add(p, []byte("id"), []byte(`{"clientId":"`+askingClient+`"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, _ := forget.ParseID([]byte(askingClient))
	asked := time.Date(2013, 9, 10, 12, 0, 0, 0, time.UTC)
	if err := data.Forget(t.Context(), "test", forget.Request{ID: id, Time: asked}); err != nil {
		t.Fatal(err)
	}
	forgotten, err := data.Forgotten(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	// A run every hour, as the default is. The partition is one that still grows: of today.
	c := &idleCompaction{data: data, every: time.Hour, within: 7 * 24 * time.Hour, log: slog.New(slog.DiscardHandler)}
	gone := time.Duration(-1)
	for age := time.Duration(0); age <= c.within; age += 6 * time.Hour {
		if err := c.forget(t.Context(), forgotten, asked.Add(age)); err != nil {
			t.Fatal(err)
		}
		left, err := upkeep.Here(data).Left(t.Context(), forgotten)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 && gone < 0 {
			gone = age
		}
	}
	if gone < 2*24*time.Hour || gone > c.within {
		t.Errorf("nothing was left after %v", gone)
	}
}
