package script

import (
	"context"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// Columns returns the names that the script exports as `columns` for the cells
// of its output's rows, nil if it does not. Errors are *Error.
func (s *Script) Columns(ctx context.Context, limits Limits) (names []string, err error) {
	h, err := newHost(ctx, s, limits, nil, func(h *host) error {
		// The names are optional: without them the formats number the columns.
		columns, _ := h.export(declare.Columns)
		if columns == nil {
			return nil
		}
		err := h.rt.ExportTo(columns, &names)
		if err != nil || len(names) == 0 {
			return &Error{File: s.Name, Phase: "load", Message: "columns must be an array of the names of the output's columns"}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}

	h.close()
	return names, nil
}
