package histogram

import (
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// check checks one histogram and returns the offset behind it, and the reason for which it
// cannot be used, if any. The definition may be nil. The error is a *jsonscan.SyntaxError.
func (s *Sieve) check(start int, definition *revisions.Definition) (end int, reason string, err error) {
	if end, said, ok := s.usual(start); ok {
		if definition != nil && definition.Err == nil {
			reason = said.mismatch(definition)
		}
		return end, reason, nil
	}
	return s.careful(start, definition)
}

// careful is check for any JSON.
func (s *Sieve) careful(start int, definition *revisions.Definition) (end int, reason string, err error) {
	text := s.text
	if text[start] != '{' {
		end, err = jsonscan.Skip(text, start)
		return end, DropNotObject, err
	}

	// Browsers write the buckets last, so that their bounds are known by then.
	values := 0
	checked := false
	inBuckets, inSums := "", [len(TailNames)]string{} // reasons; of a member that comes twice the last counts
	said := bucketing{unsaid, unsaid, unsaid, unsaid}
	it := jsonscan.Members(text, start)
	for it.Next() {
		switch string(it.Key) {
		case "values":
			values, checked = it.Start, false
			inBuckets = ""
			if bounds := s.bucketings.bounds(&said, definition); bounds != nil {
				end, fault, err := s.buckets(it.Start, bounds)
				if err != nil {
					return start, "", err
				}
				it.SetEnd(end)
				checked = true
				inBuckets = fault
			}

		case "range":
			said.low, said.high = integers(it.Value())
			checked = false
		case "bucket_count":
			said.buckets = integer(it.Value())
			checked = false
		case "histogram_type":
			said.kind = integer(it.Value())
			checked = false

		case "sum", "log_sum", "log_sum_squares", "sum_squares_lo", "sum_squares_hi":
			sum := &inSums[slices.Index(TailNames[:], string(it.Key))]
			*sum = ""
			if c := text[it.Start]; c != '-' && c-'0' > 9 && c != 'n' {
				*sum = DropSum
			}
		}
	}
	if err := it.Err(); err != nil {
		return start, "", err
	}
	end = it.After()
	for _, sum := range inSums {
		reason = firstOf(reason, sum)
	}

	// The definition decides first: a histogram of another bucketing has no right keys.
	if definition != nil && definition.Err == nil {
		if mismatch := said.mismatch(definition); mismatch != "" {
			return end, mismatch, nil
		}
	}
	switch {
	case values == 0:
		return end, DropNoValues, nil
	case checked:
		return end, firstOf(inBuckets, reason), nil
	}

	bounds := s.bucketings.bounds(&said, definition)
	if bounds == nil {
		return end, DropBucketing, nil
	}
	_, fault, err := s.buckets(values, bounds)
	return end, firstOf(fault, reason), err
}

// firstOf returns the first reason that there is.
func firstOf(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// buckets checks the counts at s.text[start].
func (s *Sieve) buckets(start int, bounds []int) (end int, reason string, err error) {
	if end, ok := usualBuckets(s.text, start, bounds); ok {
		return end, "", nil
	}
	if s.text[start] != '{' {
		end, err = jsonscan.Skip(s.text, start)
		return end, DropNoValues, err
	}

	n := 0
	it := jsonscan.Members(s.text, start)
	for ; it.Next(); n++ {
		fault := bucketFault(it.Name(), it.Value(), bounds)
		reason = firstOf(reason, fault)
	}
	if it.Err() != nil || reason == "" || n > maxRepeatedBuckets {
		return it.After(), reason, it.Err()
	}

	// Of a bucket that comes twice the last counts, so a wrong one in front of it does not.
	var members jsonscan.Object
	if end, err = members.Index(s.text, start); err != nil || !members.Repeats() {
		return end, reason, err
	}
	reason = ""
	for i := range members.Members {
		if m := &members.Members[i]; members.Counts(i) {
			reason = firstOf(reason, bucketFault(jsonscan.Unquote(members.Key(m)), members.Value(m), bounds))
		}
	}
	return end, reason, nil
}

// maxRepeatedBuckets bounds the buckets among which repeated ones are found: an index takes
// memory.
const maxRepeatedBuckets = 10_000

// bucketFault returns what is wrong with a bucket and its count, "" if nothing is.
func bucketFault(key, count []byte, bounds []int) (reason string) {
	if n, ok := jsonscan.Int(count); !ok || n < 0 {
		return DropCount
	}
	bound, ok := jsonscan.Int(key)
	if _, found := slices.BinarySearch(bounds, int(bound)); !ok || !found {
		return DropBucket
	}
	return ""
}

// usualBuckets passes over what browsers send: {"0":5,"10":22}, ascending, without
// whitespace; or sorted as texts, as programs that sort members send them. It gives up on
// everything else. It is bucketsInOrder without writing.
func usualBuckets(text []byte, i int, bounds []int) (end int, ok bool) {
	if i+1 >= len(text) || text[i] != '{' {
		return i, false
	}
	i++
	if text[i] == '}' {
		return i + 1, true
	}

	at := 0 // the first bound that may come
	for i < len(text) && text[i] == '"' {
		// The key is the bound, at most nine digits in quotes.
		i++
		bound, from := 0, i
		for i < len(text) && text[i]-'0' <= 9 {
			bound = bound*10 + int(text[i]-'0')
			i++
		}
		if i-from < 1 || i-from > 9 || text[from] == '0' && i-from > 1 || i+2 >= len(text) || text[i] != '"' || text[i+1] != ':' {
			return i, false
		}
		if at > 0 && bound <= bounds[at-1] {
			at, _ = slices.BinarySearch(bounds, bound)
		}
		for at < len(bounds) && bounds[at] < bound {
			at++
		}
		if at == len(bounds) || bounds[at] != bound {
			return i, false
		}
		at++

		// The count has at most eighteen digits.
		i += 2
		from = i
		for i < len(text) && text[i]-'0' <= 9 {
			i++
		}
		if i-from < 1 || i-from > 18 || text[from] == '0' && i-from > 1 || i+1 >= len(text) {
			return i, false
		}

		if text[i] == '}' {
			return i + 1, true
		}
		if text[i] != ',' {
			return i, false
		}
		i++
	}
	return i, false
}
