package decide

import (
	"slices"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Forgetting drops the submissions of clients that asked to be forgotten, in the order in
// which they were received, and finds the requests among them. It belongs to one goroutine.
type Forgetting struct {
	before *forget.Set // whom the data folder forgets
	found  *forget.Set // who asked for it since
	table  *forget.Table
}

// NewForgetting returns a Forgetting for a data folder that forgets those clients.
func NewForgetting(forgotten *forget.Set, table *forget.Table) *Forgetting {
	return &Forgetting{before: forgotten, found: &forget.Set{}, table: table}
}

// Apply makes the outcome of a submission Forgotten if its client asked for that, or is
// forget.Canary, and that of a request that cannot become a record. It returns the requests that the submission is itself; these must be stored
// whatever the outcome is.
func (f *Forgetting) Apply(s *rawlog.Submission, outcome *Outcome) []forget.Request {
	// What was rejected has not been read to its end.
	unread := outcome.Kind == Quarantined || outcome.Kind == Waiting
	subject := &outcome.Subject
	if subject.Namespace == "" && unread {
		*subject = f.read(s)
	}

	requests := subject.Forget
	for _, request := range requests {
		f.found.Add(request)
	}
	if unread && len(requests) > 0 || slices.Contains(subject.Clients, forget.Canary) || f.before.Has(subject.Clients, subject.Namespace) || f.found.Has(subject.Clients, subject.Namespace) {
		*outcome = Outcome{Kind: Forgotten}
	}
	return requests
}

// read returns the subject of a submission that could not be converted.
func (f *Forgetting) read(s *rawlog.Submission) (subject convert.Subject) {
	path, ok := schema.ParseSubmissionPath(s.Path)
	if !ok {
		path.Namespace = schema.TelemetryNamespace
	}
	var row *forget.Row
	if f.table != nil {
		row = f.table.Find(path.Namespace, path.Type)
	}
	if row == nil && f.before.Len()+f.found.Len() == 0 {
		return subject // it needs no reading
	}

	text := forget.Unpack(s.Body)
	subject.Namespace = path.Namespace
	subject.Clients, _ = forget.Clients(nil, text)
	if row == nil {
		return subject
	}
	for _, id := range row.Read(text) {
		subject.Forget = append(subject.Forget, forget.Request{ID: id, Time: s.Time, Reaches: row.Reaches})
	}
	return subject
}
