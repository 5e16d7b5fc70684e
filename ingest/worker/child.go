package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aitgithub/telemetry-server/layout"
)

// ErrEnded is returned (wrapped) by a Child whose process ended before the conversion did.
var ErrEnded = errors.New("the process that converted it ended")

// Child converts raw logs of the data folder in another process, which may end.
type Child interface {
	// ConvertLog is Worker.ConvertLog in a process of its own, whose Worker has no Child.
	ConvertLog(ctx context.Context, name string) (Stats, error)
}

// maxChildren is how many processes one part of a raw log gets at a time: if it has one
// submission, that may end two of them, and the third quarantines it.
const maxChildren = maxDeaths + 1

// convertInChild converts a part of a raw log in processes of its own, until one survives
// it. Each sees what the one before has come to.
func (w *Worker) convertInChild(ctx context.Context, name string) (Stats, error) {
	var ended error
	for range maxChildren {
		stats, err := w.o.Child.ConvertLog(ctx, name)
		if ended != nil && errors.Is(err, fs.ErrNotExist) {
			return stats, nil // it ended after its commit, and so without counts
		}
		if !errors.Is(err, ErrEnded) || ctx.Err() != nil {
			return stats, err
		}

		w.data.Log().Warn("the process that converted a part of a raw log ended", "log", name, "err", err)
		ended = err
	}
	return Stats{}, fmt.Errorf("%d times: %w", maxChildren, ended)
}

// ConvertParts converts the parts in stats, and those that they are divided into, and adds
// what they become to stats. Parts that another process converts are left to it; after an
// error the rest of them stays in raw/.
func (w *Worker) ConvertParts(ctx context.Context, stats *Stats) error {
	for len(stats.Parts) > 0 {
		next, err := w.ConvertLog(ctx, stats.Parts[0])
		if errors.Is(err, layout.ErrBusy) || errors.Is(err, fs.ErrNotExist) {
			err = nil // a server of the same folder converts it, or has done so
		}
		if err != nil {
			return err
		}

		stats.Add(next)
		stats.Parts = append(next.Parts, stats.Parts[1:]...)
	}
	return nil
}
