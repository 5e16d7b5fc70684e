package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// eventTick is how often a supervised job sends its progress.
const eventTick = 250 * time.Millisecond

// supervisor is the server that runs this job: it reads events, and closes stdin when the
// job has to end. The methods of a nil supervisor do nothing.
type supervisor struct{ events *json.Encoder }

// openSupervisor returns the supervisor of --supervised, and a context that ends with stdin.
func openSupervisor(ctx context.Context, stdin io.Reader) (*supervisor, context.Context) {
	ctx, cancel := context.WithCancel(ctx)

	// The server that started this process closes stdin when the job has to end.
	go func() {
		io.Copy(io.Discard, stdin)
		cancel()
	}()

	return &supervisor{json.NewEncoder(os.NewFile(statusFile, "events"))}, ctx
}

// send tells an event. A supervisor that does not read has ended.
func (s *supervisor) send(event api.Event) {
	if s != nil {
		s.events.Encode(event)
	}
}

// input sends what the job reads.
func (s *supervisor) input(plan *engine.Plan) {
	if s == nil {
		return
	}

	// The sum identifies the input: the same segments have the same sum.
	hash := sha256.New()
	for _, segment := range plan.Inputs() {
		fmt.Fprintf(hash, "%q %d\n", segment.Path, segment.Size)
	}
	s.send(api.Event{Input: &api.Input{Segments: plan.Segments, Bytes: plan.Bytes, Sum: hex.EncodeToString(hash.Sum(nil))}})
}

// follow sends the progress at each eventTick until stop is called, and then once more.
func (s *supervisor) follow(p *engine.Progress, bytes int64) (stop func()) {
	if s == nil {
		return func() {}
	}

	show := func() {
		s.send(api.Event{Progress: &api.Progress{
			Tasks: p.Tasks.Load(), TasksDone: p.TasksDone.Load(),
			Bytes: bytes, BytesDone: p.BytesDone.Load(), Records: p.Records.Load(),
			Shards: p.Shards.Load(), Reduced: p.Reduced.Load(),
		}})
	}
	return every(eventTick, show, show)
}

// done sends what the job did.
func (s *supervisor) done(stats engine.Stats, rows int64, counters map[string]int64) {
	s.send(api.Event{Stats: &api.Stats{
		Records: stats.Records, Rejected: stats.Rejected, Failed: stats.Failed,
		Rows: rows, Cached: stats.Cached, Counters: counters,
	}})
}
