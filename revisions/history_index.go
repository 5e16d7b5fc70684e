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
//	sha256 <hexadecimal digits of the hash of all that goes before>
//
// ordered by repository, definitions before versions, then oldest first. Times
// are RFC 3339, in UTC.
const (
	indexFile   = "history.tsv"
	indexHeader = "telemetry revision history 1\n"
	indexFooter = "sha256 "
)

// maxIndex bounds an index in bytes; ten thousand changes have 1 MB.
const maxIndex = 64 << 20

// ErrBadHistory is returned (wrapped) for an index that is damaged or of an
// unknown format.
var ErrBadHistory = errors.New("bad revision history")

// format returns the index file of h.
func (h *History) format() []byte {
	var b bytes.Buffer
	b.WriteString(indexHeader)
	for repo, r := range h.Repos() {
		for i, kind := range [...][]Period{r.Definitions, r.Versions} {
			for _, p := range kind {
				until, version := "-", "-"
				if !p.Until.IsZero() {
					until = p.Until.Format(time.RFC3339)
				}
				if i == 1 {
					version = p.Version
				}
				fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", repo, indexKinds[i], p.Revision, p.From.Format(time.RFC3339), until, version)
			}
		}
	}
	fmt.Fprintf(&b, "%s%x\n", indexFooter, sha256.Sum256(b.Bytes()))
	return b.Bytes()
}

var indexKinds = [...]string{"definitions", "version"}

// parseHistory reads an index file. Errors wrap ErrBadHistory.
func parseHistory(text []byte) (*History, error) {
	bad := func(line int, what string) error { return fmt.Errorf("%w: line %d: %s", ErrBadHistory, line, what) }
	body, ok := bytes.CutPrefix(text, []byte(indexHeader))
	if !ok {
		return nil, bad(1, "unknown format")
	}
	end := bytes.LastIndex(body, []byte(indexFooter))
	if end < 0 || string(body[end:]) != fmt.Sprintf("%s%x\n", indexFooter, sha256.Sum256(text[:len(indexHeader)+end])) {
		return nil, fmt.Errorf("%w: cut short, or changed", ErrBadHistory)
	}
	h := &History{repos: map[string]RepoHistory{}}
	n := 1
	for line := range strings.Lines(string(body[:end])) {
		n++
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			return nil, bad(n, "not six fields")
		}
		p, err := parsePeriod(f)
		if err != nil {
			return nil, bad(n, err.Error())
		}
		r := h.repos[f[0]]
		list := &r.Definitions
		if f[1] == indexKinds[1] {
			list = &r.Versions
		}
		if k := len(*list); k > 0 && !(*list)[k-1].Until.Equal(p.From) {
			return nil, bad(n, "does not follow the one before")
		}
		*list = append(*list, p)
		h.repos[f[0]] = r
	}
	return h, nil
}

func parsePeriod(f []string) (p Period, err error) {
	if _, err := NewRef(f[0], f[2]); err != nil {
		return p, err
	}
	p.Revision = f[2]
	if len(p.Revision) != 40 {
		return p, errors.New("not 40 digits")
	}
	switch f[1] {
	case indexKinds[0]:
	case indexKinds[1]:
		if p.Version = f[5]; !isVersion(p.Version) {
			return p, errors.New("not a version")
		}
	default:
		return p, fmt.Errorf("unknown kind %q", f[1])
	}
	if p.From, err = parseTime(f[3]); err == nil && f[4] != "-" {
		p.Until, err = parseTime(f[4])
		if err == nil && p.Until.Before(p.From) {
			err = errors.New("ends before it begins")
		}
	}
	return p, err
}

// parseTime reads what format writes, and only that.
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
	info    os.FileInfo // nil: none was there
	err     error
}

// History returns the local index, which Sync and Import make; without one, a
// History that knows nothing. It is read again when the file has changed. Errors
// wrap ErrBadHistory or are the disk's.
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
	if f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return f.history, f.err
	}
	var text []byte
	if info.Size() > maxIndex {
		err = fmt.Errorf("%w: longer than %d bytes", ErrBadHistory, maxIndex)
	} else if text, err = c.root.ReadFile(indexFile); err == nil {
		f.history, err = parseHistory(text)
	}
	f.info, f.err = info, nil
	if err != nil {
		f.history, f.err = nil, fmt.Errorf("%s: %w", indexFile, err)
		c.o.Log.Warn("revision history is unreadable", "err", err)
	}
	return f.history, f.err
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

// saveHistory replaces the local index. The caller holds no lock: of two who
// save, the last one wins, and neither leaves half a file.
func (c *Cache) saveHistory(h *History) error {
	if c.root == nil {
		return errors.New("revision history: there is no cache folder")
	}
	if err := writeFile(c.root, indexFile, h.format()); err != nil {
		return fmt.Errorf("revision history: %w", err)
	}
	return nil
}
