package worker

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// waitingLog is a raw log of submissions that cannot be converted yet. The commit that
// removes the raw log they were in puts it into raw/.
type waitingLog struct {
	w    io.Writer
	salt uint32
	buf  []byte // the head, until the first entry is written
}

// newWaitingLog returns the waitingLog for source, empty.
func newWaitingLog(w *layout.Writer, source string) *waitingLog {
	salt := rand.Uint32()
	return &waitingLog{
		w:    w.Attach(path.Join(layout.RawDir, waitingName(source))),
		salt: salt,
		buf:  rawlog.AppendHead(nil, salt),
	}
}

// add appends a submission.
func (l *waitingLog) add(s *rawlog.Submission) error {
	l.buf = rawlog.AppendEntry(l.buf, s, l.salt)
	_, err := l.w.Write(l.buf) // which copies it
	l.buf = l.buf[:0]
	return err
}

// waitingMark begins the part of a raw log's name that counts how often its
// submissions have moved to another one.
const waitingMark = ".waiting"

// waitingName returns the name of the raw log for the submissions of source that wait:
// that of a finished log, with the same time in it, which no server writes. It is a
// function of source.
func waitingName(source string) string {
	name := strings.TrimSuffix(source, rawlog.FinishedSuffix)
	if version := rawlog.VersionOf(name); version != rawlog.VersionAuto {
		name = strings.TrimPrefix(name, fmt.Sprintf("telemetry.log.v%d.", version)) // of another release
	}
	host, begun := "", name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		host = name[:dot]
		begun = name[dot+1:]
	}

	// Moved again: the number grows, so that the name is another one. Without it, the
	// commit would remove the raw log that it has just made.
	moves := 0
	if mark := strings.LastIndex(host, waitingMark); mark >= 0 {
		n, err := strconv.Atoi(host[mark+len(waitingMark):])
		if err == nil {
			host = host[:mark]
			moves = n
		}
	}

	return rawlog.Prefix + host + waitingMark + strconv.Itoa(moves+1) + "." + begun + rawlog.FinishedSuffix
}
