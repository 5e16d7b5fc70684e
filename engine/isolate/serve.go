package isolate

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Task is what a child is to do.
type Task struct {
	Kind    string      `json:"kind"`              // map or reduce
	Segment string      `json:"segment,omitempty"` // of map: what messages call the input
	Dims    schema.Dims `json:"dims,omitzero"`     // of map
	Shard   int         `json:"shard,omitempty"`   // of reduce
	// Parts are the dimensions of a segment's parts; each line then begins with the number
	// of its part (engine.AppendStreamLine). Without any, all lines have Dims.
	Parts []schema.Dims `json:"parts,omitempty"`
}

// MapTask is the engine's task of one that is to be mapped.
func (t Task) MapTask() engine.Task {
	segment := engine.Segment{Segment: layout.Segment{Path: t.Segment, Dims: t.Dims}}
	for _, dims := range t.Parts {
		segment.Parts = append(segment.Parts, layout.Part{Dims: dims})
	}
	return engine.Task{Segment: segment, Hi: -1}
}

// Status is how a task ended, as the child reports it.
type Status struct {
	engine.TaskStats
	Error  json.RawMessage `json:"error,omitempty"`  // of the kind that Job.Decode knows
	Report json.RawMessage `json:"report,omitempty"` // for Job.Report
}

// Server is the child's side. Not safe for concurrent use, but for Report.
type Server struct {
	in     *bufio.Reader
	out    *bufio.Writer
	status io.Writer
}

// NewServer returns the server of a process with these files.
func NewServer(in io.Reader, out, status io.Writer) *Server {
	return &Server{in: bufio.NewReaderSize(in, 2*chunkBytes), out: bufio.NewWriterSize(out, 2*chunkBytes), status: status}
}

// maxTaskBytes bounds the chunk with a Task.
const maxTaskBytes = 1 << 20

// Serve does tasks until there are no more, or one fails: the child must end then.
func (s *Server) Serve(do func(task Task, in io.Reader, out io.Writer) Status) error {
	for {
		task, err := s.task()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read task: %w", err)
		}

		out := &chunkWriter{w: s.out}
		status := do(task, &chunkReader{r: s.in}, out)

		// The result goes first: the parent uses the child again when it has the status.
		if len(status.Error) == 0 {
			if err := errors.Join(out.end(), s.out.Flush()); err != nil {
				return fmt.Errorf("write result: %w", err)
			}
		}

		// After an error there may be input left, so this child does no other task.
		if err := s.Report(status); err != nil || len(status.Error) > 0 {
			return err
		}
		collect()
	}
}

// garbageBytes is how much garbage one task may leave to the next.
const garbageBytes = 32 << 20

// collect frees what the last task has left, so that the next has all the memory.
func collect() {
	// What a script imports is no garbage, and may be large.
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(heap)
	if heap[0].Value.Uint64() > heap[1].Value.Uint64()+garbageBytes {
		runtime.GC()
	}
}

// task reads the chunk with the next task; or returns io.EOF.
func (s *Server) task() (t Task, err error) {
	size, err := binary.ReadUvarint(s.in)
	if err != nil {
		return t, err
	}

	// A longer task is cut, so that it is no JSON: it does not come from our parent.
	text := make([]byte, min(size, maxTaskBytes))
	if _, err := io.ReadFull(s.in, text); err != nil {
		return t, err
	}
	return t, json.Unmarshal(text, &t)
}

// Report says how the task ended. Beside Serve it is for a child that cannot wait
// until the task ends.
func (s *Server) Report(status Status) error {
	return json.NewEncoder(s.status).Encode(status)
}
