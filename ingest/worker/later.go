package worker

import (
	"io"
	"math/rand/v2"
	"path"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// laterLog is a raw log of submissions that are converted later: they wait, or are a part
// of another raw log. The commit that removes the raw log they were in puts it into raw/.
type laterLog struct {
	out interface {
		io.Writer
		Release()
	}
	salt uint32
	buf  []byte // the head, until the first entry is written
}

// newLaterLog returns a laterLog of that name, empty.
func newLaterLog(w *layout.Writer, name string) *laterLog {
	salt := rand.Uint32()
	return &laterLog{
		out:  w.Attach(path.Join(layout.RawDir, name)),
		salt: salt,
		buf:  rawlog.AppendHead(nil, salt),
	}
}

// add appends a submission.
func (l *laterLog) add(s *rawlog.Submission) error {
	l.buf = rawlog.AppendEntry(l.buf, s, l.salt)
	_, err := l.out.Write(l.buf) // which copies it
	l.buf = l.buf[:0]
	return err
}
