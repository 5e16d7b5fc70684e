package worker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// waitingLog is a raw log of submissions that cannot be converted yet. The commit that
// removes the raw log they were in puts it into raw/.
type waitingLog struct {
	writer *layout.Writer
	name   string
	salt   uint32
	out    io.Writer // nil: nothing was added yet
	buf    []byte

	// there counts the submissions that an earlier log has, by their sum: one of a copy
	// of the same raw log, which waits in raw/ and must not be replaced.
	there map[[sha256.Size]byte]int
}

// newWaitingLog returns the waitingLog for source, empty, of a data folder.
func newWaitingLog(data *layout.Data, w *layout.Writer, source string) (*waitingLog, error) {
	l := &waitingLog{
		writer: w,
		name:   waitingName(source),
		salt:   rand.Uint32(),
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

// add appends a submission.
func (l *waitingLog) add(s *rawlog.Submission) error {
	if len(l.there) > 0 {
		sum := sumOf(s)
		if l.there[sum] > 0 {
			l.there[sum]--
			return nil
		}
	}

	if l.out == nil {
		l.out = l.writer.Attach(path.Join(layout.RawDir, l.name))
		l.buf = rawlog.AppendHead(l.buf, l.salt)
	}
	l.buf = rawlog.AppendEntry(l.buf, s, l.salt)
	_, err := l.out.Write(l.buf) // which copies it
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
