package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
)

// report is what people see of a running job: its progress, its summary, and the
// profile of its script.
type report struct {
	s       *session
	how     string // as --progress: auto, plain or none
	start   time.Time
	dropped int64  // rows that --limit has left out
	stop    func() // ends progress and profile; idempotent
}

// startReport starts progress, and a profile in the file of that name, "" for none. The caller calls stop.
func (c *runCmd) startReport(s *session, profile string) (*report, error) {
	r := &report{s: s, how: c.Progress, start: s.st.Now()}

	stopProfile, err := s.startProfile(profile)
	if err != nil {
		return nil, err
	}

	// The progress stops before the summary, and after a failure.
	s.engine.Progress = &engine.Progress{}
	stopProgress := r.showProgress(s.engine.Progress)
	stopEvents := c.supervisor.follow(s.engine.Progress, s.plan.Bytes)
	r.stop = sync.OnceFunc(func() {
		stopProgress()
		stopEvents()
		if err := stopProfile(); err != nil {
			s.st.Log.Error("write profile", "err", err)
		}
	})
	return r, nil
}

// summary ends the progress and prints what the job did.
func (r *report) summary(stats engine.Stats) {
	r.stop()
	if r.how == "none" {
		return
	}

	stderr := r.s.st.Stderr

	// The parts of the line that are not always there are "" otherwise.
	seconds := r.s.st.Now().Sub(r.start).Seconds()
	bytesPerSecond := int64(float64(stats.RawBytes) / max(seconds, 1e-3))
	sample := ""
	if r.s.sampled != nil {
		sample = fmt.Sprintf(" (%d in the sample)", r.s.sampled.Mapped())
	}

	failed := ""
	if stats.Failed > 0 {
		failed = counted(int(stats.Failed), "other call") + " failed, "
	}

	fmt.Fprintf(stderr, "tmrun: %s%d records%s of %d segments, %s (%s compressed) in %.2f s, %s/s; "+
		"%d rows written, %d records rejected, %s%s spilled, peak memory %s\n",
		r.s.title, stats.Records, sample, r.s.plan.Segments, bytesText(stats.RawBytes), bytesText(r.s.plan.Bytes), seconds, bytesText(bytesPerSecond),
		stats.Rows-r.dropped, stats.Rejected, failed, bytesText(stats.Spilled), bytesText(peakMemory()))

	if forgotten := r.s.forgotten(); forgotten > 0 {
		fmt.Fprintf(stderr, "tmrun: records of %s are left out, as asked for by deletion requests\n", counted(forgotten, "client"))
	}
	if stats.Cached > 0 {
		fmt.Fprintf(stderr, "tmrun: the results of %d of %d map tasks were in the cache (--no-cache maps again)\n", stats.Cached, stats.Tasks)
	}

	// A field that records lack is easily taken for one that is 0.
	if stats.Undefined > 0 || stats.UndefinedRows > 0 {
		fmt.Fprintf(stderr, "tmrun: undefined, a field that a record lacks: in %d of %d pairs that map wrote, in %d of %d rows\n",
			stats.Undefined, stats.Emitted, stats.UndefinedRows, stats.Rows)
	}

	r.missingFields(stats)

	// What the script counted, by name.
	counts := r.s.job.Counters.All()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(stderr, "tmrun: counter %s: %d\n", name, counts[name])
	}
}

// maxMissing bounds the fields that the summary names.
const maxMissing = 10

// missingFields names the fields that the script has read and no record had: the name is
// probably mistyped. Of the results that come from the cache that is not known.
func (r *report) missingFields(stats engine.Stats) {
	missing := r.s.job.Fields.Missing()
	if stats.Cached > 0 || len(missing) == 0 {
		return
	}

	// Only the first few are named, so that the summary stays short.
	more := len(missing) - maxMissing
	for _, field := range missing[:min(len(missing), maxMissing)] {
		hint := ""
		if field.Near != "" {
			hint = "; did you mean " + field.Near + "?"
		}
		fmt.Fprintf(r.s.st.Stderr, "tmrun: no record has ping.%s, which the script reads%s\n", field.Path, hint)
	}
	if more > 0 {
		fmt.Fprintf(r.s.st.Stderr, "tmrun: and %d other fields\n", more)
	}
}

// bytesText is a number of bytes for people, in decimal units as in MB/s.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}

	value := float64(n)
	units := []string{"B", "kB", "MB", "GB", "TB"}
	for value >= 999.5 && len(units) > 1 {
		value /= 1000
		units = units[1:]
	}
	return fmt.Sprintf("%.3g %s", value, units[0])
}

// peakMemory returns the largest resident size of the process so far, in bytes.
func peakMemory() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" { // macOS counts bytes, other systems KiB
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
