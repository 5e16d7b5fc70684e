package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// storeSegment is a segment, or one partition's part of a segment in columns.
type storeSegment struct {
	Path        string      `json:"path"`
	Dims        schema.Dims `json:"dims"`
	Bytes       int64       `json:"bytes"`   // of a part in columns: its share
	Records     int64       `json:"records"` // -1: an old file that does not say
	Columns     bool        `json:"columns,omitempty"`
	Quarantined string      `json:"quarantined,omitempty"` // class
}

// storeCache keeps what segments hold, which does not change: listing a store again reads
// new segments only.
type storeCache struct {
	mu      sync.Mutex // protects records
	records map[string]int64
}

// segments lists the store, with its quarantine. Readers of the tree leave out the clients
// that asked to be forgotten.
func (p *page) segments(ctx context.Context) (*layout.Tree, []layout.Segment, error) {
	tree := p.folder.Tree()
	if err := tree.SkipForgotten(ctx); err != nil {
		return nil, nil, err
	}
	everything := schema.All()
	everything.IncludeQuarantined = true
	segments, err := tree.Segments(ctx, everything)
	return tree, segments, err
}

// recordsOf returns how many records a segment has; -1 if that is not known.
func (p *page) recordsOf(segment layout.Segment) int64 {
	key := fmt.Sprintf("%s %d", segment.Path, segment.Size)
	p.store.mu.Lock()
	known, ok := p.store.records[key]
	p.store.mu.Unlock()
	if ok {
		return known
	}

	info, err := p.folder.Tree().Info(segment)
	if err != nil {
		return -1 // damaged, or compacted away meanwhile
	}
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	if p.store.records == nil || len(p.store.records) > maxCachedSegments {
		p.store.records = map[string]int64{}
	}
	p.store.records[key] = info.Records
	return info.Records
}

// maxCachedSegments bounds what storeCache keeps.
const maxCachedSegments = 200_000

func (p *page) storePartitions(r *http.Request) (any, error) {
	_, segments, err := p.segments(r.Context())
	if err != nil {
		return nil, err
	}

	list := []storeSegment{}
	for _, segment := range segments {
		records := p.recordsOf(segment)
		if !segment.InColumns() {
			list = append(list, storeSegment{segment.Path, segment.Dims, segment.Size, records, false, segment.Class})
			continue
		}
		for _, part := range segment.Parts {
			rows := int64(part.Hi - part.Lo)
			list = append(list, storeSegment{segment.Path, part.Dims, segment.Size * rows / max(1, records), rows, true, ""})
		}
	}
	return struct {
		Dimensions []string       `json:"dimensions"`
		Segments   []storeSegment `json:"segments"`
	}{schema.DimNames[:], list}, nil
}

const (
	maxRecords = 50
	// maxRecordText bounds what is shown of one record.
	maxRecordText = 64 << 10
)

// storeRecord is one record as the page shows it.
type storeRecord struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Bytes int    `json:"bytes"`
}

// storeRecords answers ?path=SEGMENT&from=N&count=N with records of a segment, from the
// N-th on.
func (p *page) storeRecords(r *http.Request) (any, error) {
	values := r.URL.Query()
	from, err := strconv.Atoi(values.Get("from"))
	if err != nil || from < 0 {
		from = 0
	}
	count, err := strconv.Atoi(values.Get("count"))
	if err != nil || count < 1 || count > maxRecords {
		count = 10
	}

	// Only what the store lists: a path is no way to other files.
	tree, segments, err := p.segments(r.Context())
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(segments, func(s layout.Segment) bool { return s.Path == values.Get("path") })
	if at < 0 {
		return nil, &requestError{http.StatusNotFound, errors.New("there is no such segment; it may have been compacted into another one")}
	}
	reader, err := tree.Open(segments[at], 0, -1)
	if err != nil {
		return nil, err
	}
	defer reader.Close()

	records := []storeRecord{}
	for number := 0; len(records) < count; {
		lines, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(lines) {
			if number++; number > from && len(records) < count {
				id, text, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\t'})
				records = append(records, storeRecord{clipText(id), clipText(text), len(text)})
			}
		}
	}
	return struct {
		From    int           `json:"from"`
		Records []storeRecord `json:"records"`
	}{from, records}, nil
}

// clipText returns the beginning of what a client has sent, as valid text.
func clipText(text []byte) string {
	if len(text) > maxRecordText {
		text = text[:maxRecordText]
	}
	if utf8.Valid(text) {
		return string(text)
	}
	return string(bytes.ToValidUTF8(text, []byte("\uFFFD")))
}

// quarantineClasses counts the quarantine by class and date.
func (p *page) quarantineClasses(r *http.Request) (any, error) {
	segments, err := quarantine.Segments(r.Context(), p.folder.Tree(), "")
	if err != nil {
		return nil, err
	}

	type count struct {
		Class   string `json:"class"`
		Date    string `json:"date"`
		Records int64  `json:"records"`
		Bytes   int64  `json:"bytes"`
	}
	counts := []count{}
	for _, segment := range segments {
		date := segment.Dims[schema.SubmissionDate]
		at := slices.IndexFunc(counts, func(c count) bool { return c.Class == segment.Class && c.Date == date })
		if at < 0 {
			counts = append(counts, count{Class: segment.Class, Date: date})
			at = len(counts) - 1
		}
		counts[at].Records += max(0, p.recordsOf(segment))
		counts[at].Bytes += segment.Size
	}
	return struct {
		Classes []count `json:"classes"`
	}{counts}, nil
}

// quarantineExamples answers ?class=CLASS with some of the newest submissions of a class.
func (p *page) quarantineExamples(r *http.Request) (any, error) {
	class := r.URL.Query().Get("class")
	if class == "" {
		return nil, badRequest(errors.New("class is missing"))
	}
	tree := p.folder.Tree()
	if err := tree.SkipForgotten(r.Context()); err != nil {
		return nil, err
	}
	segments, err := quarantine.Segments(r.Context(), tree, class)
	if err != nil {
		return nil, err
	}

	type example struct {
		ID      string `json:"id"`
		Message string `json:"message"`
		Time    string `json:"time"`
		Path    string `json:"path"`
		Body    string `json:"body"`
		Bytes   int    `json:"bytes"`
	}
	slices.SortFunc(segments, func(a, b layout.Segment) int {
		return -bytes.Compare([]byte(a.Dims[schema.SubmissionDate]+a.Age()), []byte(b.Dims[schema.SubmissionDate]+b.Age()))
	})
	examples := []example{}
	for _, segment := range segments {
		for submission, err := range quarantine.Read(tree, segment) {
			if err != nil {
				return nil, err
			}
			examples = append(examples, example{
				clipText([]byte(submission.ID())), submission.Message, submission.Time.UTC().Format(time.RFC3339),
				clipText([]byte(submission.Path)), clipText(unpacked(submission.Body)), len(submission.Body),
			})
			if len(examples) == 10 {
				break
			}
		}
		if len(examples) == 10 {
			break
		}
	}
	return struct {
		Examples []example `json:"examples"`
	}{examples}, nil
}
