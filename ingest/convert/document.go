package convert

import (
	"fmt"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/revisions"
)

// maxMembers bounds the members of the objects that are indexed: an index takes several
// times the memory of the shortest members. Real pings have some hundred at most.
const maxMembers = 100_000

// errTooManyMembers is the *Rejection for an object with more than maxMembers.
var errTooManyMembers = reject(ClassConversion, fmt.Sprintf("An object has more than %d members", maxMembers))

// document is a ping as received: where its members lie. Nothing is decoded.
//
// The values of histograms and payload are only skipped. They are checked when they
// are rewritten or indexed, or else by verify. All other values are checked.
type document struct {
	text       []byte
	begin, end int // of the top-level object
	top        jsonscan.Object
	info       jsonscan.Object // of top or payload, by indexInfo
	payload    jsonscan.Object // of a unified ping, by indexPayload
	ahead      *ahead          // histograms whose end is known
	glean      gleanIDs

	isApplication bool // of another namespace than telemetry
	payloadAt     int  // where the payload lies that is indexed; 0: none is

	sieve  *histogram.Sieve           // of the writer
	atHand map[string]*revisions.Spec // of the resolver
}

// index indexes the top level of a ping. The error is a *Rejection.
func (d *document) index(text []byte, ahead *ahead, isApplication bool) error {
	d.text, d.ahead, d.glean = text, ahead, gleanIDs{}
	d.isApplication, d.payloadAt = isApplication, 0
	d.info.Reset(text)
	d.payload.Reset(text)

	d.begin = jsonscan.Space(text, 0)
	if d.begin < len(text) && text[d.begin] != '{' {
		if err := jsonscan.Valid(text); err != nil {
			return notJSON(err)
		}
		return reject(ClassConversion, "Missing payload version")
	}

	end, err := d.indexObject(&d.top, d.begin, d.passTop)
	if err == errTooManyMembers {
		return err
	}
	if err != nil || jsonscan.Space(text, end) < len(text) {
		return notJSON(jsonscan.Valid(text)) // the first thing that is wrong
	}
	d.end = end
	return nil
}

// indexObject indexes the object at text[start], and returns the offset behind it.
// pass may set the end of a value, and says whether it is to be checked later; nil: all
// are checked now. The error is a *jsonscan.SyntaxError or errTooManyMembers.
func (d *document) indexObject(o *jsonscan.Object, start int, pass func(*jsonscan.Iter) (unchecked bool)) (end int, err error) {
	o.Reset(d.text)
	it := jsonscan.Members(d.text, start)
	for it.Next() {
		if len(o.Members) == maxMembers {
			return start, errTooManyMembers
		}

		o.Add(&it, pass != nil && pass(&it))
	}
	return it.After(), it.Err()
}

// passTop passes over the members of the top level that a later step reads anyway, or that
// are best read now.
func (d *document) passTop(it *jsonscan.Iter) (unchecked bool) {
	switch string(it.Key) {
	default:
		return false
	case "metrics":
		if d.isApplication {
			d.readMetrics(it)
		}
		return false

	case "histograms":
		end, ok := d.ahead.endOf(it.Start)
		if !ok {
			end = jsonscan.SkipTrusted(d.text, it.Start)
		}
		it.SetEnd(end)
	case "payload":
		end, ok := d.readPayload(it.Start)
		if !ok {
			end = jsonscan.SkipTrusted(d.text, it.Start)
		}
		it.SetEnd(end)
	}
	return true
}

// indexInfo indexes the info of an object, top or payload. The error is a
// *Rejection.
func (d *document) indexInfo(ping *jsonscan.Object) error {
	m := ping.Find("info")
	if m == nil || d.text[m.Start] == 'n' {
		return reject(ClassConversion, "Missing in payload: info")
	}

	if d.text[m.Start] != '{' {
		return reject(ClassConversion, "Not an object: info")
	}

	_, err := d.indexObject(&d.info, int(m.Start), nil)
	if err == errTooManyMembers {
		return err
	}
	if err != nil {
		return notJSON(err)
	}
	return nil
}

// verify checks what was only skipped. The error is a *Rejection.
func (d *document) verify() error {
	for _, o := range [...]*jsonscan.Object{&d.top, &d.payload} {
		if err := o.Verify(); err != nil {
			return notJSON(err)
		}
	}
	return nil
}

// lookUp returns where the value at the end of a path of names lies, in text
// that has been checked. What is no object has no members; of members with the same
// name the last counts.
func (d *document) lookUp(start int, path ...string) (at int, ok bool) {
	at = start
	for _, name := range path {
		if d.text[at] != '{' {
			return 0, false
		}

		found := false
		it := jsonscan.MembersTrusted(d.text, at)
		for it.Next() {
			if jsonscan.Is(it.Key, name) {
				at, found = it.Start, true
			}
		}
		if !found {
			return 0, false
		}
	}
	return at, true
}
