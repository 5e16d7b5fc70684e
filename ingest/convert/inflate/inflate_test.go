package inflate

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

// pack packs text with the standard library.
func pack(t testing.TB, level int, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// texts are inputs of many kinds.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 140_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 100_000) // long codes
	for i := range skewed {
		skewed[i] = byte(min(r.ExpFloat64()*12, 255))
	}
	var periods []byte // matches that overlap
	for n := 1; n <= 32; n++ {
		periods = append(periods, bytes.Repeat(random[:n], 700/n)...)
	}
	ping := []byte(`{"ver":1,"histograms":{`) // names and digits that come again, as in a ping
	for i := range 300 {
		ping = fmt.Appendf(ping, `"HISTOGRAM_%d":{"range":[1,%d],"bucket_count":50,"values":{"0":%d,"%d":1},"sum":%d},`, i, 1000*i, r.IntN(100), i, r.IntN(10_000))
	}
	return map[string][]byte{
		"empty": {}, "one": {'x'}, "random": random, "skewed": skewed, "periods": periods,
		"ping": ping,
		"run":  bytes.Repeat([]byte{'a'}, 100_000),
		"far":  slices.Concat(random[:32768], random[:300], random[300:40000]), // distance 32768
	}
}

func TestGunzip(t *testing.T) {
	var d Decoder
	var dst []byte
	for name, text := range texts() {
		all := packings(t, text)
		for level := kgzip.StatelessCompression; level <= kgzip.BestCompression; level++ {
			var b bytes.Buffer
			w, err := kgzip.NewWriterLevel(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			w.Name, w.Comment, w.Extra = "a name", "a comment", []byte("extra\x00")
			w.Write(text[:len(text)/3])
			w.Flush()
			w.Write(text[len(text)/3:])
			w.Close()
			all = append(all, b.Bytes())
		}
		for i, packed := range all {
			got, err := d.Gunzip(dst, packed, len(text))
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s, packing %d: %d bytes, %v; want %d", name, i, len(got), err, len(text))
			}
			dst = got
			if len(text) > 0 {
				if got, err := d.Gunzip(nil, packed, len(text)-1); !errors.Is(err, ErrTooLong) || !bytes.HasPrefix(text, got) {
					t.Errorf("%s, packing %d, over the limit: %v", name, i, err)
				}
			}
		}
	}
}

// TestDistances unpacks matches of every length at every small distance and at the
// largest, in the middle of a text and at its end.
func TestDistances(t *testing.T) {
	c := newComparer()
	text := texts()["random"][:32768]
	lit, dist := fixedLens()
	litCodes := canonical(lit)
	for distance := 1; distance <= 32768; distance++ {
		if distance == 33 {
			distance = 32766
		}
		s := new(stream).head(false, 0).stored(text).head(true, 1)
		want := bytes.Clone(text)
		far := usedDist - 1
		for int(distEntries[far]>>16) > distance {
			far--
		}
		for symbol := endOfBlock + 1; symbol < usedLit; symbol++ {
			e, f := litEntries[symbol], distEntries[far]
			for more := range 1 << (e & 63) {
				s.code(litCodes[symbol], int(lit[symbol])).add(more, int(e&63))
				s.code(far, int(dist[far])).add(distance-int(f>>16), int(f&63))
				for range int(e>>16) + more {
					want = append(want, want[len(want)-distance])
				}
			}
		}
		s.code(litCodes[endOfBlock], int(lit[endOfBlock]))
		for _, behind := range []int{0, 100} {
			got, err := c.deflate(t, append(s.bytes, make([]byte, behind)...), len(want)+behind*10)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("distance %d: %d bytes, %v; want %d", distance, len(got), err, len(want))
			}
		}
	}
}

// TestLongest unpacks what takes the most bits: matches with the longest codes and
// the most bits behind them, after literals with the longest codes of a first table.
func TestLongest(t *testing.T) {
	lit, dist := make([]uint8, usedLit), make([]uint8, usedDist)
	for n := 1; n < maxCode; n++ { // one code of each length, two of the longest
		lit['a'+n], dist[n] = uint8(n), uint8(n)
	}
	lit[endOfBlock], lit[usedLit-2] = maxCode, maxCode
	dist[0], dist[usedDist-1] = maxCode, maxCode
	litCodes, distCodes := canonical(lit), canonical(dist)
	const literal, match, far = 'a' + litBits, usedLit - 2, usedDist - 1
	c := newComparer()
	text := texts()["random"][:32768]
	for literals := range 5 {
		for shift := range 8 {
			s := new(stream).head(false, 0).stored(text).head(true, 2).lens(lit, dist)
			want := bytes.Clone(text)
			for range shift {
				s.code(litCodes['b'], 1)
				want = append(want, 'b')
			}
			for range 40 {
				for range literals {
					s.code(litCodes[literal], litBits)
					want = append(want, literal)
				}
				s.code(litCodes[match], maxCode).add(30, 5)
				s.code(distCodes[far], maxCode).add(1<<13-1, 13)
				for range 257 {
					want = append(want, want[len(want)-32768])
				}
			}
			s.code(litCodes[endOfBlock], maxCode)
			got, err := c.deflate(t, s.bytes, len(want))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d literals, shift %d: %d bytes, %v; want %d", literals, shift, len(got), err, len(want))
			}
		}
	}
}

func TestLimit(t *testing.T) {
	c := newComparer()
	text := texts()["ping"][:1000]
	for i, packed := range packings(t, text) {
		for limit := range len(text) + 600 {
			if testing.Short() && limit%7 != i%7 {
				continue
			}
			got, err := c.gzip(t, packed, limit)
			if limit < len(text) && (!errors.Is(err, ErrTooLong) || !bytes.HasPrefix(text, got)) {
				t.Fatalf("packing %d within %d bytes: %d bytes, %v", i, limit, len(got), err)
			}
		}
	}
}

// TestBomb unpacks what is a thousand times as long as it was, or says so.
func TestBomb(t *testing.T) {
	packed := pack(t, 9, make([]byte, 16<<20))
	const limit = 1 << 20
	got, err := new(Decoder).Gunzip(nil, packed, limit)
	if !errors.Is(err, ErrTooLong) || len(got) > limit || cap(got) > 2*limit {
		t.Errorf("%d bytes of %d, %v", len(got), cap(got), err)
	}
	// A hint that lies is not believed beyond what gzip can do.
	binary.LittleEndian.PutUint32(packed[len(packed)-4:], 1<<32-1)
	if got, _ := new(Decoder).Gunzip(nil, packed[len(packed)-1000:], 1<<30); cap(got) > 100_000 {
		t.Errorf("took %d bytes for nothing", cap(got))
	}
}

// TestTables builds the tables of many codes, which must not need more than there is.
// (The worst are known: zlib's program enough finds 2342 and 402.)
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var d tables
	for range 20_000 {
		for _, c := range []struct {
			table      []uint32
			bits, size int
		}{{d.lit[:], litBits, maxLit}, {d.dist[:], distBits, maxDist}} {
			if !build(c.table, c.bits, randomLens(r, c.size, 2+r.IntN(c.size-1), 0), make([]uint32, maxLit)) {
				t.Fatal("a complete code is refused")
			}
		}
	}
}

func Example() {
	packed := []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x4b\x04\x00\x43\xbe\xb7\xe8\x01\x00\x00\x00")
	var d Decoder
	text, err := d.Gunzip(nil, packed, 1<<20)
	fmt.Println(string(text), err)
	_, err = d.Gunzip(nil, packed[:15], 1<<20)
	fmt.Println(err)
	// Output:
	// a <nil>
	// unexpected EOF
}
