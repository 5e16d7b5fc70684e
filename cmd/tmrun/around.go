package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// aroundFlags are for what happens around a job; none changes what it writes,
// but --sample.
type aroundFlags struct {
	Sample   percent `default:"100" placeholder:"PCT" help:"Map only this share of the records, such as 1%: always the same ones, chosen by document ID."`
	Explain  bool    `help:"Say what the job would read and how long it might take, and do no more than a few tasks."`
	Progress string  `enum:"auto,plain,none" default:"auto" placeholder:"HOW" help:"auto: a bar if standard error is a terminal; plain: a line every five seconds; none: no summary either."`
	Profile  string  `predictor:"file" placeholder:"FILE" help:"Write a profile of the script by line, for go tool pprof."`
}

// percent is a flag value: 1% or 1 is a hundredth.
type percent float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *percent) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "%"), 64)
	if err != nil || !(f > 0 && f <= 100) {
		return fmt.Errorf("share %q: want a percentage above 0 and up to 100", text)
	}
	*p = percent(f)
	return nil
}

// around is what accompanies a running job.
type around struct {
	c      *runCmd
	st     *cli.State
	plan   *engine.Plan
	script *script.Job
	job    engine.Job // the script here or in other processes, or a sample of it
	start  time.Time
	end    func() // idempotent; ends progress and profile
}

// begin starts profile and progress. around.end must be called.
func (c *runCmd) begin(st *cli.State, plan *engine.Plan, job *script.Job, inner engine.Job, o *engine.Options) (*around, error) {
	a := &around{c: c, st: st, plan: plan, script: job, job: inner, start: st.Now()}
	if c.Sample < 100 {
		a.job = engine.Sample(inner, float64(c.Sample)/100)
	}
	stopProfile, err := c.startProfile(job.Script)
	if err != nil {
		return nil, err
	}
	o.Progress = &engine.Progress{}
	o.Rejected = c.failed.add
	stopProgress := a.show(o.Progress)
	a.end = sync.OnceFunc(func() {
		stopProgress()
		if err := stopProfile(); err != nil {
			st.Log.Error("write profile", "err", err)
		}
	})
	return a, nil
}

func (c *runCmd) startProfile(s *script.Script) (stop func() error, err error) {
	if c.Profile == "" {
		return func() error { return nil }, nil
	}
	f, err := openOutput(c.Profile, io.Discard)
	if err != nil {
		return nil, err
	}
	stopScript, err := s.StartProfile(f)
	if err != nil {
		f.discard()
		return nil, err
	}
	return func() error {
		defer f.discard()
		if err := stopScript(); err != nil {
			return err
		}
		return f.commit()
	}, nil
}

// summary prints what the job did.
func (a *around) summary(s engine.Stats) {
	a.end()
	if a.c.Progress == "none" {
		return
	}
	took := a.st.Now().Sub(a.start).Seconds()
	sample := ""
	if sampled, ok := a.job.(*engine.Sampled); ok {
		sample = fmt.Sprintf(" (%d in the sample)", sampled.Mapped())
	}
	failed := ""
	if s.Failed > 0 {
		failed = counted(int(s.Failed), "other call") + " failed, "
	}
	fmt.Fprintf(a.st.Stderr, "tmrun: %d records%s of %d segments, %s (%s compressed) in %.2f s, %s/s; %d rows written, %d records rejected, %s%s spilled, peak memory %s\n",
		s.Records, sample, a.plan.Segments, bytesText(s.RawBytes), bytesText(a.plan.Bytes), took, bytesText(int64(float64(s.RawBytes)/max(took, 1e-3))),
		s.Rows, s.Rejected, failed, bytesText(s.Spilled), bytesText(peakMemory()))
	if s.Recalled > 0 {
		fmt.Fprintf(a.st.Stderr, "tmrun: %d of %d map tasks were remembered from earlier runs (--no-cache maps again)\n", s.Recalled, s.Tasks)
	}
	counts := a.script.Counters.All()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(a.st.Stderr, "tmrun: counter %s: %d\n", name, counts[name])
	}
}

// bytesText renders a number of bytes in decimal units, as MB/s are.
func bytesText(n int64) string {
	f, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for f >= 999.5 && len(units) > 1 {
		f, units = f/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", f, units[0])
}

// isTerminal says whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
