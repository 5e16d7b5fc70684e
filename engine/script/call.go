package script

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/value"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxCallBytes bounds the values that a Call holds.
const maxCallBytes = 16 << 20

// callVersion is the version of the JSON form of a Call.
const callVersion = 1

// Call is a call of a script's function that failed, with all that making it again
// needs. Its JSON is what `tmrun repro` reads.
type Call struct {
	Version int    `json:"version"` // callVersion
	Script  string `json:"script"`  // of match and ingest: the filter
	Phase   string `json:"phase"`   // match, ingest, map, mapFinished, combine or reduce
	Error   string `json:"error"`

	// Of match, ingest, map and mapFinished.
	Segment string      `json:"segment,omitempty"` // or the part of one: the task
	Line    int64       `json:"line,omitempty"`    // within the task, from 1
	Dims    schema.Dims `json:"dims,omitzero"`
	ID      string      `json:"id,omitempty"`
	Text    string      `json:"json,omitempty"`
	Base64  string      `json:"json_base64,omitempty"` // in place of Text if that is not UTF-8

	// Of mapFinished, which takes the task's records: where they are, and which of
	// them were mapped. Package script leaves this to its caller.
	DataDir string  `json:"data_dir,omitempty"`
	Filter  string  `json:"filter,omitempty"`
	Sample  float64 `json:"sample,omitempty"`         // the share; 0 is all
	Clients int     `json:"sample_clients,omitempty"` // of clients, in percent; 0 is all

	// Of combine and reduce.
	Key  json.RawMessage `json:"key,omitempty"`  // to be read by people
	Data [][]byte        `json:"data,omitempty"` // the key and the values, as package datum encodes them
	Left int             `json:"left,omitempty"` // values beyond maxCallBytes that are not in Data
}

// CallOf returns the call that failed with err, or nil.
func CallOf(err error) *Call {
	if failed, ok := errors.AsType[*callError](err); ok {
		return failed.call
	}
	return nil
}

// callError is a script's failure with the call that failed.
type callError struct {
	error
	call *Call
}

func (e *callError) Unwrap() error { return e.error }

// withCall adds to err the call that failed with it, unless it has one.
func withCall(err error, c *Call) error {
	if _, ok := errors.AsType[*Error](err); !ok || CallOf(err) != nil {
		return err
	}
	c.Version, c.Error = callVersion, err.Error()
	return &callError{err, c}
}

// rejection is the error that the engine gets for a call that failed with err.
func rejection(err error, c *Call) error {
	// A rejected record does not end the job; an error of the runtime does.
	err = withCall(err, c)
	if fatal(err) {
		return err
	}
	return &engine.RejectError{Err: err}
}

// fatal reports whether the runtime cannot be used any more, or the failure is not
// the script's.
func fatal(err error) bool {
	_, interrupted := errors.AsType[*interruption](err)
	_, bug := errors.AsType[*engine.PanicError](err)
	return interrupted || bug || errors.Is(err, value.ErrEngine)
}

// phaseOf returns which function failed with err.
func phaseOf(err error) string {
	failed, _ := errors.AsType[*Error](err)
	return failed.Phase
}

// recordCall is a call of match, ingest or map.
func recordCall(script *Script, phase string, task engine.Task, id []byte, record *engine.Record, line int64) *Call {
	call := &Call{Script: script.Name, Phase: phase, Segment: task.String(), Line: line, Dims: task.DimsOf(record), ID: string(id)}

	// Without its text, which cannot be read, the call is not made again.
	text, err := record.Text()
	if err != nil {
		return call
	}

	// JSON cannot hold text that is not UTF-8.
	if utf8.Valid(text) {
		call.Text = string(text)
	} else {
		call.Base64 = base64.StdEncoding.EncodeToString(text)
	}

	return call
}

// keyCall is a call of combine or reduce.
func keyCall(script *Script, phase string, key []byte, values *engine.Values) *Call {
	call := &Call{Script: script.Name, Phase: phase, Key: datum.AppendJSON(nil, key), Data: [][]byte{bytes.Clone(key)}}

	// The values from the first on: the script has read some of them.
	values.Rewind()
	size := 0
	for {
		value, err := values.Next()
		if value == nil || err != nil {
			return call
		}

		// The first values usually show the mistake; a key may have millions.
		size += len(value)
		if size > maxCallBytes {
			call.Left++
			continue
		}
		call.Data = append(call.Data, bytes.Clone(value))
	}
}

// Record returns the line of a map call as it is stored.
func (c *Call) Record() (string, error) {
	if c.Base64 == "" {
		return c.ID + "\t" + c.Text, nil
	}

	text, err := base64.StdEncoding.DecodeString(c.Base64)
	if err != nil {
		return "", fmt.Errorf("json_base64: %w", err)
	}

	return c.ID + "\t" + string(text), nil
}
