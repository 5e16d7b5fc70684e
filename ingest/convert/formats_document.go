package convert

import (
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// metadataMember is the member of records that the server writes; see package metadata.
// A client's own member of this name is left out.
const metadataMember = "metadata"

// planDocument plans a document whose format is not known here, or needs no conversion,
// as Glean's: the record is the document as it is. A dimension that the document does not
// have is the one that the path claims.
func planDocument(d *document, p *plan, path *schema.Submitted) {
	p.claimed = path.Claimed
	if path.Namespace == schema.TelemetryNamespace {
		d.telemetryDims(p)
	} else {
		d.gleanDims(p)
	}

	if !d.top.Repeats() && d.top.Find(metadataMember) == nil {
		p.unchanged = true
		return
	}
	p.open(nil)
	for i := range d.top.Members {
		m := &d.top.Members[i]
		if key := d.top.Key(m); d.top.Counts(i) && !jsonscan.Is(key, metadataMember) {
			p.copy(key, d.top.Value(m))
		}
	}
	p.close()
}

// telemetryDims sets the dimensions that a document of the telemetry namespace has where
// unified pings have them.
func (d *document) telemetryDims(p *plan) {
	p.dims[schema.Reason] = d.scalar("type")
	application := d.top.Find("application")
	if application == nil || d.text[application.Start] != '{' {
		return
	}

	// The first fields are the dimensions.
	for _, field := range applicationFields {
		at, ok := d.lookUp(int(application.Start), field.path...)
		dim := schema.DimIndex(field.name)
		if ok && dim >= 0 {
			p.dims[dim] = scalarAt(d.text, at)
		}
	}
}

// gleanFields are the members of client_info that are dimensions. In metrics.string the
// same have one of the prefixes.
var gleanFields = map[string]int{
	"app_channel":         schema.Channel,
	"app_display_version": schema.Version,
	"app_build":           schema.BuildID,
}

// Pings about another program than the one that sends them have that one's dimensions as
// metrics: the crash reporter those of the crashed browser. Pings without client_info may
// have their own.
const (
	crashPrefix = "crash."
	usagePrefix = "usage."
)

// gleanIDs are the IDs of a Glean ping, which are found together with its dimensions.
type gleanIDs struct {
	read   bool   // else they are not known
	client []byte // client_info.client_id as JSON, nil if there is none

	// Of the metrics at text[metrics]; 0: none were read.
	metrics int
	texts   int    // where the object metrics.string lies, 0 if there is none
	uuids   []byte // the member uuid as JSON, nil if there is none
}

// gleanDims sets the dimensions that a Glean ping has. Its type and namespace are in the
// path only.
func (d *document) gleanDims(p *plan) {
	d.glean.read = true
	if client := d.top.Find("client_info"); client != nil && d.text[client.Start] == '{' {
		for it := jsonscan.MembersTrusted(d.text, int(client.Start)); it.Next(); {
			if dim, ok := gleanFields[string(it.Key)]; ok {
				p.dims[dim] = scalarAt(d.text, it.Start)
			} else if jsonscan.Is(it.Key, "client_id") {
				d.glean.client = scalarAt(d.text, it.Start)
			}
		}
	}

	metrics := d.top.Find("metrics")
	if metrics == nil {
		return
	}
	if d.glean.metrics != int(metrics.Start) {
		it := jsonscan.MembersTrusted(d.text, int(metrics.Start)) // its name has an escape, or it is no object
		d.walkMetrics(int(metrics.Start), &it)
	}
	if d.glean.texts == 0 {
		return
	}

	for it := jsonscan.MembersTrusted(d.text, d.glean.texts); it.Next(); {
		if len(it.Key) <= len(crashPrefix) {
			continue
		}
		dim, ok := gleanFields[string(it.Key[len(crashPrefix):])] // both prefixes are as long
		if !ok {
			continue
		}
		prefix := string(it.Key[:len(crashPrefix)])
		if prefix == crashPrefix || prefix == usagePrefix && p.dims[dim] == nil {
			p.dims[dim] = scalarAt(d.text, it.Start)
		}
	}
}

// readMetrics checks the metrics, the current member of it, and finds on the way what is
// needed of them, because they may be most of a ping.
func (d *document) readMetrics(it *jsonscan.Iter) {
	if d.text[it.Start] != '{' {
		return
	}
	inner := it.Inner()
	d.walkMetrics(it.Start, &inner)
	if inner.Err() == nil {
		it.SetEnd(inner.After())
	}
}

// walkMetrics finds what is needed of the metrics at d.text[start], whose members it walks.
func (d *document) walkMetrics(start int, it *jsonscan.Iter) {
	d.glean.metrics, d.glean.texts, d.glean.uuids = start, 0, nil
	for it.Next() {
		switch string(it.Name()) {
		case "uuid":
			d.glean.uuids = it.Value()
		case "string":
			d.glean.texts = 0
			if d.text[it.Start] == '{' {
				d.glean.texts = it.Start
			}
		}
	}
}

// scalar returns a member of the top level, nil if it is missing, null, an object or an
// array.
func (d *document) scalar(name string) []byte {
	m := d.top.Find(name)
	if m == nil {
		return nil
	}
	return scalarAt(d.text, int(m.Start))
}

// scalarAt returns the value at text[start], which was checked; nil for null, an object or
// an array.
func scalarAt(text []byte, start int) []byte {
	switch text[start] {
	case '{', '[', 'n':
		return nil
	}
	return text[start:jsonscan.SkipTrusted(text, start)]
}
