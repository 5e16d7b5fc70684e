package layout

import (
	"bytes"
	"io"

	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// forgottenRecords returns the records of a segment in rows that Readers leave out.
func (t *Tree) forgottenRecords(s Segment) (found dedup.Records, err error) {
	hits, err := t.Hits(s, t.forgotten)
	if err != nil || hits.Len() == 0 {
		return nil, err
	}

	reader, err := t.open(s, 0, -1)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	reader.forgotten = hits
	record := 0
	for {
		lines, err := reader.next.Next()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, InFile(s.Path, err)
		}
		for line := range bytes.Lines(lines) {
			if reader.isForgotten(line) {
				found = found.With(record)
			}
			record++
		}
	}
}

// forgottenRows returns the records of a part of a segment in columns that Readers leave out,
// numbered from the start of the part.
func (t *Tree) forgottenRows(s Segment, part Part) (found dedup.Records, err error) {
	hits, err := t.Hits(s, t.forgotten)
	if err != nil || hits.Len() == 0 {
		return nil, err
	}

	file, f, err := t.openColumnsFile(s)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	group := f.Group(part.Group)
	for row := part.Lo; row < part.Hi; row++ {
		forgotten, err := rowIsForgotten(group, row, hits)
		if err != nil {
			return nil, err
		}
		if forgotten {
			found = found.With(row - part.Lo)
		}
	}
	return found, nil
}

// idPaths are the paths below which records have the IDs that forget.Clients finds, and their
// namespace: so few columns are read.
var idPaths = [][]string{
	{"clientId"}, {"clientID"}, {"client_id"}, {"profileGroupId"}, {"profile_group_id"},
	{"client_info", "client_id"}, {"metrics", "uuid"}, {"metadata", "namespace"},
}

// rowIsForgotten says whether a record in columns is of one of the clients.
func rowIsForgotten(g *columns.Group, row int, set *forget.Set) (bool, error) {
	line, err := g.Odd(row)
	if err != nil {
		return false, err
	}
	if line != nil {
		forgotten, _ := set.Line(nil, line)
		return forgotten, nil
	}

	// A record of these members only.
	text := []byte{'{'}
	for _, names := range idPaths {
		text, err = appendPath(text, g, row, 0, names)
		if err != nil {
			return false, err
		}
	}
	forgotten, _ := set.HasText(nil, append(bytes.TrimSuffix(text, []byte{','}), '}'))
	return forgotten, nil
}

// appendPath appends the member of a record at a path, and a comma; nothing if there is none.
func appendPath(dst []byte, g *columns.Group, row int, node int32, names []string) ([]byte, error) {
	child := g.Child(node, names[0])
	if child < 0 {
		return dst, nil
	}
	kind, value, err := g.Kind(row, child)
	if err != nil || kind == columns.Absent {
		return dst, err
	}

	dst = append(append(append(dst, '"'), names[0]...), `":`...)
	switch {
	case kind == columns.Text:
		dst = append(dst, value...)
	case len(names) == 1:
		dst, err = g.AppendObject(dst, row, child)
	default:
		dst, err = appendPath(append(dst, '{'), g, row, child, names[1:])
		dst = append(bytes.TrimSuffix(dst, []byte{','}), '}')
	}
	return append(dst, ','), err
}
