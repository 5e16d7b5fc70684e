package helperfile

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// One of these stands between the name of a file that was set aside and the time.
const (
	damagedMark = ".damaged-"
	newerMark   = ".newer-"
)

// SetAside renames a helper file, which is no database or whose database is locked, and
// says so in the log: why, and what is lost. The error wraps why.
func SetAside(root *os.Root, name, lost string, why error, log *slog.Logger) error {
	what, mark := "damaged", damagedMark
	if errors.Is(why, ErrNewer) {
		what, mark = "of a newer format", newerMark
	}
	aside := name + mark + time.Now().UTC().Format("2006-01-02T150405.000Z")
	if err := root.Rename(name, aside); err != nil {
		return fmt.Errorf("%w; it cannot be set aside: %w", why, err)
	}

	log.Warn("a helper file is "+what+"; it is set aside and made anew",
		"file", name, "set_aside_as", aside, "lost", lost, "err", why)
	return nil
}
