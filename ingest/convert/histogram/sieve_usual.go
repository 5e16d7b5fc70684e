package histogram

// usual is check for what browsers of today send: the members in their order, a natural
// sum, no whitespace. It gives up on everything else. BenchmarkConvertClients/main of
// package convert pays for it: docs/BENCHMARKS.md, 2026-11-28. TestUsualSieveAgrees compares
// the two.
//
//	{"bucket_count":100,"histogram_type":0,"sum":139,"range":[1,64000],"values":{"1":0}}
func (s *Sieve) usual(start int) (end int, said bucketing, ok bool) {
	r := usualReader{text: s.text, at: start}
	said.buckets = r.number(`{"bucket_count":`)
	said.kind = r.number(`,"histogram_type":`)
	r.number(`,"sum":`)
	said.low = r.number(`,"range":[`)
	said.high = r.number(`,`)
	r.pass(`],"values":`)
	if r.failed {
		return start, said, false
	}

	bounds := s.bucketings.bounds(&said, nil)
	if bounds == nil {
		return start, said, false
	}
	i, ok := usualBuckets(r.text, r.at, bounds)
	if !ok || i >= len(r.text) || r.text[i] != '}' {
		return start, said, false
	}
	return i + 1, said, true
}

// usualReader reads what is expected, or fails.
type usualReader struct {
	text   []byte
	at     int
	failed bool
}

// pass passes over the words.
func (r *usualReader) pass(words string) {
	if r.failed || len(r.text)-r.at < len(words) || string(r.text[r.at:r.at+len(words)]) != words {
		r.failed = true
		return
	}
	r.at += len(words)
}

// number reads the natural number behind the words: at most eighteen digits, and no zero in
// front.
func (r *usualReader) number(before string) int64 {
	r.pass(before)
	if r.failed {
		return 0
	}

	text, i, number := r.text, r.at, int64(0)
	for i < len(text) && text[i]-'0' <= 9 {
		number = number*10 + int64(text[i]-'0')
		i++
	}
	digits := i - r.at
	r.failed = digits < 1 || digits > 18 || text[r.at] == '0' && digits > 1
	r.at = i
	return number
}
