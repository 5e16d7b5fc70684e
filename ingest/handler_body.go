package ingest

import (
	"io"
	"math"
	"net/http"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
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

// readEntry reads a body of at most limit bytes into a sealed entry, which the
// caller passes to release. If it reports false it has answered.
func (h *handler) readEntry(w http.ResponseWriter, r *http.Request, path string, limit int, received time.Time) (*rawlog.Entry, bool) {
	length := int(min(r.ContentLength, math.MaxInt32)) // -1: unknown
	switch {
	case length == 0:
		answerNoLength.send(w)
		return nil, false
	case length > limit:
		answerBodyLimit.send(w, r.ContentLength, limit)
		discard(r)
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
	head := rawlog.Submission{Path: path, Request: requestOf(r), Time: received}
	if h.o.Countries != nil {
		head.Country = h.o.Countries.Of(clientAddr(r, h.o.TrustedProxies))
	}
	if !h.reserve(rawlog.EntryMemory(len(head.Country) + len(path) + len(head.Request) + room)) {
		answerUnavailable.send(w)
		return nil, false
	}

	e, filled, failure := h.fill(r, rawlog.NewEntry(&head, room), length)

	// The body is in, or something failed: check its length now that it is known.
	switch {
	case failure == nil && filled > limit:
		failure = &answerStreamLimit
	case failure == nil && filled == 0:
		failure = &answerNoLength
	}
	if failure == nil {
		e.Cut(filled)
		e.Seal()
		return e, true
	}

	h.release(e)
	sendBodyFailure(w, r, failure, limit)
	return nil, false
}

// sendBodyFailure answers for a body that could not be read, or was too long.
func sendBodyFailure(w http.ResponseWriter, r *http.Request, failure *answer, limit int) {
	switch failure {
	case &answerStreamLimit:
		failure.send(w, limit)
		discard(r)
	case &answerCutShort:
		// The client may be gone, and the rest of the connection cannot be trusted.
		w.Header()["Connection"] = closeValue
		failure.send(w)
	default:
		failure.send(w)
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
func (h *handler) fill(r *http.Request, e *rawlog.Entry, n int) (grown *rawlog.Entry, filled int, failure *answer) {
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
