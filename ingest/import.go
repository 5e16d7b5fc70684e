package ingest

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// ImportSource reads all of r and returns the name under which a raw log with
// that content is published, whatever it is called: importing it again replaces
// its records and doubles none.
func ImportSource(r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return fmt.Sprintf("import.%x", sum.Sum(nil)[:12]), nil
}
