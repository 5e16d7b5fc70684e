package api

import (
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// ByBackfill is why a run of one day was started.
const ByBackfill = "backfill"

// Range is submission dates, from the first to the last.
type Range struct {
	From schema.Date `json:"from"`
	To   schema.Date `json:"to"`
}

// Backfill runs a script of the folder for each submission date of a range.
type Backfill struct {
	Range
	State   State         `json:"state"`
	Next    schema.Date   `json:"next"` // the day that is made, or is made next
	Run     string        `json:"run,omitempty"`
	Failed  []schema.Date `json:"failed_days,omitempty"` // their results stay as they were
	Error   string        `json:"error,omitempty"`
	Created time.Time     `json:"created"`
	Ended   time.Time     `json:"ended,omitzero"`
}

// Change says how the result of a day differs from that before.
type Change string

// The changes.
const (
	ChangeNew     Change = "new"     // there was none before
	ChangeSame    Change = "same"    // byte for byte
	ChangeChanged Change = "changed" // Added and Removed count the lines, if they are few
)

// Day is the result of a script for one submission date: that of a run.
type Day struct {
	Date     schema.Date `json:"date"`
	Run      string      `json:"run"`                // its results are the day's
	Previous string      `json:"previous,omitempty"` // the run before, while it is kept
	Change   Change      `json:"change"`
	Added    int         `json:"lines_added"` // of text; 0 if the results are too long to be compared line by line
	Removed  int         `json:"lines_removed"`
	Made     time.Time   `json:"made"`
}

// Backfilled is the last backfill of a script, and all its days, the oldest first.
type Backfilled struct {
	Backfill *Backfill `json:"backfill,omitempty"`
	Days     []Day     `json:"days"`
}
