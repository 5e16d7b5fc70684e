package convert

import (
	"errors"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// The classes of bad submissions, by the predecessor's names where it had them, and
// those of the operator's filter, which are good ones otherwise. They are folders
// under invalid/, metric labels, and what `tmserver invalid` selects by.
const (
	ClassCorrupt         = "corrupted_data"        // does not unpack
	ClassEmpty           = "empty_data"            // no body
	ClassPath            = "invalid_path"          // neither ID nor ID and five dimensions
	ClassControlChar     = "invalid_control_char"  // a control character in a JSON string
	ClassBadPayload      = "bad_payload"           // a histogram with bad buckets
	ClassMissingRevision = "missing_revision"      // histograms without info.revision
	ClassRevisionRepo    = "missing_revision_repo" // a revision URL without repository
	ClassConversion      = "conversion_error"      // everything else
	ClassFilter          = "ingest_filter"         // the operator's filter says so
	ClassFilterError     = "ingest_filter_error"   // the operator's filter failed on it
)

// Rejection is the error for a submission that cannot be converted: bad data, which
// is counted and kept, not a failure of ours.
type Rejection struct {
	Class   string // one of the Class constants
	Message string // a sentence, the predecessor's where it had one
}

func (r *Rejection) Error() string { return r.Class + ": " + r.Message }

// Outage is the error for a submission whose histogram definitions cannot be had
// now. It is not bad, and has to wait.
type Outage struct {
	URL string // of the revision
	Err error  // of Definitions
}

func (o *Outage) Error() string { return o.reason() + ": " + o.Err.Error() }
func (o *Outage) Unwrap() error { return o.Err }

// reason is the predecessor's message, which did not tell an outage from a
// revision that does not exist.
func (o *Outage) reason() string { return "Failed to fetch histograms for URL: " + o.URL }

// Rejection returns the outage as a refusal, for callers that cannot wait.
func (o *Outage) Rejection() *Rejection { return &Rejection{ClassConversion, o.reason()} }

func reject(class, message string) error { return &Rejection{Class: class, Message: message} }

// badConversion is a Rejection with a message that most often means ClassConversion.
func badConversion(message string) error {
	switch message {
	case "Missing in payload: info.revision":
		return reject(ClassMissingRevision, message)
	case "Invalid revision URL: /rev/":
		return reject(ClassRevisionRepo, message)
	}
	return reject(ClassConversion, message)
}

// badJSON is the Rejection for text that is not JSON.
func badJSON(err error) error {
	if e, ok := errors.AsType[*jsonscan.SyntaxError](err); ok && e.Reason == jsonscan.ControlCharacter {
		return reject(ClassControlChar, "JSONDecodeError: "+err.Error())
	}
	return reject(ClassConversion, "JSONDecodeError: "+err.Error())
}
