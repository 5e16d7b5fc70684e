package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/engine"
)

// How often progress is printed: the bar on a terminal, and lines.
const (
	barTick   = 100 * time.Millisecond
	plainTick = 5 * time.Second
)

// showProgress prints progress on stderr until stop is called.
func (r *report) showProgress(p *engine.Progress) (stop func()) {
	how := r.how
	if how == "auto" && !isTerminal(r.s.st.Stderr) {
		how = "none"
	}
	if how == "none" || r.s.plan.Bytes == 0 {
		return func() {}
	}

	// A bar on a terminal, else a line now and then.
	if how == "auto" {
		show, finish := r.bar(p)
		return every(barTick, show, finish)
	}

	show := func() { fmt.Fprintf(r.s.st.Stderr, "tmrun: %s\n", r.line(p, r.s.st.Now().Sub(r.start))) }
	return every(plainTick, show, func() {})
}

// bar returns the functions that draw a progress bar, and that remove it.
func (r *report) bar(p *engine.Progress) (show, finish func()) {
	total := r.s.plan.Bytes
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(r.s.st.Stderr),
		progressbar.OptionSetDescription("map"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish())

	show = func() {
		bar.Describe(r.s.title + phaseText(p))
		_ = bar.Set64(min(p.BytesDone.Load(), total-1)) // at the total the bar would end before reduce
	}
	return show, func() { _ = bar.Finish() }
}

// every calls do at each tick until stop is called, which waits for its end and
// for that of finish.
func every(tick time.Duration, do, finish func()) (stop func()) {
	done := make(chan struct{})

	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				finish()
				return
			case <-ticker.C:
				do()
			}
		}
	})

	return func() {
		close(done)
		wg.Wait()
	}
}

// phaseText says which tasks are done, of how many.
func phaseText(p *engine.Progress) string {
	if shards := p.Shards.Load(); shards > 0 {
		return fmt.Sprintf("reduce %d/%d", p.Reduced.Load(), shards)
	}
	return fmt.Sprintf("map %d/%d", p.TasksDone.Load(), p.Tasks.Load())
}

// line is the progress as text. Its time left assumes that the remaining
// compressed bytes take as long as those that are done.
func (r *report) line(p *engine.Progress, took time.Duration) string {
	// Compressed bytes are known of every segment; records are not.
	done := p.BytesDone.Load()
	total := r.s.plan.Bytes

	text := fmt.Sprintf("%s%s: %.0f%% of %s, %d records, %.0f s", r.s.title, phaseText(p),
		100*float64(done)/float64(max(total, 1)), bytesText(total), p.Records.Load(), took.Seconds())

	// A guess needs some bytes done, and some left.
	if done > 0 && done < total {
		left := time.Duration(float64(took) * float64(total-done) / float64(done))
		text += fmt.Sprintf(", about %.0f s left", left.Seconds())
	}
	return text
}

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
