package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func pack(t testing.TB, level int, text []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra")
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// texts are inputs of many kinds: empty, random, repetitive, long matches.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 70_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 100_000) // long codes
	for i := range skewed {
		skewed[i] = byte(min(r.ExpFloat64()*12, 255))
	}
	var json strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&json, `"HISTOGRAM_%d":{"range":[1,%d],"values":{"0":%d,"1":0},"sum":%v},`, i%300, r.IntN(10000), r.IntN(1000), r.Float64())
	}
	short := []byte("abcdefg")
	var periods []byte
	for n := 1; n < 12; n++ {
		periods = append(periods, bytes.Repeat(short[:min(n, 7)], 300)...)
	}
	return map[string][]byte{
		"empty": {}, "one": {'x'}, "random": random, "skewed": skewed, "json": []byte(json.String()),
		"run": bytes.Repeat([]byte{'a'}, 100_000), "periods": periods,
	}
}

func TestGunzip(t *testing.T) {
	var d Decoder
	var dst []byte
	for name, text := range texts() {
		for _, level := range []int{gzip.NoCompression, gzip.BestSpeed, gzip.DefaultCompression, gzip.BestCompression, gzip.HuffmanOnly} {
			packed := pack(t, level, text)
			got, err := d.Gunzip(dst, packed, len(text))
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s at level %d: %d bytes, %v; want %d", name, level, len(got), err, len(text))
			}
			dst = got
			if got, err := d.Gunzip(nil, append(bytes.Clone(packed), packed...), 2*len(text)); err != nil || len(got) != 2*len(text) {
				t.Errorf("%s twice: %d bytes, %v", name, len(got), err)
			}
			if len(text) > 0 {
				if _, err := d.Gunzip(nil, packed, len(text)-1); !errors.Is(err, ErrTooLong) {
					t.Errorf("%s: over the limit: %v", name, err)
				}
			}
			for _, cut := range []int{0, 1, 9, len(packed) / 2, len(packed) - 9, len(packed) - 1} {
				if _, err := d.Gunzip(nil, packed[:cut], len(text)); err == nil {
					t.Errorf("%s cut to %d of %d bytes: no error", name, cut, len(packed))
				}
			}
			packed[len(packed)-5] ^= 1
			if _, err := d.Gunzip(nil, packed, len(text)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s with a bad sum: %v", name, err)
			}
		}
	}
}

// FuzzInflate compares with compress/flate: the same text, or an error where it
// has one.
func FuzzInflate(f *testing.F) {
	for _, text := range texts() {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.BestCompression, flate.HuffmanOnly} {
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, level)
			w.Write(text[:min(len(text), 3000)])
			w.Close()
			f.Add(b.Bytes())
		}
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 1 << 20
		rest := bytes.NewReader(stream)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(rest), limit+1))
		used := len(stream) - rest.Len()
		packed := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}, stream[:used]...)
		packed = binary.LittleEndian.AppendUint32(packed, crc32.ChecksumIEEE(want))
		packed = binary.LittleEndian.AppendUint32(packed, uint32(len(want)))
		got, err := d.Gunzip(nil, packed, limit)
		switch {
		case len(want) > limit:
			if !errors.Is(err, ErrTooLong) {
				t.Fatalf("over the limit: %v", err)
			}
		case wantErr != nil:
			if err == nil {
				t.Fatalf("no error, want %v", wantErr)
			}
		case err != nil || !bytes.Equal(got, want):
			t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
		}
	})
}

func BenchmarkGunzip(b *testing.B) {
	text := texts()["json"]
	packed := pack(b, 6, text)
	b.Run("inflate", func(b *testing.B) {
		var d Decoder
		var dst []byte
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if dst, err = d.Gunzip(dst, packed, 1<<24); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compress", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r, err := gzip.NewReader(bytes.NewReader(packed))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
