package script

import "context"

// Columns returns the names that the script exports as `columns` for the cells
// of its output's rows, nil if it does not. Errors are *Error.
func (s *Script) Columns(ctx context.Context, limits Limits) ([]string, error) {
	h, err := newHost(ctx, s, limits, nil)
	if err != nil {
		return nil, err
	}
	defer h.close()
	v := h.exports.Get("columns")
	if v == nil {
		return nil, nil
	}
	var names []string
	if err := h.rt.ExportTo(v, &names); err != nil || len(names) == 0 {
		return nil, &Error{File: s.Name, Phase: "load", Message: "columns must be an array of the names of the output's columns"}
	}
	return names, nil
}
