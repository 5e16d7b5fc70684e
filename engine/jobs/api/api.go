// Package api is the JSON of jobs that a server runs, as it crosses between tmserver,
// tmrun and browsers. cmd/tmserver/admin/openapi.json describes the same for programs.
package api

import (
	"encoding/json"
	"time"
)

// Request is a job that is to run.
type Request struct {
	// Script is the name of a script in the server's folder. Else Files has the text of a
	// script, and of what it imports, by paths that lead out of no folder; Main is its path.
	Script string            `json:"script,omitempty"`
	Files  map[string]string `json:"files,omitempty"`
	Main   string            `json:"main,omitempty"`

	// Filter is one of Files, or the name of a shipped filter. FilterDocument is a filter
	// as JSON.
	Filter         string          `json:"filter,omitempty"`
	FilterDocument json.RawMessage `json:"filter_document,omitempty"`
	Where          []string        `json:"where,omitempty"`  // as --where of tmrun
	Sample         string          `json:"sample,omitempty"` // as --sample, such as 1%
	SampleClients  string          `json:"sample_clients,omitempty"`
	Format         string          `json:"format,omitempty"` // as --format; "" is jsonl
	Table          string          `json:"table,omitempty"`
	Dedup          string          `json:"dedup,omitempty"`
	MaxErrors      int64           `json:"max_errors,omitempty"`
	Profile        bool            `json:"profile,omitempty"` // sample where the script's time goes
}

// State is how far a run has come.
type State string

// The states. Those from Done on never change again.
const (
	Queued      State = "queued"
	Running     State = "running"
	Done        State = "done"        // there is a result; the exit code may be 3: some input was rejected
	Failed      State = "failed"      // the exit code says how
	Cancelled   State = "cancelled"   // by a person
	Interrupted State = "interrupted" // the server ended meanwhile
)

// Ended reports whether the state never changes again.
func (s State) Ended() bool { return s != Queued && s != Running }

// Why a run was started.
const (
	ByRequest  = "request"
	BySchedule = "schedule"
	ByCatchUp  = "catch-up" // of runs that were missed
	ByLive     = "live"     // records were published
)

// Run is one run of a job, as the server keeps it.
type Run struct {
	ID      string    `json:"id"` // later runs have greater ones
	Name    string    `json:"name"`
	Script  string    `json:"script,omitempty"` // in the server's folder; "": it came with the request
	Cause   string    `json:"cause"`
	State   State     `json:"state"`
	Code    int       `json:"exit_code"`       // of tmrun, when the state is done or failed
	Error   string    `json:"error,omitempty"` // the first line of what went wrong
	Created time.Time `json:"created"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`

	Request  Request  `json:"request"` // without Files
	From     From     `json:"made_from"`
	Progress Progress `json:"progress"`
	Stats    *Stats   `json:"stats,omitempty"`
	Results  []Result `json:"results,omitempty"`
	LogBytes int64    `json:"log_bytes"`
}

// From is what a result was made from.
type From struct {
	ScriptSum string `json:"script_sha256,omitempty"` // of the script with all that it imports
	Input     *Input `json:"input,omitempty"`
	Version   string `json:"version,omitempty"` // of the server
}

// Input is what tmrun has read.
type Input struct {
	Segments int    `json:"segments"`
	Bytes    int64  `json:"bytes"`  // compressed
	Sum      string `json:"sha256"` // of the paths and sizes of the segments, in order
}

// Progress is how much is done.
type Progress struct {
	Tasks     int64 `json:"tasks"`
	TasksDone int64 `json:"tasks_done"`
	Bytes     int64 `json:"bytes"` // compressed
	BytesDone int64 `json:"bytes_done"`
	Records   int64 `json:"records"`
	Shards    int64 `json:"shards"` // 0 until reduce begins
	Reduced   int64 `json:"reduced"`
}

// Stats is what a run did.
type Stats struct {
	Records  int64            `json:"records"`
	Rejected int64            `json:"rejected"`
	Failed   int64            `json:"failed_calls"`
	Rows     int64            `json:"rows"`
	Cached   int              `json:"tasks_cached"`
	Counters map[string]int64 `json:"counters,omitempty"`
}

// Result is a file with rows: of a script with several tables one for each.
type Result struct {
	Name  string `json:"name"` // as the last part of its address
	Bytes int64  `json:"bytes"`
	Sum   string `json:"sha256"`
}

// Event is a line that tmrun --supervised writes. One member is set.
type Event struct {
	Input    *Input    `json:"input,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	Stats    *Stats    `json:"stats,omitempty"`
	Error    string    `json:"error,omitempty"` // why the exit code is not 0
}

// Exports is what a script says of itself.
type Exports struct {
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Schedule    string          `json:"schedule,omitempty"`
	Live        bool            `json:"live,omitempty"`
	Filter      json.RawMessage `json:"filter,omitempty"` // a filter document
	Chart       json.RawMessage `json:"chart,omitempty"`
	Alert       json.RawMessage `json:"alert,omitempty"` // an AlertRule
	Columns     []string        `json:"columns,omitempty"`
	Tables      []string        `json:"tables,omitempty"`
	Sum         string          `json:"script_sha256,omitempty"` // of the script with all that it imports
}

// Described is what tmrun describe prints.
type Described struct {
	Exports
	Imports []string `json:"imports,omitempty"` // paths
	Error   string   `json:"error,omitempty"`   // why the script cannot be described
}

// Script is a script in the server's folder.
type Script struct {
	Name string `json:"name"`
	Exports
	Loaded time.Time `json:"loaded,omitzero"`
	Error  string    `json:"error,omitempty"` // why the file as it is now is not in use
	Failed time.Time `json:"failed,omitzero"`
	Next   time.Time `json:"next_run,omitzero"` // of the schedule
	Last   *Run      `json:"last_run,omitempty"`
	State  *Alert    `json:"alert_state,omitempty"` // of a script that has a rule, or had one
}

// Source is the text of a script of the folder, and of what it imports, as in a Request.
type Source struct {
	Main  string            `json:"main"`
	Files map[string]string `json:"files"`
}

// Profile is where the time of a script went.
type Profile struct {
	Seconds float64 `json:"seconds"` // of the samples, of all processes
	Lines   []Line  `json:"lines"`   // the slowest first
}

// Line is a line of a source, with the time that was spent in it, not in what it called.
type Line struct {
	File    string  `json:"file"` // its last part
	Line    int64   `json:"line"`
	Seconds float64 `json:"seconds"`
}
