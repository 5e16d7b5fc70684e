package histogram

// usual is check for what browsers of today send: the members in their order, a natural
// sum, no whitespace. It gives up on everything else. BenchmarkConvertClients/main of
// package convert pays for it: docs/BENCHMARKS.md, 2026-11-28. TestUsualSieveAgrees compares
// the two.
//
//	{"bucket_count":100,"histogram_type":0,"sum":139,"range":[1,64000],"values":{"1":0}}
func (s *Sieve) usual(start int) (end int, said bucketing, ok bool) {
	text, i := s.text, start
	for _, member := range [...]struct {
		before string
		value  *int64
	}{
		{`{"bucket_count":`, &said.buckets},
		{`,"histogram_type":`, &said.kind},
		{`,"sum":`, nil},
		{`,"range":[`, &said.low},
		{`,`, &said.high},
	} {
		if len(text)-i < len(member.before) || string(text[i:i+len(member.before)]) != member.before {
			return start, said, false
		}
		i += len(member.before)

		// At most eighteen digits, and no zero in front.
		number, from := int64(0), i
		for i < len(text) && text[i]-'0' <= 9 {
			number = number*10 + int64(text[i]-'0')
			i++
		}
		if i-from < 1 || i-from > 18 || text[from] == '0' && i-from > 1 {
			return start, said, false
		}
		if member.value != nil {
			*member.value = number
		}
	}

	const values = `],"values":`
	if len(text)-i < len(values) || string(text[i:i+len(values)]) != values {
		return start, said, false
	}
	bounds := s.bucketings.bounds(&said, nil)
	if bounds == nil {
		return start, said, false
	}
	i, ok = usualBuckets(text, i+len(values), bounds)
	if !ok || i >= len(text) || text[i] != '}' {
		return start, said, false
	}
	return i + 1, said, true
}
