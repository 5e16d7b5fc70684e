package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/aitgithub/telemetry-server/engine"
)

const (
	barTick   = 100 * time.Millisecond
	plainTick = 5 * time.Second
)

// show reports progress to stderr until the returned function is called.
func (a *around) show(p *engine.Progress) (stop func()) {
	how := a.c.Progress
	if how == "auto" && !isTerminal(a.st.Stderr) {
		how = "none"
	}
	if how == "none" || a.plan.Bytes == 0 {
		return func() {}
	}
	tick, report, finish := plainTick, func() {
		fmt.Fprintf(a.st.Stderr, "tmrun: %s\n", a.line(p, a.st.Now().Sub(a.start)))
	}, func() {}
	if how == "auto" {
		bar := progressbar.NewOptions64(a.plan.Bytes,
			progressbar.OptionSetWriter(a.st.Stderr), progressbar.OptionSetDescription("map"),
			progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
		tick = barTick
		report = func() {
			bar.Describe(a.phase(p))
			_ = bar.Set64(min(p.BytesDone.Load(), a.plan.Bytes-1)) // at the whole the bar would end
		}
		finish = func() { _ = bar.Finish() }
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-done:
				finish()
				return
			case <-t.C:
				report()
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

func (a *around) phase(p *engine.Progress) string {
	if n := p.Shards.Load(); n > 0 {
		return fmt.Sprintf("reduce %d/%d", p.Reduced.Load(), n)
	}
	return fmt.Sprintf("map %d/%d", p.TasksDone.Load(), p.Tasks.Load())
}

// line is the progress as text. The time left is judged by compressed bytes, as
// if those to come took as long as those that are done.
func (a *around) line(p *engine.Progress, took time.Duration) string {
	done := p.BytesDone.Load()
	text := fmt.Sprintf("%s: %.0f%% of %s, %d records, %.0f s", a.phase(p),
		100*float64(done)/float64(max(a.plan.Bytes, 1)), bytesText(a.plan.Bytes), p.Records.Load(), took.Seconds())
	if done > 0 && done < a.plan.Bytes {
		left := time.Duration(float64(took) * float64(a.plan.Bytes-done) / float64(done))
		text += fmt.Sprintf(", about %.0f s left", left.Seconds())
	}
	return text
}
