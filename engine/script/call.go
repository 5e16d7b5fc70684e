package script

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/layout"
)

// maxCallBytes bounds the values that a Call keeps.
const maxCallBytes = 16 << 20

// Call is a call of map, combine or reduce that failed, with all that it takes
// to make it again. Its JSON is what `tmrun repro` reads.
type Call struct {
	Version int    `json:"version"` // 1
	Script  string `json:"script"`
	Phase   string `json:"phase"` // map, combine or reduce
	Error   string `json:"error"`

	// Of map.
	Segment string      `json:"segment,omitempty"`
	Line    int64       `json:"line,omitempty"` // within the task, from 1
	Dims    layout.Dims `json:"dims,omitzero"`
	ID      string      `json:"id,omitempty"`
	Text    string      `json:"json,omitempty"`
	Base64  string      `json:"json_base64,omitempty"` // in place of Text if that is not UTF-8

	// Of combine and reduce.
	Key  json.RawMessage `json:"key,omitempty"`  // to be read by people
	Data [][]byte        `json:"data,omitempty"` // the key and the values, as package datum encodes them
	Left int             `json:"left,omitempty"` // values beyond maxCallBytes that are not in Data
}

// CallOf returns the call that failed with err, or nil.
func CallOf(err error) *Call {
	if e, ok := errors.AsType[*callError](err); ok {
		return e.call
	}
	return nil
}

// callError is a script's failure with the call that failed.
type callError struct {
	error
	call *Call
}

func (e *callError) Unwrap() error { return e.error }

// keepCall adds to err what was called when it came about, unless it has that.
func keepCall(err error, c *Call) error {
	if _, ok := errors.AsType[*Error](err); !ok || CallOf(err) != nil {
		return err
	}
	c.Version, c.Error = 1, err.Error()
	return &callError{err, c}
}

func (m *mapper) call(id, text []byte, n int64) *Call {
	c := &Call{Script: m.h.script.Name, Phase: "map", Segment: m.task.String(), Line: n, Dims: m.task.Segment.Dims, ID: string(id)}
	if utf8.Valid(text) {
		c.Text = string(text)
	} else {
		c.Base64 = base64.StdEncoding.EncodeToString(text)
	}
	return c
}

// keyCall is a call of combine or reduce.
func keyCall(s *Script, phase string, key []byte, values *engine.Values) *Call {
	c := &Call{Script: s.Name, Phase: phase, Key: datum.AppendJSON(nil, key), Data: [][]byte{append([]byte(nil), key...)}}
	values.Rewind()
	size := 0
	for {
		v, err := values.Next()
		if v == nil || err != nil {
			return c
		}
		if size += len(v); size > maxCallBytes {
			c.Left++
			continue
		}
		c.Data = append(c.Data, append([]byte(nil), v...))
	}
}

// Record returns the line of a map call as it is stored.
func (c *Call) Record() (string, error) {
	text := []byte(c.Text)
	if c.Base64 != "" {
		var err error
		if text, err = base64.StdEncoding.DecodeString(c.Base64); err != nil {
			return "", fmt.Errorf("json_base64: %w", err)
		}
	}
	return c.ID + "\t" + string(text), nil
}

// Replay returns a job that makes the call again, whatever its one record is;
// what the call writes is the job's output.
func (j *Job) Replay(c *Call) (engine.Job, error) {
	if c.Version != 1 {
		return nil, fmt.Errorf("the call has version %d, want 1", c.Version)
	}
	switch c.Phase {
	case "map":
	case "combine", "reduce":
		if len(c.Data) == 0 {
			return nil, errors.New("the call has no data")
		}
		for _, d := range c.Data {
			if _, rest, err := datum.Skip(d); err != nil || len(rest) > 0 {
				return nil, fmt.Errorf("data of the call: %w", datum.ErrMalformed)
			}
		}
	default:
		return nil, fmt.Errorf("calls of %q cannot be replayed", c.Phase)
	}
	return &replay{job: j, call: c}, nil
}

// replay makes one call: of map on the record, of combine or reduce on the
// call's own data.
type replay struct {
	job  *Job
	call *Call
}

func (r *replay) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	m, err := r.job.NewMapper(ctx, t, emit)
	if err != nil {
		return nil, err
	}
	return &replayMapper{Mapper: m, call: r.call, emit: emit}, nil
}

func (r *replay) NewReducer(ctx context.Context, shard int, out *engine.Output) (engine.Reducer, error) {
	if r.call.Phase == "reduce" {
		return r.job.NewReducer(ctx, shard, out)
	}
	return rowWriter{out}, nil
}

type replayMapper struct {
	engine.Mapper
	call *Call
	emit engine.Emit
}

func (m *replayMapper) Map(line []byte, _ int64) error {
	if m.call.Phase == "map" {
		return m.Mapper.Map(line, m.call.Line)
	}
	for _, v := range m.call.Data[1:] {
		if err := m.emit(m.call.Data[0], v); err != nil {
			return err
		}
	}
	return nil
}

func (m *replayMapper) Finish() error  { return nil }
func (m *replayMapper) Combines() bool { return m.call.Phase == "combine" && m.Mapper.Combines() }

// rowWriter writes every value as a row.
type rowWriter struct{ out *engine.Output }

func (rowWriter) Finish() error { return nil }

func (w rowWriter) Reduce(key []byte, values *engine.Values) error {
	for {
		v, err := values.Next()
		if err != nil || v == nil {
			return err
		}
		if err := w.out.Row(key, v); err != nil {
			return err
		}
	}
}

func (w rowWriter) Close() {}
