package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// sumHead begins the JSON of a commit file that has a checksum: 8 hexadecimal digits of
// the CRC32C of "{" and what follows sumTail. An older version, which has none, ignores
// the member.
const (
	sumHead = `{"sum":"`
	sumTail = `",`
)

// formatCommit returns the text of a commit file.
func formatCommit(c Commit) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s%08x%s%s", sumHead, crc32.Checksum(text, castagnoli), sumTail, text[1:]), nil
}

// parseCommit reads what formatCommit wrote; name is for errors, which are a
// *segment.CorruptError or wrap segment.ErrNewer.
func parseCommit(text []byte, name string) (c Commit, err error) {
	corrupt := func(err error) (Commit, error) {
		err = fmt.Errorf("%w; tmserver check --repair moves the folder to state/damaged and goes on without it", err)
		return Commit{}, &segment.CorruptError{Path: name, Err: err}
	}

	// The version comes before the checksum: a newer format may have another one.
	if err := json.Unmarshal(text, &c); err != nil {
		return corrupt(err)
	}
	if sum, rest, ok := cutSum(string(text)); ok {
		stated, err := strconv.ParseUint(sum, 16, 32)
		if err != nil || crc32.Checksum([]byte(rest), castagnoli) != uint32(stated) {
			return corrupt(errors.New("the checksum does not match"))
		}
	}

	if c.Version > commitVersion {
		return c, fmt.Errorf("%s: version %d: %w", name, c.Version, segment.ErrNewer)
	}
	if c.Version != commitVersion {
		return corrupt(fmt.Errorf("unknown version %d", c.Version))
	}
	return c, nil
}

// cutSum splits the text of a commit file into the checksum and what it covers.
func cutSum(text string) (sum, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, sumHead)
	if !ok {
		return "", "", false
	}

	sum, rest, ok = strings.Cut(text, sumTail)
	return sum, "{" + rest, ok
}

// readCommit reads the commit file of a staging folder; not ok if there is none.
func (d *Folder) readCommit(dir string) (c Commit, ok bool, err error) {
	name := path.Join(dir, CommitFile)
	text, err := d.Root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}

	c, err = parseCommit(text, name)
	return c, err == nil, err
}

// CheckCommit returns an error if what was committed in a staging folder cannot be
// finished: a *segment.CorruptError, or one that wraps segment.ErrNewer. It changes
// nothing. The caller holds the folder's lock.
func (d *Folder) CheckCommit(dir string) error {
	c, ok, err := d.readCommit(dir)
	if ok {
		_, err = d.plan(dir, c)
	}
	return err
}
