package ingest

import (
	"fmt"
	"net/http"
	"strconv"
)

// answer is one row of the status table in doc.go.
type answer struct {
	code int
	text string // a sentence, perhaps with verbs; the body is its line
}

// The status table; doc.go has it with its reasons. Limits are 202 on purpose:
// a browser retries what is refused with 4xx or 5xx, and it would never fit.
var (
	answerOK          = answer{http.StatusOK, "OK"}
	answerBodyLimit   = answer{http.StatusAccepted, "Request too large (%d bytes). Limit is %d bytes. Server will discard submission."}
	answerStreamLimit = answer{http.StatusAccepted, "Request too large. Limit is %d bytes. Server will discard submission."}
	answerPathLimit   = answer{http.StatusAccepted, "Path too long (%d bytes). Limit is %d bytes"}
	answerCutShort    = answer{http.StatusBadRequest, "Body ended early"}
	answerNoRevision  = answer{http.StatusBadRequest, "Must provide a revision URL"}
	answerNotFound    = answer{http.StatusNotFound, "Not Found"}
	answerMethod      = answer{http.StatusMethodNotAllowed, "Wrong request type"}
	answerNoLength    = answer{http.StatusLengthRequired, "Missing content length"}
	answerFailed      = answer{http.StatusInternalServerError, "Cannot store the submission"}
	answerUnavailable = answer{http.StatusServiceUnavailable, "Try again later"}
	answerDiskFull    = answer{http.StatusInsufficientStorage, "No space left"}
)

// retryAfter is what a client is told to wait, in seconds.
const retryAfter = "60"

// Shared header values: assigning them allocates nothing.
var (
	textPlain  = []string{"text/plain; charset=utf-8"}
	okLength   = []string{"2"}
	okText     = []byte("OK")
	closeValue = []string{"close"}
)

// send writes the answer.
func (a answer) send(w http.ResponseWriter, args ...any) {
	h := w.Header()
	h["Content-Type"] = textPlain
	if a.code == http.StatusOK {
		h["Content-Length"] = okLength
		w.Write(okText)
		return
	}
	text := a.text
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	if a.code == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(a.code)
	w.Write(append([]byte(text), '\n'))
}
