package layout

import (
	"cmp"
	"maps"
	"slices"
	"strings"
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
		if err := p.SpillIDs(w.d.folder.Spill(p.staged)); err != nil {
			return err
		}
	}
	return nil
}
