package upkeep

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// leaver leaves out the records that a segment in rows has of forgotten clients, and collects
// the clients of the others.
type leaver struct {
	quarantined bool
	set         *forget.Set // those that the segment may have
	clients     *forget.Collector
	everyLine   bool // each record is read, because there is no filter or it has some
	ids         []forget.ID
	left        int64
}

// newLeaver returns the leaver of a segment. If its filter says that there is nothing to leave
// out, no record is read, unless whatever is true.
func newLeaver(t *layout.Tree, seg layout.Segment, forgotten *forget.Set, whatever bool, clients *forget.Collector) (leaver, error) {
	l := leaver{quarantined: seg.Quarantined, clients: clients}
	if seg.Quarantined {
		clients.AddFilter(nil, 0) // what is quarantined is packed, and is read

		// Most segments have none of the clients, and need not be read.
		l.set = forgotten
		l.everyLine = forgotten.Len() > 0
		return l, nil
	}

	filter, err := t.Clients(seg)
	if err != nil {
		return l, err
	}
	if whatever {
		filter = nil
	}
	l.set = filter.Hits(forgotten)
	l.everyLine = filter == nil || l.set.Len() > 0

	// No record will be read, so the filter stands for the IDs of all of them.
	if !l.everyLine {
		info, err := t.Info(seg)
		if err != nil {
			return l, err
		}
		clients.AddFilter(filter, info.Records)
	}

	return l, nil
}

// of returns the lines and the IDs of the records that stay. Lines are changed in place.
func (l *leaver) of(lines []byte, ids segment.IDs) ([]byte, segment.IDs) {
	if !l.everyLine {
		return lines, ids
	}

	kept := lines[:0]
	var keptIDs segment.IDs
	record := 0
	left := l.left

	for line := range bytes.Lines(lines) {
		if l.isLeft(line) {
			l.left++
		} else {
			kept = append(kept, line...)
			keptIDs.Append(ids.Slice(record, record+1))
		}
		record++
	}

	// Nothing was left out, so nothing moved.
	if l.left == left {
		return lines, ids
	}
	return kept, keptIDs
}

// isLeft says whether a record is left out, and collects its clients if it is not.
func (l *leaver) isLeft(line []byte) bool {
	if l.quarantined {
		return layout.RejectedIsForgotten(line, l.set)
	}

	_, text, _ := bytes.Cut(line, []byte("\t"))
	ids, namespace := forget.Clients(l.ids[:0], text)
	l.ids = ids

	if l.set.Has(ids, namespace) {
		return true
	}

	l.clients.Add(ids)
	return false
}
