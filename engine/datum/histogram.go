package datum

import "math"

// Bucketing says what the numbers of a histogram mean.
type Bucketing struct {
	Name      string // of the histogram
	Kind      string // such as "exponential"
	Low, High int    // the lower bounds of the second and the last bucket
	Buckets   int
}

// bucketingTokens is how many data the bucketing is written as.
const bucketingTokens = 5

// AppendHistogram appends a histogram: its bucketing, then its numbers. As text and as
// JSON it is the array of its numbers.
func AppendHistogram(b []byte, of Bucketing, numbers []float64) []byte {
	b = AppendKind(b, Histogram)
	b = AppendString(AppendString(b, of.Name), of.Kind)
	b = AppendNumber(AppendNumber(AppendNumber(b, float64(of.Low)), float64(of.High)), float64(of.Buckets))
	for _, number := range numbers {
		b = AppendNumber(b, number)
	}
	return AppendKind(b, End)
}

// DecodeHistogram returns the histogram that encoded begins with, and what is behind it.
// Errors are ErrMalformed.
func DecodeHistogram(encoded []byte) (of Bucketing, numbers []float64, rest []byte, err error) {
	if len(encoded) == 0 || Kind(encoded[0]) != Histogram {
		return of, nil, nil, ErrMalformed
	}

	rest = encoded[1:]
	for _, text := range []*string{&of.Name, &of.Kind} {
		kind, token, behind, err := Next(rest)
		if err != nil || kind != String {
			return of, nil, nil, ErrMalformed
		}
		*text = string(Text(token))
		rest = behind
	}

	for {
		kind, token, behind, err := Next(rest)
		if err != nil || kind != Number && kind != End {
			return of, nil, nil, ErrMalformed
		}
		rest = behind
		if kind == End {
			break
		}
		numbers = append(numbers, Float(token))
	}

	// The first numbers belong to the bucketing.
	const sizes = bucketingTokens - 2
	if len(numbers) < sizes {
		return of, nil, nil, ErrMalformed
	}
	for i, size := range []*int{&of.Low, &of.High, &of.Buckets} {
		if number := numbers[i]; number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
			return of, nil, nil, ErrMalformed
		}
		*size = int(numbers[i])
	}
	return of, numbers[sizes:], rest, nil
}
