package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout"
)

// maxDeaths is how often a raw log, or a submission that is converted alone, may end the
// process before it is treated otherwise.
const maxDeaths = 2

// attempts is what state/attempts/<source> says about a raw log. The file has a line for
// each step of its conversions, so that what is read after the end of a process is how far
// it had come:
//
//	began          synced before a conversion
//	at <offset>    the submission at that offset is being converted; only where they are
//	               converted one at a time
//	commit         all are converted
//	ended          the conversion failed, and the process has survived it
//
// A commit removes the file, and so does the first conversion that fails.
type attempts struct {
	deaths int   // conversions that began and did not end
	offset int64 // of the submission that the last of them had in hand; -1: not known
}

// attemptsFile is the file with the attempts of a raw log.
func attemptsFile(source string) string { return path.Join(layout.AttemptsDir, source) }

// attempts reads the attempts of a raw log, whose lock the caller holds.
func (w *Worker) attempts(source string) (attempts, error) {
	text, err := w.data.Root().ReadFile(attemptsFile(source))
	if errors.Is(err, fs.ErrNotExist) {
		return attempts{offset: -1}, nil
	}
	if err != nil {
		return attempts{}, fmt.Errorf("read attempts: %w", err)
	}

	return parseAttempts(text), nil
}

// parseAttempts reads the lines of a file of attempts. A line that was cut short by the
// end of the machine says nothing.
func parseAttempts(text []byte) attempts {
	found := attempts{offset: -1}
	before := found // without the attempt that began last
	for line := range bytes.Lines(text) {
		word, number, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))

		switch string(word) {
		case "began":
			before = found
			found = attempts{deaths: before.deaths + 1, offset: -1}
		case "at":
			offset, err := strconv.ParseInt(string(number), 10, 64)
			if err == nil && line[len(line)-1] == '\n' {
				found.offset = offset
			}
		case "commit":
			found.offset = -1
		case "ended":
			found = before
		}
	}
	return found
}

// died returns the text of the attempts of a raw log that has ended one process.
func died(offset int64) string { return fmt.Sprintf("began\nat %d\n", offset) }

// attempt is one conversion of a raw log, whose lock its process holds. If the process
// ends before the attempt does, it is a death.
type attempt struct {
	w     *Worker
	file  string
	first bool // no death came before
}

// begin counts an attempt, durably, before the conversion can end the process.
func (w *Worker) begin(source string, earlier attempts) (*attempt, error) {
	a := &attempt{w: w, file: attemptsFile(source), first: earlier.deaths == 0}

	touched := map[string]bool{layout.AttemptsDir: true}
	disk := w.data.Folder()
	err := disk.MkdirAll(layout.AttemptsDir, touched)
	if err == nil {
		err = a.note("began\n")
	}
	if err == nil {
		err = disk.Sync(a.file)
	}
	if err == nil {
		err = disk.SyncDirs(touched)
	}

	if err != nil {
		return nil, fmt.Errorf("count attempt: %w", err)
	}
	return a, nil
}

// note appends a line. It survives the end of the process, and that of the machine only
// once it is synced.
func (a *attempt) note(line string) error { return a.w.data.Folder().Append(a.file, []byte(line)) }

// at notes that the submission at an offset of the raw log is being converted.
func (a *attempt) at(offset int64) error { return a.note(fmt.Sprintf("at %d\n", offset)) }

// failed ends an attempt that the process has survived.
func (a *attempt) failed() error {
	if a.first {
		return a.w.data.Folder().Remove(a.file)
	}
	return a.note("ended\n")
}
