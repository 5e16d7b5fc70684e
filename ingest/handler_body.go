package ingest

import (
	"context"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	// firstRoom is how much memory a request gets before more of its body has come,
	// whatever length it announces: more than nearly all bodies need. With head and path it
	// takes 64 KiB.
	firstRoom = 63 << 10
	// scarceRoom is firstRoom when half of the budget is used: clients that announce
	// bodies and do not send them must not lock out the others.
	scarceRoom = 3 << 10
	// maxDiscardBytes bounds how much of a body that is too long is read nevertheless.
	maxDiscardBytes = 16 << 20
)

// reading says how a body is read.
type reading struct {
	// head is everything of the submission but its body; readEntry sets the country.
	head *rawlog.Submission
	// limit is the longest body, in bytes.
	limit int
	// store says that the beginning of a body that is too long may be stored.
	store bool
}

// readEntry reads a body into a sealed entry, which the caller passes to release. If it
// reports false it has answered.
func (h *handler) readEntry(w http.ResponseWriter, r *http.Request, how reading) (*rawlog.Entry, bool) {
	head, limit := how.head, how.limit
	length := int(min(r.ContentLength, math.MaxInt32)) // -1: unknown
	switch {
	case length == 0:
		answerNoLength.send(w)
		return nil, false
	case length > limit:
		h.overLimit(w, r, how, nil)
		return nil, false
	case length < 0:
		length = limit + 1 // one byte more shows that the body is too long
	}

	// The budget is reserved as the body comes, not as it is announced.
	room := min(length, firstRoom)
	if h.inFlight.Load() > h.o.MaxInFlight/2 {
		room = min(length, scarceRoom)
	}

	// The address itself is never stored, only its country.
	if h.o.Countries != nil {
		head.Country = h.o.Countries.Of(clientAddr(r, h.o.TrustedProxies))
	}
	if !h.reserve(rawlog.EntryMemory(len(head.Country) + len(head.Path) + len(head.Request) + room)) {
		answerUnavailable.send(w)
		return nil, false
	}

	e, filled, failure := h.fill(w, r, rawlog.NewEntry(head, room), length)

	// The body is in, or something failed: check its length now that it is known.
	switch {
	case failure == nil && filled > limit:
		h.overLimit(w, r, how, e.Body())
		h.release(e)
		return nil, false
	case failure == nil && filled == 0:
		failure = &answerNoLength
	}
	if failure == nil {
		e.Cut(filled)
		e.Seal()
		return e, true
	}

	h.release(e)
	sendBodyFailure(w, failure)
	return nil, false
}

// sendBodyFailure answers for a body that could not be read.
func sendBodyFailure(w http.ResponseWriter, failure *answer) {
	if failure == &answerCutShort {
		// The client may be gone, and the rest of the connection cannot be trusted.
		w.Header()["Connection"] = closeValue
	}
	failure.send(w)
}

// keptBytes is how much of a body that is too long is stored, for diagnosis.
const keptBytes = 4 << 10

// overLimit answers for a body that is too long, of which begun has been read.
func (h *handler) overLimit(w http.ResponseWriter, r *http.Request, how reading, begun []byte) {
	defer discard(r)

	submitted, ok := schema.ParseSubmissionPath(how.head.Path)
	switch {
	case !ok || !submitted.Generic():
		// Clients of the predecessor's paths would send it again after an error.
		if r.ContentLength >= 0 {
			answerBodyLimit.send(w, r.ContentLength, how.limit)
		} else {
			answerStreamLimit.send(w, how.limit)
		}
		return
	case how.store:
		h.storeBeginning(r, how.head, submitted, begun)
	}
	answerTooLarge.send(w, how.limit)
}

// storeBeginning stores the beginning of a body that is too long, so that it is counted
// and can be looked at in the quarantine. The client hears that it was too long whether
// this succeeds or not.
func (h *handler) storeBeginning(r *http.Request, head *rawlog.Submission, submitted schema.Submitted, begun []byte) {
	// A client that sent Expect waits with its body.
	if begun == nil && r.Header.Get("Expect") == "" {
		room := make([]byte, keptBytes)
		n, _ := io.ReadFull(r.Body, room) // whatever ends it, these are the bytes that there are
		begun = room[:n]
	}

	// Of a body that comes without its length, only so much is known.
	bodyBytes := max(r.ContentLength, int64(len(begun)))
	sub := *head
	sub.Body = begun[:min(len(begun), keptBytes)]
	place := "http/" + submitted.Namespace + "/" + submitted.Type + "/" + submitted.Version
	if err := h.raw.Append(context.WithoutCancel(r.Context()), rawlog.TooLarge(place, sub, bodyBytes)); err != nil {
		h.o.Log.Warn("the beginning of a submission that is too long is not stored", "err", err)
	}
}

// discard reads the rest of a body that is too long, for clients that read an
// answer only when they have sent everything: to them a connection that was closed
// before looks like a failure, and they try again. A client that sent Expect waits
// with its body.
func discard(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		io.CopyN(io.Discard, r.Body, maxDiscardBytes) // whatever ends it, nothing is lost
	}
}

// fill reads the body into e, which grows as the body comes, until n bytes or the
// body's end. It returns the grown entry, how many bytes there were, and the answer
// to a failure, if any.
func (h *handler) fill(w http.ResponseWriter, r *http.Request, e *rawlog.Entry, n int) (grown *rawlog.Entry, filled int, failure *answer) {
	start := time.Now()
	for filled < n {
		// The room doubles when it is full, so that the budget follows what has come.
		room := len(e.Body())
		if filled == room {
			// Both are there while the old one is copied.
			more := min(2*room, n)
			before, grown := e.Memory(), e.MemoryOf(more)
			if !h.reserve(grown) {
				return e, filled, &answerUnavailable
			}
			e = e.Grow(more)
			h.inFlight.Add(-int64(before))
		}

		// Read straight into the entry: the body is copied once, from the connection.
		got, err := r.Body.Read(e.Body()[filled:])
		filled += got
		if err == nil && filled < n {
			requireRate(w, start, filled)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return e, filled, &answerCutShort
		}
	}

	// net/http ends a body without an error when the client closes too early.
	if r.ContentLength > 0 && filled < n {
		return e, filled, &answerCutShort
	}

	return e, filled, nil
}

const (
	// minBodyRate is how many bytes of a body must come in a second, on average, once
	// rateGrace has passed: less is a client that only occupies a connection.
	minBodyRate = 1 << 10
	rateGrace   = 20 * time.Second
	// answerGrace is the time for the answer to a body that came slowly.
	answerGrace = time.Minute
)

// requireRate lets the connection fail when the rest of a body comes too slowly. A slow
// body that keeps to the rate may take longer than the server's own limits.
func requireRate(w http.ResponseWriter, start time.Time, filled int) {
	deadline := start.Add(rateGrace + time.Duration(filled)*time.Second/minBodyRate)
	control := http.NewResponseController(w)

	// A writer without deadlines, as in tests, has no connection.
	if control.SetReadDeadline(deadline) == nil {
		control.SetWriteDeadline(deadline.Add(answerGrace))
	}
}

// reserve takes n bytes of the budget for bodies in flight, if there are as many.
func (h *handler) reserve(n int) bool {
	// Add first, then check: two requests cannot both get the last bytes.
	if h.inFlight.Add(int64(n)) > h.o.MaxInFlight {
		h.inFlight.Add(-int64(n))
		return false
	}
	return true
}

// release frees an entry and its part of the budget.
func (h *handler) release(e *rawlog.Entry) {
	h.inFlight.Add(-int64(e.Memory()))
	e.Free()
}
