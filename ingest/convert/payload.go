package convert

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// readPayload indexes the payload at d.text[start] of what may be a main ping, and checks
// its histograms, while the top level is walked. Else nearly all of a ping would be skipped
// to find the end of the payload, skipped again to find the ends of its histograms, and then
// read. It returns false for a payload that is not read ahead.
//
// Nothing is decided here: the payload and its histograms stay unchecked, until indexPayload
// and the writer use what was found. TestPayloadAhead compares with pings that are not read
// ahead; BenchmarkConvertClients/main, docs/BENCHMARKS.md, pays for it, 2026-11-29.
func (d *document) readPayload(start int) (end int, ok bool) {
	if d.payloadAt != 0 || d.text[start] != '{' || !d.mayBeMain() {
		return start, false
	}

	d.sieve.Begin(d.guessSpec(start))
	end, err := d.indexObject(&d.payload, start, d.readSection)
	if err != nil {
		d.payload.Reset(d.text) // if it is wrong, a later step finds out what for
		return start, false
	}
	d.payloadAt = start
	return end, true
}

// mayBeMain says whether the members before the payload may be those of a main ping that is
// not converted yet. Browsers send type and version in front of it.
func (d *document) mayBeMain() bool {
	if d.isApplication {
		return false
	}

	if version := d.top.Find(versionMember); version != nil && string(d.top.Value(version)) != "4" {
		return false
	}
	kind := d.top.Find("type")
	if kind == nil {
		return true
	}
	switch string(d.top.Value(kind)) {
	case `"main"`, `"first-shutdown"`:
		return true
	}
	return false
}

// guessSpec returns the definitions for the revision that a payload at d.text[start] seems
// to have, nil if they are not at hand. The writer finds out whether the guess is right.
func (d *document) guessSpec(start int) *revisions.Spec {
	// Most servers have no definitions for pings of today.
	some := false
	for _, spec := range d.atHand {
		some = some || spec != nil
	}
	if !some {
		return nil
	}

	_, url, _ := bytes.Cut(d.text[start:], []byte(`"revision":"`))
	end := max(0, bytes.IndexByte(url, '"'))
	return d.atHand[string(url[:end])]
}

// readSection checks a member of the payload that has histograms.
func (d *document) readSection(it *jsonscan.Iter) (unchecked bool) {
	section, ok := sections[string(it.Key)]
	if !ok {
		return false
	}
	end, err := d.sieve.Ahead(d.text, it.Start, section)
	if err != nil {
		end = jsonscan.SkipTrusted(d.text, it.Start)
	}
	it.SetEnd(end)
	return true
}

// skipSection passes over a member of the payload that has histograms.
func (d *document) skipSection(it *jsonscan.Iter) (unchecked bool) {
	if _, ok := sections[string(it.Key)]; !ok {
		return false
	}
	it.SetEnd(jsonscan.SkipTrusted(d.text, it.Start))
	return true
}

// indexPayload indexes the payload of a unified ping, if it was not read ahead; one that is
// no object has no members. The error is a *Rejection.
func (d *document) indexPayload(payload *jsonscan.Member) error {
	start, end := int(payload.Start), int(payload.End)
	if d.payloadAt != start {
		d.payload.Reset(d.text) // of another member with this name
		d.sieve.Begin(nil)
		if d.text[start] != '{' {
			return nil
		}

		var err error
		end, err = d.indexObject(&d.payload, start, d.skipSection)
		if err == errTooManyMembers {
			return err
		}
		if err != nil {
			return notJSON(err)
		}
	}

	if end != int(payload.End) {
		if err := jsonscan.Valid(d.text); err != nil { // else skipping did not go astray
			return notJSON(err)
		}
	}
	payload.Unchecked = false
	return nil
}
