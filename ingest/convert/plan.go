package convert

import (
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// plan says how the record of a ping is written. A format makes it, a writer
// executes it. It aliases the text of the ping.
type plan struct {
	// parts are what is written, in order.
	parts []part
	// unchanged says that the record is the ping as it is; there are no parts.
	unchanged bool
	// mayRepeat says that members of the top level may get the same name. Of those
	// only the last stays.
	mayRepeat bool
	// revision says which definitions the histograms need.
	revision revisionNeed
	// dims are the JSON values of the dimensions, nil for what is missing; that of
	// the date is not used.
	dims [schema.NumDims][]byte
	// metadata says that the record gets the member of that name.
	metadata bool
	// claimed are dimensions as text, for those that are missing.
	claimed schema.Dims
	// rejection is what the ping is rejected for if its histograms are good, or nil.
	rejection error

	info []part // memory of newInfo
}

// revisionNeed says of which revision the definitions are needed.
type revisionNeed struct {
	needed bool   // false: there are no histograms that need them
	wanted bool   // they check histograms if they are at hand
	url    []byte // nil: the ping does not say
	// Without a URL, these JSON values (nil for what is missing) find the revision.
	channel, buildID, version []byte
}

// unnamed says that histograms need a revision that the ping does not name.
func (r *revisionNeed) unnamed() bool { return r.needed && r.url == nil }

// part is a piece of a record.
type part struct {
	kind partKind
	key  []byte // the member's name as written, between its quotes; nil: no name
	// value is the text of copyValue and copyMembers.
	value []byte
	// histograms is the member that writeHistograms rewrites, or copyHistograms copies.
	histograms *jsonscan.Member
	section    histogram.Section // of copyHistograms
}

// partKind says what a part writes.
type partKind uint8

const (
	copyValue       partKind = iota // a value as it is
	copyMembers                     // members as they are, without a name or braces
	openObject                      // "{"
	closeObject                     // "}"
	writeHistograms                 // rewritten histograms
	copyHistograms                  // histograms as they are, but for those that cannot be used
	writeRevision                   // the URL of the revision that was found
	writeFoundBy                    // by what it was found
)

// reset empties the plan, but for its memory.
func (p *plan) reset() { *p = plan{parts: p.parts[:0], info: p.info[:0]} }

// copy adds a member with a value as it is.
func (p *plan) copy(key, value []byte) {
	p.parts = append(p.parts, part{kind: copyValue, key: key, value: value})
}

// open begins an object, as a member or, without a key, as the whole.
func (p *plan) open(key []byte) { p.parts = append(p.parts, part{kind: openObject, key: key}) }

// close ends the object that was opened last.
func (p *plan) close() { p.parts = append(p.parts, part{kind: closeObject}) }

// rewrite adds a member with histograms.
func (p *plan) rewrite(key []byte, histograms *jsonscan.Member) {
	p.parts = append(p.parts, part{kind: writeHistograms, key: key, histograms: histograms})
}

// sieve adds a member with histograms that stay as they are.
func (p *plan) sieve(key []byte, histograms *jsonscan.Member, section histogram.Section) {
	p.parts = append(p.parts, part{kind: copyHistograms, key: key, histograms: histograms, section: section})
}

// fallback adds the members that say which revision was found, and how.
func (p *plan) fallback() {
	p.parts = append(p.parts, part{kind: writeRevision, key: []byte("revision")}, part{kind: writeFoundBy, key: []byte(fallbackMark)})
}

// setDims sets the dimensions from the values that find returns.
func (p *plan) setDims(find func(name string) []byte) {
	for i, name := range schema.DimNames[:schema.SubmissionDate] {
		p.dims[i] = find(name)
	}
}

// setDimsOf sets the dimensions from the members of an object.
func (p *plan) setDimsOf(info *jsonscan.Object) {
	p.setDims(func(name string) []byte {
		m := info.Find(name)
		if m == nil {
			return nil
		}
		return info.Value(m)
	})
}

// need says which revision is needed for the histograms of ping, whose info is
// given. It uses the dimensions that are set by then. The error is a *Rejection.
func (p *plan) need(ping, info *jsonscan.Object) error {
	revision, histograms := info.Find("revision"), ping.Find("histograms")
	if revision == nil && histograms == nil {
		return nil
	}

	// Without a URL the revision may be found by the build.
	p.revision.needed = true
	if revision == nil {
		p.revision.channel = p.dims[schema.Channel]
		p.revision.buildID = p.dims[schema.BuildID]
		p.revision.version = p.dims[schema.Version]
		return nil
	}

	if histograms == nil {
		return reject(ClassConversion, "Missing in payload: histograms")
	}
	value := info.Value(revision)
	if value[0] != '"' {
		return reject(ClassConversion, "Invalid revision URL: "+python(value))
	}
	p.revision.url = jsonscan.Unquote(value[1 : len(value)-1])
	return nil
}

// newInfo is an info that a ping does not have and that a format puts together. Its
// fields are copyValue parts, or those of fallback.
type newInfo struct {
	fields []part
}

// find returns the field with this name, or nil.
func (n *newInfo) find(name string) *part {
	for i := range n.fields {
		f := &n.fields[i]
		if string(f.key) == name || strings.IndexByte(string(f.key), '\\') >= 0 && jsonscan.Is(f.key, name) {
			return f
		}
	}
	return nil
}

// value returns the value of a field, nil if it is missing.
func (n *newInfo) value(name string) []byte {
	f := n.find(name)
	if f == nil {
		return nil
	}
	return f.value
}

// set sets a field, in place of the one with its name or at the end.
func (n *newInfo) set(name string, value []byte) {
	n.put(part{kind: copyValue, key: []byte(name), value: value})
}

func (n *newInfo) put(field part) {
	if f := n.find(string(field.key)); f != nil {
		key := f.key
		*f = field
		f.key = key
		return
	}
	n.fields = append(n.fields, field)
}

// setFallback sets the fields that say which revision was found, and how.
func (n *newInfo) setFallback() {
	n.put(part{kind: writeRevision, key: []byte("revision")})
	n.put(part{kind: writeFoundBy, key: []byte(fallbackMark)})
}

// addInfo adds the new info as a member.
func (p *plan) addInfo(n *newInfo) {
	p.open([]byte("info"))
	p.parts = append(p.parts, n.fields...)
	p.close()
	p.info = n.fields // for its memory
}
