package convert

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/revisions"
)

// The classes of rejected submissions, by the predecessor's names where it had them.
// Those of the operator's filter are for submissions that can be converted. Classes
// are public: they are folders under invalid/, metric labels, and what
// `tmserver invalid` selects by.
const (
	ClassCorrupt         = "corrupted_data"        // does not unpack
	ClassEmpty           = "empty_data"            // no body
	ClassTooLarge        = "too_large"             // longer than its source's limits
	ClassPath            = "invalid_path"          // neither an ID nor an ID and the dimensions
	ClassControlChar     = "invalid_control_char"  // a control character in a JSON string
	ClassBadPayload      = "bad_payload"           // a histogram with bad buckets or sums
	ClassMissingRevision = "missing_revision"      // histograms without info.revision
	ClassRevisionRepo    = "missing_revision_repo" // a revision URL without repository
	ClassEndedProcess    = "ended_process"         // its conversion ended the process, twice
	ClassSchema          = "schema_error"          // not as its JSON Schema wants
	ClassConversion      = "conversion_error"      // everything else
	ClassFilter          = "ingest_filter"         // rejected by the operator's filter
	ClassFilterError     = "ingest_filter_error"   // the operator's filter failed on it
)

// Classes are all of them.
var Classes = []string{
	ClassCorrupt, ClassEmpty, ClassTooLarge, ClassPath, ClassControlChar, ClassBadPayload, ClassMissingRevision,
	ClassRevisionRepo, ClassEndedProcess, ClassSchema, ClassConversion, ClassFilter, ClassFilterError,
}

// Rejection is the error for a submission that cannot be converted: bad data, which
// is counted and quarantined, not a failure of ours.
type Rejection struct {
	Class   string // one of the Class constants
	Message string // a sentence, the predecessor's where it had one
}

func (r *Rejection) Error() string { return r.Class + ": " + r.Message }

// maxMessageBytes bounds a message. Some quote the ping, whose names and values have any
// length.
const maxMessageBytes = 2000

func reject(class, message string) *Rejection {
	if len(message) > maxMessageBytes {
		message = strings.ToValidUTF8(message[:maxMessageBytes], "") + "…"
	}
	return &Rejection{Class: class, Message: message}
}

// tooLarge returns the Rejection for a submission whose body had so many bytes, of
// which so many are stored.
func tooLarge(bodyBytes, storedBytes int) *Rejection {
	message := fmt.Sprintf("ID or body is longer than the source's limit; body of %d bytes", bodyBytes)
	if storedBytes < bodyBytes {
		message += fmt.Sprintf(", of which these are the first %d", storedBytes)
	}
	return reject(ClassTooLarge, message)
}

// EndedProcess returns the Rejection for a submission whose conversion ended the process so
// often.
func EndedProcess(times int) *Rejection {
	return reject(ClassEndedProcess, fmt.Sprintf("its conversion ended the process %d times", times))
}

// foreignCoding returns the Rejection for a body that is not JSON, with a Content-Encoding that
// is not unpacked.
func foreignCoding(named string) *Rejection {
	return reject(ClassCorrupt, fmt.Sprintf("Content-Encoding is %.60q, where gzip, zstd or plain JSON is meant", named))
}

// notJSON returns the Rejection for text that is not JSON; err is of jsonscan.
func notJSON(err error) *Rejection {
	class := ClassConversion
	if e, ok := errors.AsType[*jsonscan.SyntaxError](err); ok && e.Reason == jsonscan.ControlCharacter {
		class = ClassControlChar
	}
	return reject(class, "JSONDecodeError: "+err.Error())
}

// rejectURL returns the Rejection for a revision URL; err is of revisions.ParseURL.
func rejectURL(err error) *Rejection {
	class := ClassConversion
	if e, ok := errors.AsType[*revisions.URLError](err); ok && e.NoRepository() {
		class = ClassRevisionRepo
	}
	return reject(class, err.Error())
}

// faults is the class of each histogram.Fault, and how its message is written.
var faults = [histogram.NumFaults]struct {
	class   string
	message func(e *histogram.Error, url []byte) string
}{
	histogram.NotObject: {ClassConversion, func(e *histogram.Error, _ []byte) string {
		return "Not an object: histograms." + e.Histogram
	}},
	histogram.NoValues: {ClassConversion, func(_ *histogram.Error, url []byte) string {
		return fmt.Sprintf("Bad Histogram key for revision %s: 'values'", url)
	}},
	histogram.ValuesNotObject: {ClassConversion, func(e *histogram.Error, _ []byte) string {
		return "Not an object: histograms." + e.Histogram + ".values"
	}},
	histogram.BadDefinition: {ClassConversion, func(e *histogram.Error, url []byte) string {
		return fmt.Sprintf("Bad Histogram definition for revision %s: %v", url, e.Definition)
	}},
	histogram.CountNotInteger: {ClassBadPayload, func(e *histogram.Error, _ []byte) string {
		return fmt.Sprintf("Found non-integer bucket value: %s.values[%s] = '%s'", e.Histogram, e.Place, python(e.Value))
	}},
	histogram.CountNegative: {ClassBadPayload, func(e *histogram.Error, _ []byte) string {
		return fmt.Sprintf("Found negative bucket value: %s.values[%s] = '%s'", e.Histogram, e.Place, python(e.Value))
	}},
	histogram.UnknownBucket: {ClassBadPayload, func(e *histogram.Error, _ []byte) string {
		return fmt.Sprintf("Found invalid bucket %s.values[%s]", e.Histogram, e.Place)
	}},
	histogram.SumNotNumber: {ClassBadPayload, func(e *histogram.Error, _ []byte) string {
		return fmt.Sprintf("Found non-numeric sum: %s.%s = '%s'", e.Histogram, e.Place, python(e.Value))
	}},
}

// HistogramIn returns the name of the histogram that the message of a ClassBadPayload
// rejection is about; "" if it is about none. It is for quarantined submissions, which
// are stored with the message only, by older releases too. It belongs beside faults,
// which write the messages.
func HistogramIn(message string) string {
	for word := range strings.FieldsSeq(message) {
		name, _, ok := strings.Cut(word, ".values[")
		if ok {
			return name
		}

		for _, sum := range []string{".sum", ".log_sum"} {
			if i := strings.Index(word, sum); i > 0 {
				return word[:i]
			}
		}
	}
	return ""
}

// errTooLongRecord is the *Rejection for a record that grows beyond its limit.
var errTooLongRecord = reject(ClassConversion, fmt.Sprintf("Converted to more than %d bytes", histogram.MaxRecordBytes))

// rejectHistograms returns the Rejection for what a histogram.Rewriter returned, with
// definitions of the revision URL.
func rejectHistograms(err error, url []byte) *Rejection {
	if e, ok := errors.AsType[*histogram.Error](err); ok {
		fault := &faults[e.Fault]
		return reject(fault.class, fault.message(e, url))
	}
	switch err {
	case histogram.ErrNotObject:
		return reject(ClassConversion, "Not an object: histograms")
	case histogram.ErrTooMany:
		return reject(ClassConversion, fmt.Sprintf("More than %d histograms", histogram.MaxHistograms))
	case histogram.ErrTooLong:
		return errTooLongRecord
	}
	return notJSON(err)
}

// python spells a JSON value as the predecessor's messages did: strings bare,
// null as None, booleans with a capital letter, the rest as it was written.
func python(value []byte) string {
	switch value[0] {
	case '"':
		return string(jsonscan.Unquote(value[1 : len(value)-1]))
	case 'n':
		return "None"
	case 't':
		return "True"
	case 'f':
		return "False"
	}
	return string(value)
}

// Outage is the error for a submission whose histogram definitions are not available
// now. It is not bad, and has to wait.
type Outage struct {
	URL string // of the revision
	Err error  // of Definitions
}

func (o *Outage) Error() string { return failedToFetch(o.URL) + ": " + o.Err.Error() }
func (o *Outage) Unwrap() error { return o.Err }

// Rejection returns the outage as a rejection, for callers that cannot wait.
func (o *Outage) Rejection() *Rejection { return reject(ClassConversion, failedToFetch(o.URL)) }

// failedToFetch is the predecessor's message, which did not distinguish an outage
// from a revision that does not exist.
func failedToFetch(url string) string { return "Failed to fetch histograms for URL: " + url }
