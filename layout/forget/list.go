package forget

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Request is one ID of a deletion request.
type Request struct {
	ID      ID
	Time    time.Time // of receipt
	Reaches []string  // namespaces; none: all
}

// timeLayout is how a list file has the time of a request.
const timeLayout = "2006-01-02T15:04:05.000Z"

// AppendLine appends the line of a list file: ID, time, namespaces, with tabs between.
func (r *Request) AppendLine(dst []byte) []byte {
	reaches := "*"
	if len(r.Reaches) > 0 {
		reaches = strings.Join(r.Reaches, ",")
	}

	return fmt.Appendf(dst, "%s\t%s\t%s\n", r.ID, r.Time.UTC().Format(timeLayout), reaches)
}

// Set is the clients that are forgotten. A nil Set is empty. It does not change once it is
// used, so that many goroutines may.
type Set struct {
	byID map[ID]Request
}

// ParseList adds what a list file has to the set. An error says which line is wrong; what the
// other lines say is in the set.
func (s *Set) ParseList(doc []byte) (err error) {
	number := 0
	for line := range bytes.Lines(doc) {
		number++

		// A line that is wrong must not lose the requests of the others.
		fields := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
		if len(fields) < 3 {
			err = fmt.Errorf("line %d: want an ID, a time and namespaces", number)
			continue
		}

		id, ok := ParseID([]byte(fields[0]))
		at, timeErr := time.Parse(timeLayout, fields[1])
		if !ok || timeErr != nil {
			err = fmt.Errorf("line %d: %q is no ID, or %q no time", number, fields[0], fields[1])
			continue
		}

		request := Request{ID: id, Time: at}
		if fields[2] != "*" {
			request.Reaches = strings.Split(fields[2], ",")
		}

		s.Add(request)
	}
	return err
}

// Add adds a request. Of two with the same ID the earlier one counts, and what both reach.
func (s *Set) Add(r Request) {
	// An ID that many clients share must not remove their records.
	if r.ID.Nobody() {
		return
	}
	if s.byID == nil {
		s.byID = map[ID]Request{}
	}

	if known, ok := s.byID[r.ID]; ok {
		if known.Time.Before(r.Time) {
			r.Time = known.Time
		}

		// No namespaces means all of them, so it must not be joined with a list.
		if len(known.Reaches) == 0 || len(r.Reaches) == 0 {
			r.Reaches = nil
		} else {
			r.Reaches = slices.Concat(known.Reaches, r.Reaches)
			slices.Sort(r.Reaches)
			r.Reaches = slices.Compact(r.Reaches)
		}
	}
	s.byID[r.ID] = r
}

// Len is the number of IDs.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.byID)
}

// Has says whether one of the IDs is forgotten in a namespace.
func (s *Set) Has(ids []ID, namespace string) bool {
	// A nil set has no map to look in.
	if s.Len() == 0 {
		return false
	}

	for _, id := range ids {
		request, ok := s.byID[id]
		if ok && (len(request.Reaches) == 0 || slices.Contains(request.Reaches, namespace)) {
			return true
		}
	}
	return false
}

// Knows says whether an ID is forgotten somewhere.
func (s *Set) Knows(id ID) bool {
	_, ok := s.byID[id]
	return ok
}

// HasText says whether a ping or record is of a client that is forgotten. ids is memory that
// may be used again.
func (s *Set) HasText(ids []ID, text []byte) (bool, []ID) {
	ids, namespace := Clients(ids[:0], text)
	return s.Has(ids, namespace), ids
}

// Line is HasText for the line of a record, `<id>\t<json>`.
func (s *Set) Line(ids []ID, line []byte) (bool, []ID) {
	_, text, _ := bytes.Cut(line, []byte{'\t'})
	return s.HasText(ids, text)
}

// All returns the requests, in the order of their time.
func (s *Set) All() []Request {
	// A nil set is empty.
	if s == nil {
		return nil
	}

	// Requests of the same time are in the order of their IDs, so that lists are equal.
	return slices.SortedFunc(maps.Values(s.byID), func(a, b Request) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
}

// Before returns the clients that were to be forgotten at that time or before.
func (s *Set) Before(t time.Time) *Set {
	due := &Set{}
	for _, request := range s.All() {
		if !request.Time.After(t) {
			due.Add(request)
		}
	}
	return due
}

// List returns the list file of all requests.
func (s *Set) List() (doc []byte) {
	for _, request := range s.All() {
		doc = request.AppendLine(doc)
	}
	return doc
}

// Sum stands for the content of the set.
func (s *Set) Sum() [sha256.Size]byte { return sha256.Sum256(s.List()) }
