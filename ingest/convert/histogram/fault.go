package histogram

import "fmt"

// Fault is what is wrong with a histogram.
type Fault int

// The faults of an Error.
const (
	NotObject       Fault = iota // the histogram is no JSON object
	NoValues                     // it has no values
	ValuesNotObject              // its values are no JSON object
	BadDefinition                // its definition cannot be used
	CountNotInteger              // the count of a bucket is no integer, or too large
	CountNegative                // the count of a bucket is negative
	UnknownBucket                // the definition has no such bucket
	SumNotNumber                 // a sum is neither a number nor null
	NumFaults
)

// Error is the error for a histogram that makes its ping unusable.
type Error struct {
	Fault     Fault
	Histogram string // its name
	// Place is the bucket's key for CountNotInteger, CountNegative and UnknownBucket,
	// and the sum's name for SumNotNumber.
	Place string
	// Value is the JSON text of the bad count or sum.
	Value []byte
	// Definition is what is wrong with the definition, for BadDefinition.
	Definition error
}

func (e *Error) Error() string {
	return fmt.Sprintf("histogram %s: fault %d at %q", e.Histogram, e.Fault, e.Place)
}

func (e *Error) Unwrap() error { return e.Definition }
