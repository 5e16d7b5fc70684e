package ingest

import (
	"fmt"
	"net/http"
	"strconv"
)

// answer is one row of the status table in doc.go.
type answer struct {
	code int
	text string // a sentence, perhaps with verbs of fmt; the body is its line
}

// The status table; doc.go has it with its reasons. A submission to one of the
// predecessor's paths that is over a limit is answered with 202 on purpose: old browsers
// retry after 4xx or 5xx, and the submission would never become shorter. The clients of
// the other paths delete it after 4xx.
var (
	answerOK          = answer{http.StatusOK, "OK"}
	answerBodyLimit   = answer{http.StatusAccepted, "Request too large (%d bytes). Limit is %d bytes. Server will discard submission."}
	answerStreamLimit = answer{http.StatusAccepted, "Request too large. Limit is %d bytes. Server will discard submission."}
	answerPathLimit   = answer{http.StatusAccepted, "Path too long (%d bytes). Limit is %d bytes"}
	answerCutShort    = answer{http.StatusBadRequest, "Body ended early"}
	answerTooLarge    = answer{http.StatusRequestEntityTooLarge, "Body is longer than %d bytes"}
	answerURILimit    = answer{http.StatusRequestURITooLong, "Path too long (%d bytes). Limit is %d bytes"}
	answerNoRevision  = answer{http.StatusBadRequest, "Must provide a revision URL"}
	answerNotFound    = answer{http.StatusNotFound, "Not Found"}
	answerMethod      = answer{http.StatusMethodNotAllowed, "Wrong request type"}
	answerNoLength    = answer{http.StatusLengthRequired, "Missing content length"}
	answerTooMany     = answer{http.StatusTooManyRequests, "Too many requests"}
	answerFailed      = answer{http.StatusInternalServerError, "Cannot store the submission"}
	answerUnavailable = answer{http.StatusServiceUnavailable, "Try again later"}
	answerDiskFull    = answer{http.StatusInsufficientStorage, "No space left"}
)

// retryAfter is how many seconds a client should wait after a 503.
const retryAfter = "60"

// Shared header values: assigning them allocates nothing.
var (
	textPlain  = []string{"text/plain; charset=utf-8"}
	okLength   = []string{"2"}
	okText     = []byte("OK")
	closeValue = []string{"close"}
)

// send writes the answer; args are for the verbs of its text.
func (a answer) send(w http.ResponseWriter, args ...any) {
	h := w.Header()
	h["Content-Type"] = textPlain
	if a.code == http.StatusOK { // nearly always, so without allocations
		h["Content-Length"] = okLength
		w.Write(okText)
		return
	}

	// A sentence with figures is formatted, any other stands as it is.
	text := a.text
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	if a.code == http.StatusServiceUnavailable || a.code == http.StatusTooManyRequests {
		h.Set("Retry-After", retryAfter)
	}

	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(a.code)
	w.Write(append([]byte(text), '\n'))
}
