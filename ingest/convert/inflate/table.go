package inflate

import "math/bits"

// The limits of deflate, and the sizes of what decodes it.
const (
	maxLit     = 288 // symbols for literals, end of block and lengths
	maxDist    = 32  // symbols for distances
	maxLens    = 19  // symbols for code lengths
	endOfBlock = 256
	maxCode    = 15 // bits of a code

	// The bits that index a first table. Longer codes go on in a subtable.
	litBits  = 11
	distBits = 8
	lensBits = 7 // the longest there is
)

// An entry of a table says what the code at the low end of the bits stands for:
//
//	31       literal
//	30..16   the literal, the base of a length or distance, or where a subtable is
//	15       special: 14 subtable, 13 end of block, neither: not a code
//	12..8    bits of the code; of a subtable, the bits that index it
//	7..0     bits of the code and what follows it to say how much is added to the base
//
// In a subtable the bits are those that the first table did not take.
const (
	isLiteral  = 1 << 31
	isSpecial  = 1 << 15
	isSubtable = 1 << 14
	isEnd      = 1 << 13
)

// tables are what decodes a block. Their sizes are powers of two, so that a masked
// index needs no check, and enough: a subtable of 2ˢ entries has codes of s bits,
// hence at least s+1 of them, so that n codes need at most n·2ˢ/(s+1) entries
// in subtables, for the largest s. That is 288·16/5 = 922 and 32·128/8 = 512.
type tables struct {
	lit  [4096]uint32
	dist [1024]uint32
	lens [1 << lensBits]uint32
}

// What the symbols of each code stand for: their entries without the code's bits.
var (
	litEntries  = makeLitEntries()
	distEntries = makeDistEntries()
	lensEntries = makeLensEntries()
)

// The symbols that a dynamic block may have; a fixed one has codes for all.
const (
	usedLit  = 286
	usedDist = 30
)

func makeLitEntries() (t [maxLit]uint32) {
	for symbol := range endOfBlock {
		t[symbol] = isLiteral | uint32(symbol)<<16
	}
	t[endOfBlock] = isSpecial | isEnd
	withExtra(t[endOfBlock+1:usedLit], 3, 4)
	t[usedLit-1] = 258 << 16 // not the length after the one before it, and nothing to add
	t[usedLit], t[usedLit+1] = isSpecial, isSpecial
	return t
}

func makeDistEntries() (t [maxDist]uint32) {
	withExtra(t[:usedDist], 1, 2)
	t[usedDist], t[usedDist+1] = isSpecial, isSpecial
	return t
}

func makeLensEntries() (t [maxLens]uint32) {
	for symbol := range t {
		t[symbol] = uint32(symbol) << 16
	}
	return t
}

// withExtra fills t with bases that are apart as the bits to add allow: none for
// twice as many as each says, then one for so many, two for the next, and so on.
func withExtra(t []uint32, base uint32, each int) {
	for i := range t {
		extra := max(0, i/each-1)
		t[i] = base<<16 | uint32(extra)
		base += 1 << extra
	}
}

// fixed are the tables of blocks that bring none.
var fixed = func() *tables {
	var lens [maxLit + maxDist]uint8
	for i := range lens {
		switch {
		case i >= maxLit:
			lens[i] = 5
		case i < 144, i >= 280:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		default:
			lens[i] = 7
		}
	}
	t := new(tables)
	build(t.lit[:], litBits, lens[:maxLit], litEntries[:])
	build(t.dist[:], distBits, lens[maxLit:], distEntries[:])
	return t
}()

// build fills a table whose first index has size bits from the lengths of the
// symbols' codes, 0 for those that have none, and what the symbols stand for. It says
// whether the code uses up all its bit patterns, or is a single code of one bit, or
// empty; the table is of use only then.
func build(table []uint32, size int, lens []uint8, entries []uint32) bool {
	var count [maxCode + 1]int
	for _, n := range lens {
		count[n&maxCode]++
	}
	count[0] = 0

	// Each bit doubles the patterns that are left, and each code takes one of them.
	left, used := 1, 0
	var first [maxCode + 1]int // in sorted, the first symbol with a code of so many bits
	for n, c := range count {
		if n > 0 {
			left = left<<1 - c
		}
		if left < 0 {
			return false // more codes than bit patterns
		}
		first[n] = used
		used += c
	}
	if left > 0 && used > 0 && (used > 1 || count[1] != 1) {
		return false // bit patterns without a code
	}

	// Sort the symbols by the length of their codes.
	var sorted [maxLit]uint16
	for symbol, n := range lens {
		if n != 0 {
			sorted[first[n&maxCode]%maxLit] = uint16(symbol)
			first[n&maxCode]++
		}
	}
	symbols := sorted[:used]

	// Codes of n bits are counted up from where those of n-1 bits ended, and stand
	// in the stream with the highest bit first. A table of n bits is twice that of n-1
	// bits, with codes of n bits where there was none yet.
	code := uint(0)
	table[0] = isSpecial // and so it stays where there is no code at all, or only 0
	for n := 1; n <= size; n++ {
		copy(table[1<<(n-1):1<<n], table[:1<<(n-1)])
		code <<= 1
		for _, symbol := range symbols[:count[n]] {
			table[reverse(code, n)] = entries[symbol] + uint32(n)<<8 + uint32(n)
			code++
		}
		symbols = symbols[count[n]:]
	}

	// Longer codes: those with the same first bits share a subtable.
	end, within, sub := 1<<size, -1, []uint32(nil)
	for n := size + 1; len(symbols) > 0; n++ {
		code <<= 1

		for i, symbol := range symbols[:count[n]] {
			index := reverse(code, n)
			if head := index & (1<<size - 1); head != within {
				within = head

				// It is as large as its longest code needs, which is where the codes
				// from this one on fill it.
				more := n - size
				for room := 1<<more - (count[n] - i); room > 0; {
					more++
					room = room<<1 - count[size+more]
				}

				table[head] = isSpecial | isSubtable | uint32(end)<<16 | uint32(more)<<8 | uint32(size)
				sub = table[end : end+1<<more]
				end += len(sub)
			}

			// Every index that ends in the code's bits stands for it.
			e := entries[symbol] + uint32(n-size)<<8 + uint32(n-size)
			for j := index >> size; j < len(sub); j += 1 << (n - size) {
				sub[j] = e
			}
			code++
		}
		symbols = symbols[count[n]:]
	}
	return true
}

// reverse returns the low n bits of code in the opposite order, n ≥ 1.
func reverse(code uint, n int) int { return int(bits.Reverse16(uint16(code)) >> (16 - n)) }
