package dedup

import (
	"crypto/sha256"
	"os"
)

// Lines is a set of lines by their hashes, in bounded memory: very many are in a file. It is
// not safe for concurrent use.
type Lines struct{ claims *claims }

// NewLines returns an empty set. At most so many lines, of some 90 bytes, are in memory. Its
// file, below root, has that name only until it is open.
func NewLines(root *os.Root, name string, maximum int) *Lines {
	return &Lines{newClaims(root, name, maximum)}
}

// Add adds a line, and says whether the set had it.
func (l *Lines) Add(line []byte) (known bool, err error) {
	sum := sha256.Sum256(line)
	hash := key(sum[:len(key{})])
	known, err = l.claims.has(hash, 0, 0)
	if known || err != nil {
		return known, err
	}
	return false, l.claims.add(hash, 0)
}

// Close removes the file.
func (l *Lines) Close() error { return l.claims.close() }
