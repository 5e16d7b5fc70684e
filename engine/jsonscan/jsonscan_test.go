package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var seeds = []string{
	`{}`, `[]`, ` [ ] `, `{"a":1,"b":[true,false,null,"x\"y"],"c":{"d":-1.5e+10}}`, `"\ud83d\ude00 \ud800"`,
	`[1,2,3,[4,"]"],{"k]":"}"}]`, `1.`, `01`, `-`, `1e`, `"a`, `"\x"`, `"\u12g4"`, `[1,]`, `{"a":}`, `{"a" 1}`, `{,}`, `[1 2]`,
	"\"tab\tin\"", `nul`, `truex`, `NaN`, `-Infinity`, `{"a":1}}`, `]`, "", "  ", "\"\xff\"", `"é"`, `[[[[{"a":[{}]}]]]]`,
	`[0,1,2,3,4,5,6,7,8,9,0,1]`, `[0,1,2,3,4,5,6,7,`, `[0,1,2,3,0,1,2,]`, `[0,1,2:3,0,1,2,3]`, `[0,1,2,/,0,1,2,3]`, `{"a":0,1,2,3,4,5}`, `0,1,2,3,4`,
	`{"longer than eight bytes":"and a value that is \\ longer still"}`, `0`, `-0.0`, `12345678901234567890`,
}

func TestValidAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range seeds {
		if got, want := Valid([]byte(s)) == nil, json.Valid([]byte(s)); got != want {
			t.Errorf("Valid(%q) = %v, want %v", s, Valid([]byte(s)), want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1)
	for in, want := range map[string]string{
		`{"a":1`:       "unexpected end of JSON at byte 6",
		`[1,]`:         "unexpected ']', want a value at byte 3",
		"\"a\nb\"":     "invalid control character at byte 2",
		`{"a":NaN}`:    "unexpected 'N', want a value at byte 5",
		`{"a":1]`:      "unexpected ']', want ',' or '}' at byte 6",
		`"\q"`:         "unexpected 'q', want an escape at byte 2",
		`{} {}`:        "unexpected '{', want the end at byte 3",
		"\xff":         "unexpected byte 0xff, want a value at byte 0",
		deep:           "nested deeper than 512 at byte 512",
		deep[1:] + "1": "unexpected end of JSON at byte 513",
	} {
		err := Valid([]byte(in))
		if err == nil || err.Error() != want {
			t.Errorf("Valid(%.20q) = %v, want %s", in, err, want)
		}
		if _, ok := errors.AsType[*SyntaxError](err); !ok {
			t.Errorf("Valid(%.20q) = %T", in, err)
		}
	}
}

// FuzzScan checks every function against encoding/json.
func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		SkipTrusted(b, 0) // never a panic, whatever the bytes
		for it := MembersTrusted(b, 0); it.Next(); {
		}
		valid := Valid(b) == nil
		if want := json.Valid(b); valid != want && !strings.Contains(Valid(b).Error(), "nested") {
			t.Fatalf("Valid(%q) = %v, encoding/json says %v", b, Valid(b), want)
		}
		if !valid {
			return
		}
		end, _ := Skip(b, 0)
		if got := SkipTrusted(b, 0); got != end {
			t.Fatalf("SkipTrusted(%q) = %d, Skip %d", b, got, end)
		}
		checkValue(t, b, Space(b, 0))
	})
}

// checkValue compares the value at b[i] with what encoding/json decodes.
func checkValue(t *testing.T, b []byte, i int) {
	end, err := Skip(b, i)
	if err != nil {
		t.Fatal(err)
	}
	switch b[i] {
	case '"':
		var want string
		if err := json.Unmarshal(b[i:end], &want); err != nil {
			t.Fatal(err)
		}
		got := bytes.ToValidUTF8(Unquote(b[i+1:end-1]), []byte("\uFFFD"))
		if want = string(bytes.ToValidUTF8([]byte(want), []byte("\uFFFD"))); strings.ReplaceAll(string(got), "\uFFFD", "") != strings.ReplaceAll(want, "\uFFFD", "") {
			t.Fatalf("Unquote(%q) = %q, want %q", b[i:end], got, want)
		}
	case '{', '[':
		strict, trusted := Members(b, i), MembersTrusted(b, i)
		if b[i] == '[' {
			strict, trusted = Elements(b, i), ElementsTrusted(b, i)
		}
		for strict.Next() {
			if !trusted.Next() || trusted.Start != strict.Start || trusted.End() != strict.End() || !bytes.Equal(trusted.Key, strict.Key) {
				t.Fatalf("at %d of %q: trusted and strict walks differ", strict.Start, b)
			}
			checkValue(t, b, strict.Start)
		}
		if trusted.Next() || strict.Err() != nil || trusted.Err() != nil || strict.After() != end || trusted.After() != end {
			t.Fatalf("walk of %q ends at %d and %d, want %d", b[i:end], strict.After(), trusted.After(), end)
		}
	case 't', 'f', 'n':
	default:
		var want int64
		err := json.Unmarshal(b[i:end], &want)
		if got, ok := Int(b[i:end]); ok != (err == nil) || got != want && ok {
			t.Fatalf("Int(%s) = %d, %v, want %d, %v", b[i:end], got, ok, want, err)
		}
	}
}

func TestIs(t *testing.T) {
	if !Is([]byte("info"), "info") || !Is([]byte(`\u0069nfo`), "info") || Is([]byte(`info\u0000`), "info") {
		t.Error("Is compares values, not spellings")
	}
}

func stored() []byte {
	var b bytes.Buffer
	b.WriteString(`{"ver":2,"histograms":{`)
	for i := range 150 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"SOME_HISTOGRAM_` + strings.Repeat("N", i%20) + `":[` + strings.Repeat("0,", 50) + `17,3.5,12.25,-1,-1]`)
	}
	b.WriteString(`},"simpleMeasurements":{"uptime":123,"js":{"a":[],"b":"c"}},"info":{"OS":"WINNT"}}`)
	return b.Bytes()
}

func submitted() []byte {
	var b bytes.Buffer
	b.WriteString(`{"ver":1,"histograms":{`)
	for i := range 150 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"SOME_HISTOGRAM_` + strings.Repeat("N", i%20) + `":{"range":[1,10000],"bucket_count":50,"histogram_type":0,"values":{"0":5523,"10":22,"14":1,"10000":0},"sum":523,"log_sum":82.3832015991211,"log_sum_squares":244.2482485671876}`)
	}
	b.WriteString(`},"info":{"OS":"WINNT"}}`)
	return b.Bytes()
}

// BenchmarkSkip reads a ping of 20 to 40 kB in each way, beside encoding/json.
func BenchmarkSkip(b *testing.B) {
	for _, bb := range []struct {
		name string
		skip func([]byte) int
		text []byte
	}{
		{"strict/stored", func(p []byte) int { n, _ := Skip(p, 0); return n }, stored()},
		{"strict/submitted", func(p []byte) int { n, _ := Skip(p, 0); return n }, submitted()},
		{"json.Valid/stored", func(p []byte) int {
			if !json.Valid(p) {
				return 0
			}
			return len(p)
		}, stored()},
		{"trusted/stored", func(p []byte) int { return SkipTrusted(p, 0) }, stored()},
		{"trusted/submitted", func(p []byte) int { return SkipTrusted(p, 0) }, submitted()},
		{"trusted/members", func(p []byte) int {
			it := MembersTrusted(p, bytes.Index(p, []byte(`s":{`))+3)
			for it.Next() {
			}
			return len(p)
		}, stored()},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.text)))
			b.ReportAllocs()
			for b.Loop() {
				if bb.skip(bb.text) != len(bb.text) {
					b.Fatal("wrong end")
				}
			}
		})
	}
}

// TestIndent: it is Space, for whitespace of any length at any offset.
func TestIndent(t *testing.T) {
	for spaces := range 40 {
		for _, end := range []string{"", "x", "\n  x", "\t", "\x01"} {
			text := []byte("a\n" + strings.Repeat(" ", spaces) + end)
			for i := range len(text) + 1 {
				if got, want := Indent(text, i), Space(text, i); got != want {
					t.Fatalf("%q from %d: %d, want %d", text, i, got, want)
				}
			}
		}
	}
}

// TestInner: a value that is walked is as deep as one that is skipped.
func TestInner(t *testing.T) {
	for _, depth := range []int{1, MaxDepth - 1, MaxDepth, MaxDepth + 1} {
		text := []byte(`{"a":{"b":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}}`)
		if depth == 1 {
			text = []byte(`{"a":{"b":1}}`)
		}
		skipped, walked := Members(text, 0), Members(text, 0)
		skipped.Next()
		end := skipped.End()

		walked.Next()
		inner := walked.Inner()
		for inner.Next() {
		}
		if (inner.Err() == nil) != (skipped.Err() == nil) || inner.Err() == nil && inner.After() != end {
			t.Errorf("depth %d: walked %v, skipped %v", depth, inner.Err(), skipped.Err())
		}
	}
}
