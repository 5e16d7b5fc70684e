package layout

import (
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// SalvageColumns calls emit with each line that can be read of a segment in columns,
// without its newline and valid until the next call. It returns what the segment
// replaces, as far as that can be read, and the first damage, or an error of the disk or
// of emit. With strict it stops at the damage.
func (t *Tree) SalvageColumns(s Segment, strict bool, emit func(dims schema.Dims, line []byte, msOfDay uint32) error) (replaces []string, err error) {
	file, err := t.files.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	f, first := columns.Recover(file, file.Size())
	if f == nil || first != nil && (strict || !IsDamage(first)) {
		return nil, InFile(s.Path, first)
	}
	v := columnSalvage{f: f.From(file, s.Path), strict: strict, emit: emit, first: first}
	for number := range f.Info().Groups {
		if err := v.group(number); err != nil {
			return nil, err
		}
	}

	if err := v.f.VerifyFooter(file.Size()); err != nil && !v.passes(err) {
		return nil, err
	}
	if v.first != nil {
		return f.Info().Replaces, InFile(s.Path, v.first)
	}
	return f.Info().Replaces, nil
}

// columnSalvage reads a segment in columns, record by record where it is damaged.
type columnSalvage struct {
	f      *columns.File
	strict bool
	emit   func(dims schema.Dims, line []byte, msOfDay uint32) error
	first  error // damage
	line   []byte
}

// passes says whether reading goes on after err, and notes the first damage.
func (v *columnSalvage) passes(err error) bool {
	if v.strict || !IsDamage(err) {
		return false
	}
	if v.first == nil {
		v.first = err
	}
	return true
}

// group reads a row group.
func (v *columnSalvage) group(number int) error {
	g := v.f.Group(number)
	if err := g.Verify(); err != nil && !v.passes(err) {
		return err
	}

	row := 0
	for _, part := range v.f.Info().Groups[number].Parts {
		for range part.Rows {
			if err := v.record(g, row, part.Dims); err != nil && !v.passes(err) {
				return err
			}
			row++
		}
	}
	return nil
}

func (v *columnSalvage) record(g *columns.Group, row int, dims schema.Dims) (err error) {
	v.line, err = g.AppendLine(v.line[:0], row)
	if err != nil {
		return err
	}

	// Without its time of receipt, a record is still a record.
	received, err := g.Received(row)
	if err != nil && !v.passes(err) {
		return err
	}
	return v.emit(dims, v.line, received)
}
