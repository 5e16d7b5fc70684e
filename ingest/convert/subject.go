package convert

import (
	"slices"

	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// setSubject sets whom a record is about. The record of a deletion request gets null in the
// place of the IDs, so that it can stay.
func (c *Converter) setSubject(r *Record, from *received) {
	c.clients = c.document.clients(c.clients[:0])
	r.Subject = Subject{Clients: c.clients, Namespace: from.path.Namespace}

	row := c.deletion(from.path.Namespace, from.path.Type, r.Dims[schema.Reason])
	if row == nil {
		return
	}
	from.isDeletion = true
	for _, id := range row.Read(c.document.text) {
		r.Forget = append(r.Forget, forget.Request{ID: id, Time: from.submission.Time, Reaches: row.Reaches})
		r.Clients = slices.DeleteFunc(r.Clients, func(other forget.ID) bool { return other == id })
	}
	if len(r.Forget) > 0 {
		r.JSON = row.Redact(r.JSON)
	}
}

// deletion returns the kind of deletion request that a ping of one of these types is, nil for any
// other ping.
func (c *Converter) deletion(namespace string, types ...string) *forget.Row {
	if c.options.Deletions == nil {
		return nil
	}
	for _, name := range types {
		if row := c.options.Deletions.Find(namespace, name); row != nil {
			return row
		}
	}
	return nil
}

// clients appends the IDs of the document's client: what forget.Clients finds.
func (d *document) clients(dst []forget.ID) []forget.ID {
	if d.glean.read {
		dst = forget.AppendValue(dst, d.glean.client)
		dst = forget.AppendUUIDs(dst, d.glean.uuids)
	}

	for i := range d.top.Members {
		m := &d.top.Members[i]
		key := d.top.Key(m)
		inGlean := string(key) == "client_info" || string(key) == "metrics"
		if !m.Unchecked && !(inGlean && d.glean.read) {
			dst = forget.AppendMember(dst, key, d.top.Value(m))
		}
	}
	return dst
}
