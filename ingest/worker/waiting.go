package worker

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// waitingLog is a raw log of submissions that cannot be converted yet. The commit that
// removes the raw log they were in puts it into raw/.
type waitingLog struct {
	writer *layout.Writer
	name   string
	log    *laterLog // nil: nothing was added yet

	// there counts the submissions that an earlier log has, by their sum: one of a copy
	// of the same raw log, which waits in raw/ and must not be replaced.
	there map[[sha256.Size]byte]int
}

// newWaitingLog returns the waitingLog for source, empty, of a data folder.
func newWaitingLog(data *layout.Data, w *layout.Writer, source string) (*waitingLog, error) {
	l := &waitingLog{
		writer: w,
		name:   waitingName(source),
		there:  map[[sha256.Size]byte]int{},
	}

	for {
		err := l.findSubmissions(data.Root(), l.name)
		if errors.Is(err, fs.ErrNotExist) {
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		l.name = waitingName(l.name)
	}
}

// findSubmissions counts the submissions of an earlier log in there. The error wraps
// fs.ErrNotExist if there is none.
func (l *waitingLog) findSubmissions(root *os.Root, name string) error {
	file, err := root.Open(path.Join(layout.RawDir, name))
	if err != nil {
		return err
	}
	defer file.Close()

	entries := rawlog.NewReader(file, rawlog.VersionOf(name))
	for {
		submission, err := entries.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l.there[sumOf(&submission)]++
	}
}

// sumOf identifies a submission.
func sumOf(s *rawlog.Submission) [sha256.Size]byte {
	return sha256.Sum256(rawlog.AppendEntry(nil, s, 0))
}

// add appends a submission, unless an earlier log has it.
func (l *waitingLog) add(s *rawlog.Submission) error {
	if len(l.there) > 0 {
		sum := sumOf(s)
		if l.there[sum] > 0 {
			l.there[sum]--
			return nil
		}
	}

	if l.log == nil {
		l.log = newLaterLog(l.writer, l.name)
	}
	return l.log.add(s)
}

// waitingMark begins the part of a raw log's name that counts how often its
// submissions have moved to another one.
const waitingMark = ".waiting"

// waitingName returns the name of the raw log for the submissions of source that wait:
// that of a finished log, with the same time in it, which no server writes. It is a
// function of source.
func waitingName(source string) string {
	host, begun := splitName(source)

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

// IsOutage says whether an error of ConvertLog is that none of the raw log's definitions are
// available now.
func IsOutage(err error) bool { return errors.Is(err, revisions.ErrUnavailable) }
