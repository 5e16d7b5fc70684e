package worker

import (
	"io"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// waitingLog is a raw log of submissions that cannot be converted yet. It comes
// to be by the same commit that removes the raw log which they were in.
type waitingLog struct {
	w    io.Writer
	salt uint32
	buf  []byte
}

func newWaitingLog(w *layout.Writer, source string) *waitingLog {
	l := &waitingLog{w: w.Attach(path.Join(layout.RawDir, waitingName(source))), salt: rand.Uint32()}
	l.buf = rawlog.AppendHead(nil, l.salt)
	return l
}

func (l *waitingLog) add(s *rawlog.Submission) error {
	l.buf = rawlog.AppendEntry(l.buf, s, l.salt)
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// waitingMark begins the part of a raw log's name that counts how often its
// submissions have moved to another one.
const waitingMark = ".waiting"

// waitingName returns the name of the raw log for what waits of source: a name
// of a finished log, other than that of any log that a server writes, with the
// same time in it, and the same for the same source.
func waitingName(source string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(source, rawlog.Prefix), rawlog.FinishedSuffix)
	begin, time := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		begin, time = name[:i], name[i+1:]
	}
	n := 0
	if i := strings.LastIndex(begin, waitingMark); i >= 0 {
		if k, err := strconv.Atoi(begin[i+len(waitingMark):]); err == nil {
			begin, n = begin[:i], k
		}
	}
	return rawlog.Prefix + begin + waitingMark + strconv.Itoa(n+1) + "." + time + rawlog.FinishedSuffix
}
