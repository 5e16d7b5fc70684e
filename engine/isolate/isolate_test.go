package isolate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// childVariable makes the test binary a child.
const childVariable = "ISOLATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	server := isolate.NewServer(os.Stdin, os.Stdout, os.NewFile(3, "status"))
	if err := server.Serve(doTask); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// doTask runs a task of echo in a child.
func doTask(t isolate.Task, in io.Reader, out io.Writer) isolate.Status {
	o := engine.DefaultOptions()
	o.MaxErrors = -1
	var stats engine.TaskStats
	var err error
	if t.Kind == "map" {
		stats, err = engine.MapStream(context.Background(), echo{}, t.MapTask(), in, out, o)
	} else {
		sink := engine.NewEncodeRows(out)
		stats, err = engine.ReduceStream(context.Background(), echo{}, t.Shard, in, sink, o)
		err = errors.Join(err, sink.Close())
	}

	status := isolate.Status{TaskStats: stats}
	if err != nil {
		status.Error, _ = json.Marshal(err.Error())
	}
	return status
}

// echo is a job that writes each document ID with its texts, in the order of the input.
// Some texts misbehave.
type echo struct{}

func (echo) OneShard(context.Context) (bool, error) { return false, nil }
func (echo) Remote() bool                           { return false }

func (echo) NewMapper(_ context.Context, _ engine.Task, emit engine.Emit) (engine.Mapper, error) {
	return &echoMapper{emit: emit}, nil
}

func (echo) NewReducer(_ context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	return echoReducer{out}, out.Line([]byte("# begin"))
}

type echoMapper struct {
	emit    engine.Emit
	effects bool
}

func (m *echoMapper) Map(record *engine.Record, _ int64) error {
	line, err := record.Line()
	if err != nil {
		return err
	}
	id, text, _ := bytes.Cut(line, []byte("\t"))
	switch string(text) {
	case "reject":
		return &engine.RejectError{Err: errors.New("rejected on purpose")}
	case "fail":
		return errors.New("failed on purpose")
	case "memory":
		fmt.Fprintln(os.Stderr, "fatal error: runtime: out of memory")
		os.Exit(2)
	case "sleep":
		time.Sleep(time.Minute)
	case "effect":
		m.effects = true
	}
	return m.emit(datum.AppendString(nil, id), datum.AppendString(nil, text))
}

func (m *echoMapper) Finish() (engine.TaskStats, error)                  { return engine.TaskStats{}, nil }
func (m *echoMapper) Combines() bool                                     { return false }
func (m *echoMapper) Combine([]byte, *engine.Values, func([]byte)) error { return nil }
func (m *echoMapper) Effects() bool                                      { return m.effects }
func (m *echoMapper) Lookups() string                                    { return "" }
func (m *echoMapper) Close()                                             {}

type echoReducer struct{ out *engine.Output }

func (r echoReducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (r echoReducer) Close()                            {}

func (r echoReducer) Reduce(key []byte, values *engine.Values) error {
	for {
		v, err := values.Next()
		if err != nil || v == nil {
			return err
		}
		if err := r.out.Row(key, v); err != nil {
			return err
		}
	}
}

// newJob returns a job whose children are this test binary.
func newJob(t *testing.T) *isolate.Job {
	job := &isolate.Job{
		Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = []string{childVariable + "=1"}
			return cmd
		},
		Decode: func(text json.RawMessage) error { return errors.New(string(text)) },
		Stderr: t.Output(),
	}
	t.Cleanup(job.Close)
	return job
}

// TestJob: a job whose tasks run in children passes the tests of any other, with the
// same rows.
func TestJob(t *testing.T) {
	src := memory.Source{enginetest.Lines("a", "x\tone", "y\ttwo", "x\tthree"), enginetest.Lines("b", "x\tfour")}
	want := enginetest.TestJob(t, src, echo{})
	if got := enginetest.TestJob(t, src, newJob(t)); got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func run(t *testing.T, job *isolate.Job, o engine.Options, lines ...string) (string, engine.Stats, error) {
	t.Helper()
	src := memory.Source{enginetest.Lines("a", lines...)}
	plan, err := engine.NewPlan(t.Context(), src, schema.All(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows bytes.Buffer
	sink := format.NewTSV(&rows)
	stats, err := engine.Run(t.Context(), src, plan, job, sink, o)
	sink.Close()
	return rows.String(), stats, err
}

// TestCounts: what a child counts arrives.
func TestCounts(t *testing.T) {
	o := engine.DefaultOptions()
	o.MaxErrors = 1
	rows, stats, err := run(t, newJob(t), o, "x\treject", "y\teffect")
	if err != nil || rows != "# begin\ny\teffect\n" {
		t.Errorf("rows %q, %v", rows, err)
	}
	if stats.Records != 2 || stats.Rejected != 1 || stats.Emitted != 1 || !stats.Effects {
		t.Errorf("%+v", stats)
	}
}

// TestChildrenEnd: the error says why a child ended, and the next task has a fresh one.
func TestChildrenEnd(t *testing.T) {
	job := newJob(t)
	job.TaskTime = 2 * time.Second
	for text, want := range map[string]error{"memory": isolate.ErrMemory, "sleep": isolate.ErrKilled} {
		if _, _, err := run(t, job, engine.DefaultOptions(), "x\t"+text); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	if _, _, err := run(t, job, engine.DefaultOptions(), "x\tfail"); err == nil || !strings.Contains(err.Error(), "failed on purpose") {
		t.Errorf("fail: %v", err)
	}
	if rows, _, err := run(t, job, engine.DefaultOptions(), "x\tfine"); err != nil || rows != "# begin\nx\tfine\n" {
		t.Errorf("rows %q, %v", rows, err)
	}
}
