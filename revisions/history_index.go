package revisions

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// The index is a text file, the same for the same History:
//
//	telemetry revision history 1
//	<repo> \t definitions|version \t <40 digits> \t <from> \t <until or -> \t <version or ->
//	…
//	sha256 <hexadecimal digits of the hash of all bytes before>
//
// ordered by repository, definitions before versions, then oldest first. Times
// are RFC 3339, in UTC.
const (
	indexFile   = "history.tsv"
	indexHeader = "telemetry revision history 1\n"
	indexFooter = "sha256 "
)

// maxIndexBytes bounds an index; ten thousand changes have 1 MB.
const maxIndexBytes = 64 << 20

// indexFamily begins the header of every version.
const indexFamily = "telemetry revision history "

// errNewerHistory is an ErrBadHistory of a later version of this program.
var errNewerHistory = errors.New("a newer format, of a later version of this program")

// ErrBadHistory is returned (wrapped) for an index that is damaged or of an
// unknown format.
var ErrBadHistory = errors.New("bad revision history")

// format returns the index file of h.
func (h *History) format() []byte {
	var out bytes.Buffer
	out.WriteString(indexHeader)
	for repo, r := range h.Repos() {
		for _, p := range r.Definitions {
			writePeriod(&out, repo, kindDefinitions, p, absent)
		}
		for _, p := range r.Versions {
			writePeriod(&out, repo, kindVersion, p, p.Version)
		}
	}

	fmt.Fprintf(&out, "%s%x\n", indexFooter, sha256.Sum256(out.Bytes()))
	return out.Bytes()
}

// The kinds of lines, and the text of a field without a value.
const (
	kindDefinitions = "definitions"
	kindVersion     = "version"
	absent          = "-"
)

// writePeriod writes one line.
func writePeriod(out *bytes.Buffer, repo, kind string, p Period, version string) {
	until := absent
	if !p.Until.IsZero() {
		until = p.Until.Format(time.RFC3339)
	}
	fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", repo, kind, p.Revision, p.From.Format(time.RFC3339), until, version)
}

// parseHistory reads an index file. Errors wrap ErrBadHistory.
func parseHistory(text []byte) (*History, error) {
	badLine := func(line int, what string) error { return fmt.Errorf("%w: line %d: %s", ErrBadHistory, line, what) }

	body, ok := bytes.CutPrefix(text, []byte(indexHeader))
	if !ok {
		// A later version ends in its own checksum, so it is not known to be sound.
		if version, ok := bytes.CutPrefix(text, []byte(indexFamily)); ok && len(version) > 0 && '2' <= version[0] && version[0] <= '9' {
			return nil, fmt.Errorf("%w: %w", ErrBadHistory, errNewerHistory)
		}
		return nil, badLine(1, "unknown format")
	}

	// The last line is the hash of all bytes before it, so any damage shows here.
	end := bytes.LastIndex(body, []byte(indexFooter))
	if end < 0 || string(body[end:]) != fmt.Sprintf("%s%x\n", indexFooter, sha256.Sum256(text[:len(indexHeader)+end])) {
		return nil, fmt.Errorf("%w: cut short, or changed", ErrBadHistory)
	}

	h := &History{repos: map[string]RepoHistory{}}
	n := 1
	for line := range strings.Lines(string(body[:end])) {
		n++
		// A line is one period of one repository.
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 6 {
			return nil, badLine(n, "not six fields")
		}

		p, err := parsePeriod(fields)
		if err != nil {
			return nil, badLine(n, err.Error())
		}

		repo, kind := fields[0], fields[1]
		r := h.repos[repo]
		list := &r.Definitions
		if kind == kindVersion {
			list = &r.Versions
		}
		// Periods have no gaps: what begins one ends the one before.
		if k := len(*list); k > 0 && !(*list)[k-1].Until.Equal(p.From) {
			return nil, badLine(n, "does not follow the one before")
		}

		*list = append(*list, p)
		h.repos[repo] = r
	}

	return h, nil
}

// parsePeriod reads the fields of one line: repository, kind, revision, from,
// until, version.
func parsePeriod(fields []string) (p Period, err error) {
	if _, err := NewRef(fields[0], fields[2]); err != nil {
		return p, err
	}

	p.Revision = fields[2]
	if len(p.Revision) != maxDigits {
		return p, errors.New("not 40 digits")
	}

	switch fields[1] {
	case kindDefinitions:
	case kindVersion:
		p.Version = fields[5]
		if !isVersion(p.Version) {
			return p, errors.New("not a version")
		}
	default:
		return p, fmt.Errorf("unknown kind %q", fields[1])
	}

	// The period that is still in effect has no end.
	p.From, err = parseTime(fields[3])
	if err != nil || fields[4] == absent {
		return p, err
	}

	p.Until, err = parseTime(fields[4])
	if err == nil && p.Until.Before(p.From) {
		err = errors.New("ends before it begins")
	}

	return p, err
}

// parseTime reads a time in exactly the spelling that format writes.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err == nil && t.UTC().Format(time.RFC3339) != s {
		err = fmt.Errorf("not a time: %s", s)
	}
	return t.UTC(), err
}

// historyFile is the index as it was read last.
type historyFile struct {
	mu      sync.Mutex // protects what follows
	history *History
	info    os.FileInfo // nil: there was no file
	err     error
}

// History returns the local index, which Sync and Import write; without one, a
// History that knows nothing. It is read again when the file has changed. One that is
// damaged, or of another version, is set aside and counts as missing; if the folder
// cannot be written, the error wraps ErrBadHistory. Other errors are the disk's.
func (c *Cache) History() (*History, error) {
	f := &c.history
	f.mu.Lock()
	defer f.mu.Unlock()

	if c.root == nil {
		return &History{}, nil
	}

	info, err := c.root.Stat(indexFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.history, f.info, f.err = &History{}, nil, nil
		return f.history, nil
	case err != nil:
		return nil, fmt.Errorf("revision history: %w", err)
	}

	// Writers replace the file, so a file that has changed is another one.
	if f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return f.history, f.err
	}

	f.info = info
	f.history, f.err = c.readHistory(info.Size())

	// The next Sync makes it anew; until then it counts as missing.
	if errors.Is(f.err, ErrBadHistory) {
		f.history, f.info, f.err = &History{}, nil, c.setHistoryAside(f.err)
	}

	return f.history, f.err
}

// setHistoryAside renames the index file, which is damaged for the reason why, and says
// so. The error wraps why.
func (c *Cache) setHistoryAside(why error) error {
	what, mark := "damaged", ".damaged-"
	if errors.Is(why, errNewerHistory) {
		what, mark = "of a newer format", ".newer-"
	}
	aside := indexFile + mark + c.now().UTC().Format("2006-01-02T150405.000Z")
	if err := c.root.Rename(indexFile, aside); err != nil {
		return fmt.Errorf("%w; it cannot be set aside: %w", why, err)
	}

	c.o.Log.Warn("the revision history is "+what+"; it is set aside, and pings that name no revision find none until tmserver revisions sync",
		"set_aside_as", aside, "err", why)
	return nil
}

// readHistory reads the index file of that size.
func (c *Cache) readHistory(size int64) (*History, error) {
	if size > maxIndexBytes {
		return nil, fmt.Errorf("%s: %w: longer than %d bytes", indexFile, ErrBadHistory, maxIndexBytes)
	}

	text, err := c.root.ReadFile(indexFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}

	h, err := parseHistory(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}

	return h, nil
}

// FindRevision is Find of the local index; it finds nothing while that cannot
// be read.
func (c *Cache) FindRevision(channel, buildID, version string) (ref Ref, by string, ok bool) {
	h, err := c.History()
	if err != nil {
		return Ref{}, "", false
	}
	return h.Find(channel, buildID, version)
}

// saveHistory replaces the local index. It needs no lock: of two calls at the same
// time the last one wins, and neither leaves half a file.
func (c *Cache) saveHistory(h *History) error {
	if c.root == nil {
		return errors.New("revision history: there is no cache folder")
	}
	if err := writeFile(c.root, indexFile, h.format()); err != nil {
		return fmt.Errorf("revision history: %w", err)
	}
	return nil
}
