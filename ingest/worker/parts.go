package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// A raw log whose conversion ended the process twice goes on as parts: small raw logs, so
// that each takes little memory, which are converted one submission at a time, in a
// process of their own if Options.Child is set. A part that ends its process is divided
// again, at the submission that was in hand. A submission that is alone in its part, and
// ended two processes, is quarantined without being converted. Deaths that have nothing to
// do with submissions, such as kill -9, cost time and no submission.
const (
	maxPartSubmissions = 10_000
	maxPartBytes       = 16 << 20 // of bodies, at least one
)

// partMark begins the part of a raw log's name that says which part of another one it is:
// ".part<first submission>-<how often it was divided>".
const partMark = ".part"

// IsPart reports whether a raw log with that name is a part of another one, or holds what
// waits of a part.
func IsPart(name string) bool {
	_, _, ok := cutPart(name)
	return ok
}

// partName returns the name of a part of source that begins with its submission of that
// number, from 0. No two parts that there ever are of a raw log have the same name: those
// of one division have different submissions, those of different ones different numbers.
func partName(source string, first int) string {
	host, begun := splitName(source)

	// A part of a part: the numbers are those of the raw log that was divided first.
	divided := 0
	if before, numbers, ok := cutPart(source); ok && strings.HasSuffix(host, numbers.String()) {
		host = before
		first += numbers.first
		divided = numbers.divided
	}

	return rawlog.Prefix + host + partNumbers{first, divided + 1}.String() + "." + begun + rawlog.FinishedSuffix
}

// partNumbers are the numbers in the name of a part.
type partNumbers struct{ first, divided int }

// String returns the numbers as they are in a name, which sort by the first one.
func (n partNumbers) String() string { return fmt.Sprintf("%s%09d-%d", partMark, n.first, n.divided) }

// cutPart returns the last numbers of a part in a raw log's name, and the host before them.
func cutPart(source string) (host string, numbers partNumbers, ok bool) {
	host, _ = splitName(source)
	at := strings.LastIndex(host, partMark)
	if at < 0 {
		return "", numbers, false
	}

	text, _, _ := strings.Cut(host[at+len(partMark):], ".")
	first, divided, ok := strings.Cut(text, "-")
	if !ok {
		return "", numbers, false
	}

	var errs [2]error
	numbers.first, errs[0] = strconv.Atoi(first)
	numbers.divided, errs[1] = strconv.Atoi(divided)
	return host[:at], numbers, errors.Join(errs[:]...) == nil
}

// splitName returns what stands before and after the last dot in the name of a raw log:
// the host, with what this package added, and when it was begun.
func splitName(source string) (host, begun string) {
	name := strings.TrimSuffix(source, rawlog.FinishedSuffix)
	if version := rawlog.VersionOf(name); version != rawlog.VersionAuto {
		name = strings.TrimPrefix(name, fmt.Sprintf("telemetry.log.v%d.", version)) // of another release
	}

	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", name
	}
	return name[:dot], name[dot+1:]
}

// division says where a raw log is divided into parts.
type division struct {
	// alone is the offset of a submission that becomes a part of its own, which has ended
	// one process; -1: none does.
	alone int64
	// submissions bounds those of one part.
	submissions int
}

// divide moves the submissions of the raw log to parts, which the commit puts into raw/.
// It converts nothing.
func (p *publication) divide(ctx context.Context, entries *rawlog.Reader, d division) error {
	var current *part
	for number := 0; ; number++ { // of the submission
		s, err := entries.Next()
		if err == io.EOF {
			p.stats.BytesLost = entries.BytesLost()
			current.release()
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}

		// Parts have the country that an address is in, and no addresses.
		p.conversion.Locate(&s)

		alone := s.Origin.Offset == d.alone
		if current == nil || alone || current.isFull(d, len(s.Body)) {
			current.release()
			current = p.newPart(number, alone)
		}
		if err := current.add(&s); err != nil {
			return err
		}
		p.stats.Divided++
	}
}

// part is a part being written.
type part struct {
	log         *laterLog
	alone       bool // it has one submission
	submissions int
	bytes       int
}

// newPart begins the part that starts with the submission of that number. One that is
// alone has ended a process.
func (p *publication) newPart(number int, alone bool) *part {
	// An older copy of the same raw log may have been divided, and its parts are there.
	name := partName(p.source, number)
	for p.w.hasRawLog(name) {
		name = partName(name, 0)
	}

	made := &part{log: newLaterLog(p.writer, name), alone: alone}
	p.stats.Parts = append(p.stats.Parts, name)

	if alone {
		io.WriteString(p.writer.Attach(attemptsFile(name)), died(0)) // Commit returns its error
	}
	return made
}

// isFull reports whether a submission with so many bytes has to go to another part.
func (c *part) isFull(d division, bodyBytes int) bool {
	return c.alone || c.submissions >= d.submissions || c.bytes+bodyBytes > maxPartBytes
}

// add appends a submission.
func (c *part) add(s *rawlog.Submission) error {
	c.submissions++
	c.bytes += len(s.Body)
	return c.log.add(s)
}

// release frees the memory of a part to which no submission will be added.
func (c *part) release() {
	if c != nil {
		c.log.out.Release()
	}
}
