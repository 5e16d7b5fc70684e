package convert

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
)

// unifiedTypes are the types of unified pings whose payload is converted.
var unifiedTypes = map[string]func(d *document, p *plan, u *unified) error{
	"main":           planMain,
	"first-shutdown": planMain, // the same, of the first session of a profile
	"saved-session":  planSavedSession,
}

// unified is what all types of unified pings have in common.
type unified struct {
	kind    string // the value of type, "" if it is no string
	payload *jsonscan.Member
	info    newInfo
}

// maxFlatMembers bounds the top level of a ping to be flattened, where every name
// is compared with every other. Real ones have nine.
const maxFlatMembers = 1000

// checkUnified checks what every unified ping must have. The error is a *Rejection.
func checkUnified(d *document) error {
	kind := d.top.Find("type")
	switch {
	case kind == nil || !truthy(d.top.Value(kind)):
		return reject(ClassConversion, "Unified ping has no top-level 'type' field")
	case d.top.Find("application") == nil:
		return reject(ClassConversion, "Unified ping has no top-level 'application' field")
	case d.top.Find("payload") == nil:
		return reject(ClassConversion, "Unified ping has no top-level 'payload' field")
	}
	return nil
}

// planUnifiedConverted plans a unified ping that is converted already.
func planUnifiedConverted(d *document, p *plan) error {
	if err := checkUnified(d); err != nil {
		return err
	}
	return planConverted(d, p)
}

// planUnified plans a ping in the format that telemetry and health report share.
func planUnified(d *document, p *plan) error {
	if err := checkUnified(d); err != nil {
		return err
	}
	if d.top.Find("info") != nil {
		return reject(ClassConversion, "Raw unified ping has an existing ping.info field")
	}

	application := int(d.top.Find("application").Start)
	if d.text[application] != '{' {
		return reject(ClassConversion, "Not an object: application")
	}

	// Every type gets an info.
	kind := d.top.Value(d.top.Find("type"))
	u := unified{payload: d.top.Find("payload"), info: newInfo{fields: p.info}}
	u.info.add(d, application, applicationFields, "")
	u.info.set("reason", kind)
	p.setDims(u.info.value)

	// The type decides the rest.
	if kind[0] == '"' {
		u.kind = string(jsonscan.Unquote(kind[1 : len(kind)-1]))
	}

	p.open(nil)
	plan := unifiedTypes[u.kind]
	if plan == nil {
		plan = planOtherType
	}
	if err := plan(d, p, &u); err != nil {
		return err
	}
	p.close()
	return nil
}

// planOtherType adds the members of a ping whose payload is not converted.
func planOtherType(d *document, p *plan, u *unified) error {
	p.copyTop(d, func(m *jsonscan.Member) { p.copy(d.top.Key(m), d.top.Value(m)) })
	p.addInfo(&u.info)
	return nil
}

// sections are the members of a main ping's payload that have histograms.
var sections = map[string]histogram.Section{
	"histograms":      histogram.Plain,
	"keyedHistograms": histogram.Keyed,
	"processes":       histogram.Processes,
}

// planMain adds the members of a main ping. Its histograms say their own bucketing, so
// they stay as they are, and need no definitions.
func planMain(d *document, p *plan, u *unified) error {
	if err := u.indexPayload(d); err != nil {
		return err
	}
	p.revision.url = revisionURL(&d.info)
	p.revision.wanted = p.revision.url != nil

	p.copyTop(d, func(m *jsonscan.Member) {
		p.open(d.top.Key(m))
		for i := range d.payload.Members {
			member := &d.payload.Members[i]
			if !d.payload.Counts(i) {
				continue
			}
			key := d.payload.Key(member)
			if section, ok := sections[string(key)]; ok {
				p.sieve(key, member, section)
			} else {
				p.copy(key, d.payload.Value(member))
			}
		}
		p.close()
	})
	p.addInfo(&u.info)
	return nil
}

// revisionURL returns the URL of the revision that an info names, nil if it names none.
func revisionURL(info *jsonscan.Object) []byte {
	revision := info.Find("revision")
	if revision == nil {
		return nil
	}
	value := info.Value(revision)
	if value[0] != '"' {
		return nil
	}
	return jsonscan.Unquote(value[1 : len(value)-1])
}

// planSavedSession adds the members of a saved-session ping, which is made to look
// like a classic one: what payload has goes to the top level.
func planSavedSession(d *document, p *plan, u *unified) error {
	if err := u.indexPayload(d); err != nil {
		return err
	}
	if err := p.need(&d.payload, &d.info); err != nil {
		return err
	}

	environment := d.top.Find("environment")
	switch {
	case environment == nil:
		// This is only the second thing that is wrong, if the histograms are.
		p.rewrite(nil, d.payload.Find("histograms"))
		p.rejection = reject(ClassConversion, "Unified saved-session ping missing 'environment' field")
		return nil
	case len(d.top.Members) > maxFlatMembers:
		p.parts = p.parts[:0]
		p.rejection = reject(ClassConversion, "Too many members")
		return nil
	}

	// Its info also gets what payload.info and environment have.
	u.info.merge(&d.info)
	if p.revision.unnamed() {
		u.info.setFallback()
	}
	u.info.addEnvironment(d, int(environment.Start))
	p.setDims(u.info.value)

	p.copyTop(d, func(*jsonscan.Member) { p.flatten(d) })
	p.addInfo(&u.info)

	// A classic ping has these two.
	clientID := []byte("null")
	if m := d.top.Find("clientId"); m != nil {
		clientID = d.top.Value(m)
	}
	p.copy([]byte("clientID"), clientID)
	p.copy([]byte(verMember), verUnifiedJSON)

	p.mayRepeat = mayRepeat(&d.top) || mayRepeat(&d.payload)
	return nil
}

// indexPayload indexes the payload and its info. The error is a *Rejection.
func (u *unified) indexPayload(d *document) error {
	if err := d.indexPayload(u.payload); err != nil {
		return err
	}
	switch {
	case d.payload.Find("info") == nil:
		return reject(ClassConversion, "Unified "+u.kind+" missing payload.info")
	case d.payload.Find("histograms") == nil:
		return reject(ClassConversion, "Unified "+u.kind+" missing payload.histograms")
	}

	return d.indexInfo(&d.payload)
}

// copyTop adds the members of the top level, version raised, payload by what
// the caller does.
func (p *plan) copyTop(d *document, payload func(*jsonscan.Member)) {
	for i := range d.top.Members {
		m := &d.top.Members[i]
		key := d.top.Key(m)
		switch {
		case !d.top.Counts(i), p.metadata && jsonscan.Is(key, metadataMember):
		case jsonscan.Is(key, "payload"):
			payload(m)
		case jsonscan.Is(key, versionMember):
			p.copy(key, versionConvertedJSON)
		default:
			p.copy(key, d.top.Value(m))
		}
	}
}

// payloadPrefix goes before the name of a flattened member whose name is taken.
const payloadPrefix = "payload."

// flatten adds the members of a saved-session ping's payload as members of the
// top level.
func (p *plan) flatten(d *document) {
	for i := range d.payload.Members {
		m := &d.payload.Members[i]
		key := d.payload.Key(m)
		if !d.payload.Counts(i) || jsonscan.Is(key, "info") {
			continue
		}

		name := key
		if jsonscan.Is(key, verMember) || d.top.Find(string(jsonscan.Unquote(key))) != nil {
			name = append([]byte(payloadPrefix), key...)
		}
		if jsonscan.Is(key, "histograms") {
			p.rewrite(name, m)
		} else {
			p.copy(name, d.payload.Value(m))
		}
	}
}

// mayRepeat says whether flattening may have given a member of o a name that
// another one has.
func mayRepeat(o *jsonscan.Object) bool {
	for i := range o.Members {
		name := jsonscan.Unquote(o.Key(&o.Members[i]))
		if string(name) == "clientID" || bytes.HasPrefix(name, []byte(payloadPrefix)) {
			return true
		}
	}
	return false
}

// truthy says whether the predecessor took a JSON value for true.
func truthy(value []byte) bool {
	switch c := value[0]; {
	case c == 'n' || c == 'f':
		return false
	case c == 't':
		return true
	case c == '"':
		return len(value) > 2
	case c == '{' || c == '[':
		return len(bytes.TrimSpace(value[1:len(value)-1])) > 0
	}
	f, _ := jsonscan.Float(value)
	return f != 0
}
