package layout

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Rejected is a submission in quarantine: why it was rejected, and what is needed to
// convert it again, byte for byte. It is stored as one line, id \t JSON, in
// invalid/<class>/<partition>.
type Rejected struct {
	Class   string    `json:"class"`             // of the reason, such as "bad_payload"
	Message string    `json:"message"`           // the reason as a sentence
	Time    time.Time `json:"time"`              // of receipt
	Origin  string    `json:"origin"`            // raw log
	Offset  int64     `json:"offset"`            // of the entry in the raw log
	Country string    `json:"country,omitempty"` // of the client, if it was looked up
	Path    string    `json:"path"`              // as received
	// Request is what came with it, encoded as in a raw log; empty if that is not known.
	Request []byte `json:"request,omitempty"`
	// PathBytes is Path if that is not UTF-8, of which JSON cannot keep every byte.
	// AddRejected and ParseRejected convert between the two.
	PathBytes []byte `json:"path_bytes,omitempty"`
	Body      []byte `json:"body"` // as received; base64 in JSON
}

// ID returns the document ID, or else the first part of the path.
func (q Rejected) ID() string {
	if submitted, ok := schema.ParseSubmissionPath(q.Path); ok {
		return submitted.ID
	}
	id, _, _ := strings.Cut(q.Path, "/")
	return id
}

// dims returns the dimensions that the submission's path claims.
func (q Rejected) dims() schema.Dims {
	submitted, _ := schema.ParseSubmissionPath(q.Path)
	claimed := submitted.Claimed

	// A clock may be so wrong that its year has more than four digits.
	date := schema.DateOf(q.Time)
	if !date.WellFormed() {
		date = schema.NoDate
	}
	claimed[schema.SubmissionDate] = string(date)
	return claimed
}

// ParseRejected reads the JSON of a quarantined record's line.
func ParseRejected(doc []byte) (Rejected, error) {
	var q Rejected
	if err := json.Unmarshal(doc, &q); err != nil {
		return q, fmt.Errorf("quarantined record: %w", err)
	}

	if q.PathBytes != nil {
		q.Path = string(q.PathBytes)
		q.PathBytes = nil
	}
	return q, nil
}

// classDir is the folder of a reason class.
func classDir(class string) string {
	return path.Join(QuarantineDir, schema.Sanitise(schema.Reason, class))
}
