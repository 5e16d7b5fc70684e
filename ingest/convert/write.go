package convert

import (
	"strconv"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
)

// writer executes plans, in memory that it uses again.
type writer struct {
	out      histogram.Output
	rewriter *histogram.Rewriter
	sieve    *histogram.Sieve
	ahead    ahead
}

// dropped returns the histograms that the record written last lacks.
func (w *writer) dropped() []histogram.Drop { return w.out.Dropped }

// write returns the record of a ping, which is valid until the next call, and checks
// what of the ping was not checked before. found are the definitions that the plan
// needs. The error is a *Rejection.
func (w *writer) write(d *document, p *plan, found *definitions) ([]byte, error) {
	// What was read ahead is of no use if the guess at the revision was wrong, or if not all
	// of it counts.
	if w.sieve.Spec() != found.spec || d.payload.Repeats() {
		w.sieve.Begin(found.spec)
	}

	// Write the parts. Histograms are checked on the way.
	w.out.Reset()
	for i := range p.parts {
		part := &p.parts[i]
		if part.key != nil {
			w.key(part.key)
		}

		switch part.kind {
		case copyValue, copyMembers:
			w.out.JSON = append(w.out.JSON, part.value...)
		case openObject:
			w.out.JSON = append(w.out.JSON, '{')
		case closeObject:
			w.out.JSON = append(w.out.JSON, '}')
		case writeHistograms:
			if err := w.histograms(d.text, part.histograms, found); err != nil {
				return nil, err
			}

		case copyHistograms:
			if err := w.copyHistograms(d.text, part); err != nil {
				return nil, err
			}

		// A ping without a revision gets the one that was found.
		case writeRevision:
			w.out.JSON = strconv.AppendQuote(w.out.JSON, string(found.url))
		case writeFoundBy:
			w.out.JSON = strconv.AppendQuote(w.out.JSON, found.by)
		}
	}

	// What the plan does not write, or copies unseen, may still be no JSON.
	if p.rejection != nil {
		return nil, p.rejection
	}
	if err := d.verify(); err != nil {
		return nil, err
	}

	if p.unchanged {
		return d.text[d.begin:d.end], nil
	}
	if p.mayRepeat {
		w.out.JSON = withoutRepeats(w.out.JSON)
	}
	return w.out.JSON, nil
}

// key begins a member of the object that is being written.
func (w *writer) key(raw []byte) {
	if w.out.JSON[len(w.out.JSON)-1] != '{' {
		w.out.JSON = append(w.out.JSON, ',')
	}
	w.out.JSON = append(w.out.JSON, '"')
	w.out.JSON = append(w.out.JSON, raw...)
	w.out.JSON = append(w.out.JSON, '"', ':')
}

// histograms writes the histograms that m holds, and checks them.
func (w *writer) histograms(text []byte, m *jsonscan.Member, found *definitions) error {
	start := int(m.Start)
	if w.ahead.append(&w.out, start, found.spec) {
		m.Unchecked = false
		return nil
	}

	// The guess was wrong, or the revision was not known.
	end, err := w.rewriter.Rewrite(&w.out, text, start, found.spec)
	if err != nil {
		return rejectHistograms(err, found.url)
	}
	if end != int(m.End) {
		return notJSON(jsonscan.Valid(text)) // skipping went astray, so this is an error
	}
	m.Unchecked = false
	return nil
}

// copyHistograms copies the histograms of a part, and checks them if they are not yet.
func (w *writer) copyHistograms(text []byte, p *part) error {
	end, err := w.sieve.Copy(&w.out, text, int(p.histograms.Start), p.section)
	if err != nil {
		return notJSON(err)
	}
	if end != int(p.histograms.End) {
		return notJSON(jsonscan.Valid(text)) // skipping went astray, so this is an error
	}
	p.histograms.Unchecked = false
	return nil
}

// withoutRepeats removes, from the object that json is, every member that has a
// later one with the same name.
func withoutRepeats(json []byte) []byte {
	var o jsonscan.Object
	if _, err := o.Index(json, 0); err != nil || !o.Repeats() {
		return json
	}

	// Write it again, because that is rare.
	kept := writer{out: histogram.Output{JSON: append(make([]byte, 0, len(json)), '{')}}
	for i := range o.Members {
		m := &o.Members[i]
		if o.Counts(i) {
			kept.key(o.Key(m))
			kept.out.JSON = append(kept.out.JSON, o.Value(m)...)
		}
	}
	return append(kept.out.JSON, '}')
}
