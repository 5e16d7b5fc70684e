package layout

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// spill writes the largest waiting frames to their staging files until half of
// the budget is free, and releases their buffers.
func (w *Writer) spill() error {
	// Large frames compress better, and fewer of them free the same memory.
	byBuffer := slices.SortedFunc(maps.Values(w.parts), func(a, b *part) int { return b.Buffered() - a.Buffered() })
	for _, p := range byBuffer {
		if w.buffered <= w.budget/2 {
			break
		}

		w.buffered -= p.Buffered()
		if err := p.Release(); err != nil {
			return err
		}
	}
	return nil
}

// spillIDs writes the IDs of the parts with the most of them to staging files until half
// of them are gone. They come back with Finish.
func (w *Writer) spillIDs() error {
	byIDs := slices.SortedFunc(maps.Values(w.parts), func(a, b *part) int {
		return cmp.Or(b.IDsInMemory()-a.IDsInMemory(), strings.Compare(a.final, b.final))
	})
	for _, p := range byIDs {
		if w.ids <= w.maxIDs/2 {
			break
		}

		w.ids -= p.IDsInMemory()
		if err := p.SpillIDs(w.idSpill(p)); err != nil {
			return err
		}
	}
	return nil
}

// idSpill returns the staging files for the IDs of a part.
func (w *Writer) idSpill(p *part) segment.Spill {
	folder := &w.d.folder
	ids, times := p.staged+".ids", p.staged+".times"
	return segment.Spill{
		IDs:   folder.Appender(ids),
		Times: folder.Appender(times),
		Open: func() (io.ReadCloser, io.ReadCloser, error) {
			idFile, err := folder.Root.Open(ids)
			if err != nil {
				return nil, nil, err
			}
			timeFile, err := folder.Root.Open(times)
			if err != nil {
				return nil, nil, errors.Join(err, idFile.Close())
			}
			return idFile, timeFile, nil
		},
	}
}
