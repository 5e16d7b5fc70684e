package inflate

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// stream is a deflate stream in the making. Bits are added lowest first.
type stream struct {
	bytes []byte
	n     int // bits
}

// add adds the low k bits of v.
func (s *stream) add(v, k int) *stream {
	for i := range k {
		if s.n%8 == 0 {
			s.bytes = append(s.bytes, 0)
		}
		s.bytes[s.n/8] |= byte(v>>i&1) << (s.n % 8)
		s.n++
	}
	return s
}

// code adds the low k bits of v, highest first, as codes are written.
func (s *stream) code(v, k int) *stream {
	for i := range k {
		s.add(v>>(k-1-i), 1)
	}
	return s
}

// head adds the three bits before a block.
func (s *stream) head(final bool, kind int) *stream {
	v := kind << 1
	if final {
		v |= 1
	}
	return s.add(v, 3)
}

// stored adds a stored block's lengths and text.
func (s *stream) stored(text []byte) *stream {
	s.n = len(s.bytes) * 8
	s.add(len(text), 16).add(^len(text), 16)
	for _, c := range text {
		s.add(int(c), 8)
	}
	return s
}

// lens adds the head of a dynamic block that gives symbols codes of such lengths,
// each written as itself in a code of 4 bits.
func (s *stream) lens(lit, dist []uint8) *stream {
	s.add(len(lit)-257, 5).add(len(dist)-1, 5).add(maxLens-4, 4)
	for _, symbol := range codeOrder {
		n := 0
		if symbol < 16 {
			n = 4
		}
		s.add(n, 3)
	}
	for _, n := range bytes.Join([][]byte{lit, dist}, nil) {
		s.code(int(n), 4)
	}
	return s
}

// canonical returns the codes of symbols by their lengths.
func canonical(lens []uint8) []int {
	codes := make([]int, len(lens))
	code := 0
	for n := 1; n <= maxCode; n++ {
		code <<= 1
		for symbol, l := range lens {
			if int(l) == n {
				codes[symbol] = code
				code++
			}
		}
	}
	return codes
}

// randomLens returns the lengths of a complete code with so many of size symbols,
// at least two; must is one of them.
func randomLens(r *rand.Rand, size, count, must int) []uint8 {
	leaves := []uint8{0}
	skewed := r.IntN(2) == 0 // prefer to split the last: long codes
	for len(leaves) < count {
		i := r.IntN(len(leaves))
		if skewed {
			i = len(leaves) - 1 - r.IntN(min(2, len(leaves)))
		}
		if leaves[i] == maxCode {
			if i = slices.IndexFunc(leaves, func(n uint8) bool { return n < maxCode }); i < 0 {
				break
			}
		}
		leaves[i]++
		leaves = append(leaves, leaves[i])
	}
	lens := make([]uint8, size)
	symbols := r.Perm(size)
	for i, n := range leaves {
		lens[symbols[i]] = n
	}
	if lens[must] == 0 {
		lens[must], lens[symbols[0]] = lens[symbols[0]], 0
	}
	return lens
}

// randomStream returns a deflate stream of some blocks of any kind. Most are good, as
// long as distances reach no further than what is there.
func randomStream(r *rand.Rand) []byte {
	s := new(stream)
	size := 0 // of the text
	for blocks := 1 + r.IntN(3); blocks > 0; blocks-- {
		kind := r.IntN(4) % 3
		s.head(blocks == 1, kind)
		if kind == 0 {
			text := make([]byte, r.IntN(50))
			for i := range text {
				text[i] = byte(r.Uint32())
			}
			s.stored(text)
			size += len(text)
			continue
		}
		lit, dist := fixedLens()
		if kind == 2 {
			lit = randomLens(r, 257+r.IntN(30), 2+r.IntN(250), endOfBlock)
			switch n := 1 + r.IntN(30); r.IntN(8) {
			case 0:
				dist = make([]uint8, n)
			case 1:
				dist = make([]uint8, n)
				dist[r.IntN(n)] = 1
			default:
				dist = randomLens(r, max(2, n), 2+r.IntN(max(2, n)-1), 0)
			}
			s.lens(lit, dist)
		}
		size = s.randomSymbols(r, lit, dist, size)
		s.code(canonical(lit)[endOfBlock], int(lit[endOfBlock]))
	}
	for range r.IntN(12) {
		s.bytes = append(s.bytes, byte(r.Uint32()))
	}
	return s.bytes
}

// randomSymbols adds literals and matches for a text that is of size bytes so far, and
// returns its size behind them.
func (s *stream) randomSymbols(r *rand.Rand, lit, dist []uint8, size int) int {
	litCodes, distCodes := canonical(lit), canonical(dist)
	var literals, matches, distances []int
	for symbol, n := range lit {
		switch {
		case n > 0 && symbol < endOfBlock:
			literals = append(literals, symbol)
		case n > 0 && symbol > endOfBlock && symbol < usedLit:
			matches = append(matches, symbol)
		}
	}
	for symbol, n := range dist {
		if n > 0 && symbol < usedDist {
			distances = append(distances, symbol)
		}
	}
	often := r.IntN(4) // of matches
	for range r.IntN(120) {
		if r.IntN(4) >= often && len(literals) > 0 {
			symbol := literals[r.IntN(len(literals))]
			s.code(litCodes[symbol], int(lit[symbol]))
			size++
			continue
		}
		if len(matches) == 0 || len(distances) == 0 {
			continue
		}
		symbol, far := matches[r.IntN(len(matches))], distances[r.IntN(len(distances))]
		e, f := litEntries[symbol], distEntries[far]
		if int(f>>16) > size && r.IntN(100) > 0 {
			continue
		}
		more := r.IntN(1 << (e & 63))
		further := min(r.IntN(1<<(f&63)), max(0, size-int(f>>16)))
		s.code(litCodes[symbol], int(lit[symbol])).add(more, int(e&63))
		s.code(distCodes[far], int(dist[far])).add(further, int(f&63))
		size += int(e>>16) + more
	}
	return size
}

// fixedLens returns the lengths of the codes of a fixed block.
func fixedLens() (lit, dist []uint8) {
	for symbol := range maxLit {
		n := uint8(8)
		if symbol >= 144 && symbol < 256 {
			n = 9
		} else if symbol >= 256 && symbol < 280 {
			n = 7
		}
		lit = append(lit, n)
	}
	return lit, bytes.Repeat([]byte{5}, maxDist)
}
