package inflate

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

// maxText bounds what the fuzz targets unpack.
const maxText = 1 << 18

// FuzzGunzip unpacks anything as gzip, within any limit, and compares.
func FuzzGunzip(f *testing.F) {
	for _, text := range texts() {
		text = text[:min(len(text), 2000)]
		for _, packed := range packings(f, text) {
			f.Add(packed, uint32(len(text)))
		}
	}
	for _, c := range malformed() {
		f.Add(c.src, uint32(1000))
	}
	c := newComparer()
	f.Fuzz(func(t *testing.T, src []byte, limit uint32) {
		c.gzip(t, src, int(limit%maxText))
	})
}

// FuzzInflate unpacks anything as a deflate stream and compares: no checksum stops
// what has been changed.
func FuzzInflate(f *testing.F) {
	for _, text := range texts() {
		text = text[:min(len(text), 2000)]
		for _, packed := range packings(f, text) {
			f.Add(packed[10:len(packed)-8], uint32(len(text)))
		}
	}
	for _, c := range malformed() {
		if len(c.src) > 10 {
			f.Add(c.src[10:], uint32(1000))
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(randomStream(r), uint32(maxText-1))
	}
	c := newComparer()
	f.Fuzz(func(t *testing.T, src []byte, limit uint32) {
		c.deflate(t, src, int(limit%maxText))
	})
}

var (
	cases = flag.Int("cases", 30_000, "how many random streams to compare")
	seed  = flag.Uint64("seed", 1, "of the random streams")
)

// TestRandomStreams compares random streams of every kind, most of them changed in
// some bits, with parts of them repeated, left out or exchanged.
func TestRandomStreams(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 6))
	c := newComparer()
	var seeds [][]byte
	for _, text := range texts() {
		for _, packed := range packings(t, text[:min(len(text), 3000)]) {
			seeds = append(seeds, packed[10:len(packed)-8])
		}
	}
	taken := 0
	for range *cases {
		var src []byte
		if r.IntN(2) == 0 {
			src = randomStream(r)
		} else {
			src = bytes.Clone(seeds[r.IntN(len(seeds))])
		}
		for changes := r.IntN(4); changes > 0 && len(src) > 0; changes-- {
			src = change(r, src)
		}
		limit := maxText
		if r.IntN(4) == 0 {
			limit = r.IntN(5000)
		}
		if _, err := c.deflate(t, src, limit); err == nil {
			taken++
		}
	}
	t.Logf("%d streams, %d of them good", *cases, taken)
}

// change returns src with one change.
func change(r *rand.Rand, src []byte) []byte {
	at := r.IntN(len(src))
	to := at + r.IntN(min(len(src)-at, 20)+1)
	switch r.IntN(8) {
	case 0:
		return src[:at]
	case 1:
		return append(src[:at:at], src[to:]...)
	case 2:
		return append(src[:to:to], src[at:]...)
	case 3:
		copy(src[at:to], src[r.IntN(len(src)):])
	case 4:
		for i := range src[at:to] {
			src[at+i] = byte(r.Uint32())
		}
	default:
		src[at] ^= 1 << r.IntN(8)
	}
	return src
}

// TestBitFlips compares streams with every bit changed, and cut everywhere.
func TestBitFlips(t *testing.T) {
	c := newComparer()
	size := 500
	if testing.Short() {
		size = 150
	}
	for name, text := range texts() {
		all := packings(t, text[:min(len(text), size)])
		for i, packed := range [][]byte{all[0], all[2], all[3], all[len(all)-1]} { // Huffman alone, stored, fast, two members
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				for bit := range 8 * len(packed) {
					packed[bit/8] ^= 1 << (bit % 8)
					c.gzip(t, packed, 5000)
					if bit >= 80 {
						c.deflate(t, packed[10:], 5000)
					}
					packed[bit/8] ^= 1 << (bit % 8)
				}
				for cut := range packed {
					if _, err := c.gzip(t, packed[:cut:cut], 5000); err == nil && i < 3 { // a member alone is good
						t.Errorf("cut to %d of %d bytes: no error", cut, len(packed))
					}
				}
			})
		}
	}
}

// packings returns text as gzip in all ways that the standard library has, and in
// two members.
func packings(t testing.TB, text []byte) (all [][]byte) {
	t.Helper()
	for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
		all = append(all, pack(t, level, text))
	}
	half := len(text) / 2
	return append(all, append(pack(t, 6, text[:half]), pack(t, 9, text[half:])...))
}
