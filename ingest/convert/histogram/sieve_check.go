package histogram

import (
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// check checks one histogram and returns the offset behind it, and the reason for which it
// cannot be used, if any. The definition may be nil. The error is a *jsonscan.SyntaxError.
func (s *Sieve) check(start int, definition *revisions.Definition) (end int, reason string, err error) {
	text := s.text
	if text[start] != '{' {
		end, err = jsonscan.Skip(text, start)
		return end, DropNotObject, err
	}

	// Browsers write the buckets last, so that their bounds are known by then.
	values := 0
	checked := false
	said := bucketing{unsaid, unsaid, unsaid, unsaid}
	it := jsonscan.Members(text, start)
	for it.Next() {
		switch string(it.Key) {
		case "values":
			values, checked = it.Start, false
			if bounds := s.bucketings.bounds(&said, definition); bounds != nil {
				end, fault, err := s.buckets(it.Start, bounds)
				if err != nil {
					return start, "", err
				}
				it.SetEnd(end)
				checked = true
				reason = firstOf(reason, fault)
			}

		case "range":
			said.low, said.high = integers(it.Value())
		case "bucket_count":
			said.buckets = integer(it.Value())
		case "histogram_type":
			said.kind = integer(it.Value())

		case "sum", "log_sum", "log_sum_squares", "sum_squares_lo", "sum_squares_hi":
			if c := text[it.Start]; c != '-' && c-'0' > 9 && c != 'n' {
				reason = firstOf(reason, DropSum)
			}
		}
	}
	if err := it.Err(); err != nil {
		return start, "", err
	}
	end = it.After()

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
		return end, reason, nil
	}

	bounds := s.bucketings.bounds(&said, definition)
	if bounds == nil {
		return end, DropBucketing, nil
	}
	_, fault, err := s.buckets(values, bounds)
	return end, firstOf(reason, fault), err
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

	it := jsonscan.Members(s.text, start)
	for it.Next() {
		count, ok := jsonscan.Int(it.Value())
		if it.Err() != nil {
			break
		}
		if !ok || count < 0 {
			reason = firstOf(reason, DropCount)
		}

		bound, ok := jsonscan.Int(it.Name())
		if _, found := slices.BinarySearch(bounds, int(bound)); !ok || !found {
			reason = firstOf(reason, DropBucket)
		}
	}
	return it.After(), reason, it.Err()
}

// usualBuckets passes over what browsers send: {"0":5,"10":22}, ascending, without
// whitespace. It gives up on everything else. It is bucketsInOrder without writing.
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
