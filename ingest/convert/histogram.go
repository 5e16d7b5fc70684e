package convert

import (
	"bytes"
	"fmt"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// drop notes that a histogram is left out of the record in hand.
func (c *Converter) drop(name []byte, reason string) {
	c.dropped = append(c.dropped, Drop{c.names.of(name), reason})
}

// tailNames are the sums that follow the buckets, in order.
var tailNames = [layout.TailNumbers]string{"sum", "log_sum", "log_sum_squares", "sum_squares_lo", "sum_squares_hi"}

// histogramScratch is memory for one histogram, used again for the next.
type histogramScratch struct {
	tail  [layout.TailNumbers][]byte // as spelled; nil if missing
	cells [][]byte                   // the counts of buckets that come in no good order
	names nameSet
}

// claim is what a histogram of a ping says about its own layout; -1 is nothing,
// -2 is nonsense.
type claim struct{ kind, low, high, buckets int64 }

// histograms checks and writes the histograms that m holds, unless that has been
// done ahead. c.url is where spec comes from.
func (c *Converter) histograms(text []byte, m *member, spec *revisions.Spec) error {
	if a := &c.ahead; a.start == m.start && a.spec == spec {
		c.out, c.dropped = append(c.out, a.out...), append(c.dropped, a.dropped...)
		return nil
	}
	end, err := c.rewriteHistograms(text, m.start, spec)
	if err == nil && end != m.end {
		err = badJSON(jsonscan.Valid(text)) // skipping went astray, so there is an error
	}
	return err
}

// ahead is histograms that were rewritten before info was seen, by a guess at
// the revision: that saves skipping them to find info.
type ahead struct {
	start, end int // of the histograms; start is 0 for none
	spec       *revisions.Spec
	out        []byte
	dropped    []Drop
}

// lookAhead rewrites what look like the histograms of the ping if the revision
// that the text seems to have is known. Whoever uses the result checks both.
func (c *Converter) lookAhead(text []byte) {
	c.ahead.start = 0
	at := bytes.Index(text, []byte(`"histograms":{`))
	if at < 0 {
		return
	}
	const name = `"revision":"`
	tail := max(at, len(text)-lookBack)
	from := tail
	if i := bytes.Index(text[tail:], []byte(name)); i >= 0 {
		from += i
	} else if from = bytes.Index(text[:at], []byte(name)); from < 0 {
		return
	}
	from += len(name)
	url := text[from : from+max(0, bytes.IndexByte(text[from:], '"'))]
	spec := c.specs[string(url)]
	if spec == nil {
		return
	}
	a := &c.ahead
	c.out, c.dropped, c.url = c.out[:0], c.dropped[:0], url
	at += len(`"histograms":`)
	if end, err := c.rewriteHistograms(text, at, spec); err == nil {
		a.start, a.end, a.spec = at, end, spec
		a.out, c.out = c.out, a.out
		a.dropped, c.dropped = c.dropped, a.dropped[:0]
	}
}

// lookBack is how much of a ping's end is searched for its revision; info comes
// last in most and has one or two kB.
const lookBack = 4 << 10

// rewriteHistograms writes the histograms at text[i] and returns the offset
// behind them. Of namesakes only the last counts, be the others as bad as they may.
func (c *Converter) rewriteHistograms(text []byte, i int, spec *revisions.Spec) (end int, err error) {
	if text[i] != '{' {
		return i, badConversion("Not an object: histograms")
	}
	mark, dropped := len(c.out), len(c.dropped)
	end, twice, err := c.rewriteEach(text, i, spec, nil)
	if err == nil && !twice {
		return end, nil
	}
	var o object
	if _, syntax := o.index(text, i, nil); syntax != nil {
		return i, badJSON(syntax)
	}
	if o.supersede(); o.superseded == nil {
		return end, err
	}
	c.out, c.dropped = c.out[:mark], c.dropped[:dropped]
	end, _, err = c.rewriteEach(text, i, spec, o.superseded)
	return end, err
}

// rewriteEach is rewriteHistograms without those that are superseded. twice says
// that there are namesakes.
func (c *Converter) rewriteEach(text []byte, i int, spec *revisions.Spec, superseded []bool) (end int, twice bool, err error) {
	c.out = append(c.out, '{')
	c.hist.names.clear()
	n := -1
	it := jsonscan.Members(text, i)
	for it.Next() {
		if n++; superseded != nil && superseded[n] {
			continue
		}
		if len(c.out) > maxRecord {
			return i, twice, badConversion(fmt.Sprintf("Converted to more than %d bytes", maxRecord))
		}
		name := it.Name()
		d := spec.Lookup(name)
		if d == nil {
			c.drop(name, DropUnknown)
			continue
		}
		twice = c.hist.names.add(name, d) || twice
		mark := len(c.out)
		c.key(it.Key)
		if end, ok := c.usualHistogram(text, it.Start, d); ok {
			it.SetEnd(end)
			continue
		}
		c.out = c.out[:mark]
		c.key(it.Key)
		end, why, err := c.histogram(text, it.Start, name, d)
		if err != nil {
			return i, twice, err
		}
		if why != "" {
			c.out = c.out[:mark]
			c.drop(name, why)
		}
		it.SetEnd(end)
	}
	if err := it.Err(); err != nil {
		return i, twice, badJSON(err)
	}
	c.out = append(c.out, '}')
	return it.After(), twice, nil
}

// nameSet is names of histograms that have a definition.
type nameSet struct {
	walk []uint32 // by definition, and then by whether it is a STARTUP_ copy: in which set it is
	now  uint32   // this set
}

func (s *nameSet) clear() {
	if s.now++; s.now == 0 {
		clear(s.walk)
		s.now = 1
	}
}

// add says whether a name, whose definition is d, is in the set, and adds it.
func (s *nameSet) add(name []byte, d *revisions.Definition) bool {
	i := 2 * d.Index
	if len(name) > len(d.Name) {
		i++
	}
	if i >= len(s.walk) {
		s.walk = append(s.walk, make([]uint32, i+1-len(s.walk))...)
	}
	before := s.walk[i]
	s.walk[i] = s.now
	return before == s.now
}

// histogram writes the histogram at text[i], [buckets…, sums…], and returns the
// offset behind it. Without a known bucket count it writes the sums only. why says
// that it must be dropped; then what it wrote is garbage.
func (c *Converter) histogram(text []byte, i int, name []byte, d *revisions.Definition) (end int, why string, err error) {
	if text[i] != '{' {
		return i, "", badConversion(fmt.Sprintf("Not an object: histograms.%s", name))
	}
	c.out = append(c.out, '[')
	mark := len(c.out)
	found := false
	var bad error // in the buckets, if the histogram is of the defined layout
	said := claim{-1, -1, -1, -1}
	tail := &c.hist.tail
	clear(tail[:])
	it := jsonscan.Members(text, i)
	for it.Next() {
		switch string(it.Key) {
		case "values":
			c.out = c.out[:mark]
			if found = true; d.Err == nil {
				if end, bad = c.buckets(text, it.Start, name, d.Bounds()); bad == nil {
					it.SetEnd(end)
				}
			}
		case "range":
			said.low, said.high = integers(it.Value())
		case "bucket_count":
			said.buckets = integer(it.Value())
		case "histogram_type":
			said.kind = integer(it.Value())
		case "sum":
			tail[0] = it.Value()
		case "log_sum":
			tail[1] = it.Value()
		case "log_sum_squares":
			tail[2] = it.Value()
		case "sum_squares_lo":
			tail[3] = it.Value()
		case "sum_squares_hi":
			tail[4] = it.Value()
		}
	}
	if err := it.Err(); err != nil {
		return i, "", badJSON(err)
	}
	if !found {
		return i, "", badConversion(fmt.Sprintf("Bad Histogram key for revision %s: 'values'", c.url))
	}
	if d.Err != nil && !d.Unsized {
		return i, "", badConversion(fmt.Sprintf("Bad Histogram definition for revision %s: %v", c.url, d.Err))
	}
	switch {
	case d.Guessed || d.Unsized:
	case said.kind != -1 && said.kind != int64(d.Kind.TypeCode()):
		why = DropType
	case said.low != -1 && (max(said.low, 1) != int64(d.Low) || said.high != int64(d.High)):
		why = DropRange
	case said.buckets != -1 && said.buckets != int64(d.BucketCount):
		why = DropBucketCount
	}
	if why != "" {
		return it.After(), why, nil
	}
	if bad != nil {
		return i, "", bad
	}
	for k, t := range tail {
		switch {
		case t == nil || t[0] == 'n':
			c.out = append(c.out, "-1,"...)
		case t[0] != '-' && t[0]-'0' > 9:
			return i, "", reject(ClassBadPayload, fmt.Sprintf("Found non-numeric sum: %s.%s = '%s'", name, tailNames[k], python(t)))
		default:
			c.out = append(append(c.out, t...), ',')
		}
	}
	c.out[len(c.out)-1] = ']'
	return it.After(), "", nil
}

// integer returns the integer that a JSON value spells, -2 for all else and for
// negative ones.
func integer(value []byte) int64 {
	if n, ok := jsonscan.Int(bytes.TrimRight(value, " \t")); ok && n >= 0 {
		return n
	}
	return -2
}

// integers returns the two integers of an array.
func integers(value []byte) (lo, hi int64) {
	if len(value) < 2 || value[0] != '[' {
		return -2, -2
	}
	first, second, _ := bytes.Cut(value[1:len(value)-1], []byte{','})
	return integer(bytes.TrimSpace(first)), integer(bytes.TrimSpace(second))
}
