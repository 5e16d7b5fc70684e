package histogram

import (
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Section says what a member of a ping's payload holds.
type Section int

const (
	Plain     Section = iota // histograms by name
	Keyed                    // histograms by name and key
	Processes                // by process, an object that may have both
)

// Sieve copies the histograms of pings of today as they are, but for those that cannot be
// used. Each says its own range, bucket count and kind, so that no definition is needed. A
// definition checks them, where there is one. It belongs to one goroutine.
type Sieve struct {
	bucketings bucketings
	names      jsonscan.Interner // of dropped histograms

	// Of the ping in hand:
	text    []byte
	spec    *revisions.Spec // or nil
	checked []checked
	cuts    []cut
	dropped []Drop
}

// checked is a section that was checked.
type checked struct {
	section    Section
	start, end int // in the text
	// Where its cuts and drops end; they begin where those of the one before end.
	cuts, dropped int
}

// cut is a part of the text that is left out.
type cut struct{ from, to int }

// NewSieve returns a Sieve.
func NewSieve() *Sieve { return &Sieve{names: jsonscan.Interner{}, bucketings: newBucketings()} }

// Begin begins another ping, or the same one again. A ping may have so many different
// bucketings, whatever the ones before had. spec checks its histograms; it may be nil.
func (s *Sieve) Begin(spec *revisions.Spec) {
	s.bucketings.begin()
	s.text, s.spec = nil, spec
	s.checked, s.cuts = s.checked[:0], s.cuts[:0]
	s.dropped = s.dropped[:0]
}

// Spec returns what the histograms of the ping in hand are checked by, or nil.
func (s *Sieve) Spec() *revisions.Spec { return s.spec }

// Ahead checks the section at text[start], before it is known whether it will be copied, and
// returns the offset behind it. It only reads as far, so the rest of the text may be
// anything. The error is a *jsonscan.SyntaxError.
func (s *Sieve) Ahead(text []byte, start int, section Section) (end int, err error) {
	s.text = text
	cuts, dropped := len(s.cuts), len(s.dropped)
	switch section {
	case Plain:
		end, err = s.histograms(start)
	case Keyed:
		end, err = s.keyed(start)
	default:
		end, err = s.processes(start)
	}
	if err != nil {
		s.cuts, s.dropped = s.cuts[:cuts], s.dropped[:dropped]
		return start, err
	}
	s.checked = append(s.checked, checked{section, start, end, len(s.cuts), len(s.dropped)})
	return end, nil
}

// Copy appends the section at text[start] to out, without the histograms that cannot be
// used, and returns the offset behind it. What Ahead has checked is not checked again. The
// error is a *jsonscan.SyntaxError.
func (s *Sieve) Copy(out *Output, text []byte, start int, section Section) (end int, err error) {
	at := s.find(start, section)
	if at < 0 {
		if end, err := s.Ahead(text, start, section); err != nil {
			return end, err
		}
		at = len(s.checked) - 1
	}

	var before checked
	if at > 0 {
		before = s.checked[at-1]
	}
	found := &s.checked[at]
	out.Dropped = append(out.Dropped, s.dropped[before.dropped:found.dropped]...)

	// Nearly always everything is copied at once.
	for _, cut := range s.cuts[before.cuts:found.cuts] {
		out.JSON = append(out.JSON, text[start:cut.from]...)
		start = cut.to
	}
	out.JSON = append(out.JSON, text[start:found.end]...)
	return found.end, nil
}

// find returns the number of a section that was checked, negative if it was not.
func (s *Sieve) find(start int, section Section) int {
	return slices.IndexFunc(s.checked, func(c checked) bool { return c.start == start && c.section == section })
}

// processes walks the processes at s.text[start].
func (s *Sieve) processes(start int) (end int, err error) {
	if s.text[start] != '{' {
		return jsonscan.Skip(s.text, start)
	}

	it := jsonscan.Members(s.text, start)
	for it.Next() {
		if s.text[it.Start] != '{' {
			continue
		}
		end, err := s.process(it.Start)
		if err != nil {
			return start, err
		}
		it.SetEnd(end)
	}
	return it.After(), it.Err()
}

// process walks what one process has.
func (s *Sieve) process(start int) (end int, err error) {
	it := jsonscan.Members(s.text, start)
	for it.Next() {
		walk := s.histograms
		switch string(it.Key) {
		case "histograms":
		case "keyedHistograms":
			walk = s.keyed
		default:
			continue
		}

		end, err := walk(it.Start)
		if err != nil {
			return start, err
		}
		it.SetEnd(end)
	}
	return it.After(), it.Err()
}

// keyed walks keyed histograms: by name, and then by key.
func (s *Sieve) keyed(start int) (end int, err error) {
	if s.text[start] != '{' {
		return jsonscan.Skip(s.text, start)
	}

	it := jsonscan.Members(s.text, start)
	for it.Next() {
		if s.text[it.Start] != '{' {
			continue
		}
		end, err := s.each(it.Start, it.Name())
		if err != nil {
			return start, err
		}
		it.SetEnd(end)
	}
	return it.After(), it.Err()
}

// histograms walks histograms by name.
func (s *Sieve) histograms(start int) (end int, err error) {
	if s.text[start] != '{' {
		return jsonscan.Skip(s.text, start)
	}
	return s.each(start, nil)
}

// each checks the histograms of an object. All have the name, or each its own if that is
// nil. What cannot be used is cut.
func (s *Sieve) each(start int, name []byte) (end int, err error) {
	cuts, dropped := len(s.cuts), len(s.dropped)
	end, err = s.walk(start, name, nil)
	if err != nil || len(s.dropped) == dropped {
		return end, err
	}

	// Of histograms with the same name only the last counts, so a wrong one in front of it
	// costs nothing, and a wrong one behind a good one costs both.
	var index jsonscan.Object
	if _, err := index.Index(s.text, start); err != nil || !index.Repeats() {
		return end, err
	}
	s.cuts, s.dropped = s.cuts[:cuts], s.dropped[:dropped]
	return s.walk(start, name, &index)
}

// walk is each; with an index, what does not count is cut without being checked.
func (s *Sieve) walk(start int, name []byte, index *jsonscan.Object) (end int, err error) {
	var definition *revisions.Definition
	if s.spec != nil && name != nil {
		definition = s.spec.Lookup(name)
	}

	lastKept := 0 // the end of the last member that stays
	pending := 0  // where the cut of one of the first members begins, which ends with the next
	n := -1       // the number of the member
	it := jsonscan.Members(s.text, start)
	for it.Next() {
		n++
		if pending > 0 {
			s.cuts = append(s.cuts, cut{pending, it.MemberStart()})
			pending = 0
		}

		own := name
		if name == nil {
			own = it.Name()
			if s.spec != nil {
				definition = s.spec.Lookup(own)
			}
		}

		var end int
		reason := ""
		counts := index == nil || index.Counts(n)
		if counts {
			var err error
			end, reason, err = s.check(it.Start, definition)
			if err != nil {
				return start, err
			}
			it.SetEnd(end)
		} else {
			end = it.End()
		}

		// A comma goes with it: the one before, or behind the first members.
		switch {
		case counts && reason == "":
			lastKept = end
			continue
		case lastKept > 0:
			s.cuts = append(s.cuts, cut{lastKept, end})
			lastKept = end
		default:
			pending = it.MemberStart()
		}
		if !counts {
			continue
		}
		if len(own) > maxDropBytes {
			own = nil
		}
		s.dropped = append(s.dropped, Drop{s.names.String(own), reason})
	}
	if err := it.Err(); err != nil {
		return start, err
	}

	if pending > 0 {
		s.cuts = append(s.cuts, cut{pending, it.After() - 1})
	}
	return it.After(), nil
}
