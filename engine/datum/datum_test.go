package datum_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// undefined stands for the datum of a missing value.
type undefined struct{}

// ordered are keys in the order that output must have.
var ordered = []any{
	nil, false, true,
	math.Inf(-1), -1e300, -1.5, -1.0, -math.SmallestNonzeroFloat64, 0.0, 0.5, 1.0, 2.0, 10.0, 1e300, math.Inf(1), math.NaN(),
	"", "\x00", "\x00a", "a", "a\x00", "a\x00b", "aa", "b", "ä", "€", "\U0001F600",
	[]any{}, []any{nil}, []any{1.0}, []any{1.0, "x"}, []any{2.0}, []any{"a"}, []any{"a", 1.0}, []any{"aa"}, []any{[]any{}}, []any{[]any{"x"}}, []any{undefined{}},
	undefined{},
}

func encode(v any) []byte { return appendAny(nil, v) }

func appendAny(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return datum.AppendNull(b)
	case undefined:
		return datum.AppendUndefined(b)
	case bool:
		return datum.AppendBool(b, v)
	case float64:
		return datum.AppendNumber(b, v)
	case string:
		return datum.AppendString(b, v)
	case []any:
		b = datum.AppendKind(b, datum.Array)
		for _, e := range v {
			b = appendAny(b, e)
		}
	}
	return datum.AppendKind(b, datum.End)
}

func TestOrder(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			got, want := bytes.Compare(encode(a), encode(b)), cmp.Compare(i, j)
			if got != want {
				t.Errorf("compare(%v, %v) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestOneZeroAndOneNaN(t *testing.T) {
	if !bytes.Equal(encode(0.0), encode(math.Copysign(0, -1))) {
		t.Error("0 and -0 differ")
	}
	if !bytes.Equal(encode(math.NaN()), encode(math.Float64frombits(0xfff8000000000001))) {
		t.Error("two NaNs differ")
	}
}

func TestNumbersAsJavaScriptPrintsThem(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -3: "-3", 0.1: "0.1", 1e21: "1e+21", 123456789012345680000: "123456789012345680000",
		1e-6: "0.000001", 1e-7: "1e-7", 1.5e-10: "1.5e-10", -1e-7: "-1e-7", 1e300: "1e+300", 1 << 53: "9007199254740992",
		4.35: "4.35", math.MaxFloat64: "1.7976931348623157e+308", 5e-324: "5e-324",
	} {
		if got := string(datum.AppendText(nil, encode(v))); got != want {
			t.Errorf("AppendText(%g) = %s, want %s", v, got, want)
		}
	}
}

// TestJSON compares with encoding/json on values that both can hold.
func TestJSON(t *testing.T) {
	var value *rapid.Generator[any]
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(v float64) any { return math.Trunc(v*8) / 8 }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
	)
	inside := rapid.Deferred(func() *rapid.Generator[any] { return value })
	array := rapid.Map(rapid.SliceOfN(inside, 0, 4), func(v []any) any { return v })
	value = rapid.OneOf(scalar, array)

	rapid.Check(t, func(t *rapid.T) {
		v := value.Draw(t, "value")
		text := datum.AppendJSON(nil, encode(v))
		var back any
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !bytes.Equal(encode(back), encode(v)) {
			t.Errorf("%v became %s", v, text)
		}
	})
}

// TestHistogram: a histogram comes back as it was, and prints as the array of its numbers.
func TestHistogram(t *testing.T) {
	of := datum.Bucketing{Name: "A\x00B", Kind: "exponential", Low: 1, High: 10000, Buckets: 50}
	numbers := []float64{0, 2.5, -1, math.Inf(1)}
	inside := datum.AppendKind(datum.AppendHistogram(datum.AppendKind(nil, datum.Array), of, numbers), datum.End)
	if got := string(datum.AppendJSON(nil, inside)); got != "[[0,2.5,-1,null]]" {
		t.Errorf("in an array: %s", got)
	}

	encoded := datum.AppendHistogram(nil, of, numbers)
	if got := string(datum.AppendText(nil, encoded)); got != "[0,2.5,-1,null]" {
		t.Errorf("text: %s", got)
	}
	if whole, rest, err := datum.Skip(append(bytes.Clone(encoded), 2)); err != nil || !bytes.Equal(whole, encoded) || len(rest) != 1 {
		t.Errorf("Skip: %x, %x, %v", whole, rest, err)
	}
	gotOf, got, rest, err := datum.DecodeHistogram(append(bytes.Clone(encoded), 2))
	if err != nil || gotOf != of || !slices.Equal(got, numbers) || len(rest) != 1 {
		t.Errorf("%v, %v, %x, %v", gotOf, got, rest, err)
	}

	// Cut anywhere, it is malformed.
	for n := range len(encoded) {
		if _, _, _, err := datum.DecodeHistogram(encoded[:n]); err == nil {
			t.Errorf("%d bytes of %d are a histogram", n, len(encoded))
		}
	}
}

func TestElements(t *testing.T) {
	var got []string
	for e := range datum.Elements(encode([]any{"a", []any{1.0, "b"}, nil})) {
		got = append(got, string(datum.AppendJSON(nil, e)))
	}
	if want := []string{`"a"`, `[1,"b"]`, "null"}; !slices.Equal(got, want) {
		t.Errorf("Elements = %q, want %q", got, want)
	}
}

// FuzzSkip: no bytes make the readers fail other than by ErrMalformed.
func FuzzSkip(f *testing.F) {
	for _, v := range ordered {
		f.Add(encode(v))
	}
	f.Add(datum.AppendHistogram(nil, datum.Bucketing{Name: "A", Kind: "linear", Low: 1, High: 2, Buckets: 3}, []float64{1, 2}))
	f.Add([]byte{10, 7, 1, 1})
	f.Add([]byte{7, 7, 7})
	f.Add([]byte{8, 6, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, rest, err := datum.Skip(b)
		if err != nil {
			return
		}

		if !bytes.Equal(append(bytes.Clone(d), rest...), b) {
			t.Errorf("Skip(%x) lost bytes: %x %x", b, d, rest)
		}
		datum.AppendJSON(nil, d)
		datum.AppendText(nil, d)
		datum.DecodeHistogram(d)
	})
}

// TestText: null and undefined are nothing, and nothing is quoted.
func TestText(t *testing.T) {
	object := datum.AppendKind(nil, datum.Object)
	object = datum.AppendNumber(datum.AppendString(object, "a"), 1)
	object = datum.AppendString(datum.AppendString(object, "b"), "c")
	object = datum.AppendKind(object, datum.End)
	for _, tt := range []struct {
		datum []byte
		want  string
	}{
		{encode(nil), ""}, {nil, ""}, {encode(undefined{}), ""}, {encode([]any{undefined{}}), "[null]"}, {encode(true), "true"}, {encode(`say "x"`), `say "x"`},
		{encode(math.NaN()), "NaN"}, {encode(math.Inf(-1)), "-Infinity"},
		{encode([]any{"x", math.NaN(), []any{}}), `["x",null,[]]`}, {object, `{"a":1,"b":"c"}`},
	} {
		if got := string(datum.AppendText(nil, tt.datum)); got != tt.want {
			t.Errorf("AppendText(%x) = %s, want %s", tt.datum, got, tt.want)
		}
	}
}

// TestHasUndefined: a byte of a number or a string is not undefined.
func TestHasUndefined(t *testing.T) {
	for _, tt := range []struct {
		datum []byte
		want  bool
	}{
		{nil, false},
		{encode(nil), false},
		{encode("\t"), false},
		{encode(math.Float64frombits(0x0909090909090909)), false},
		{encode([]any{"\t", nil}), false},
		{encode(undefined{}), true},
		{encode([]any{"\t", []any{undefined{}}}), true},
	} {
		if got := datum.HasUndefined(tt.datum); got != tt.want {
			t.Errorf("HasUndefined(%x) = %v, want %v", tt.datum, got, tt.want)
		}
	}
}
