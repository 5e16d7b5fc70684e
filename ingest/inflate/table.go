package inflate

import "sync"

// An entry of a table says what the code at the low end of the bits stands for:
//
//	31       literal
//	30..16   the literal, the base of a length or distance, or where a subtable is
//	15       neither literal nor base
//	14       subtable (with 15); its index are the bits behind the first table's
//	13       end of block (with 15)
//	12..8    bits of the code, without extra bits
//	7..0     bits to consume, with extra bits
//
// 0 stands for a code that the block does not have.
const (
	isLiteral  = 1 << 31
	isSpecial  = 1 << 15
	isSubtable = 1 << 14
	isEnd      = 1 << 13
)

// lengths and distances are base and extra bits by symbol.
var (
	lengths   [29]uint32
	distances [30]uint32
)

func init() {
	base := uint32(3)
	for i := range lengths {
		extra := uint32(max(0, i/4-1))
		lengths[i] = base<<16 | extra
		base += 1 << extra
	}
	lengths[28] = 258 << 16
	base = 1
	for i := range distances {
		extra := uint32(max(0, i/2-1))
		distances[i] = base<<16 | extra
		base += 1 << extra
	}
}

// tables are what decodes a block. The length of each bounds the subtables that
// its codes can need: one for every two codes of more bits than the index has.
type tables struct {
	lit  [1<<litBits + 160<<(maxCode-litBits)]uint32
	dist [1<<distBits + 16<<(maxCode-distBits)]uint32
}

// fixed returns the tables of blocks that bring none.
var fixed = sync.OnceValue(func() *tables {
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
	build(t.lit[:], litBits, lens[:maxLit], litEntry)
	build(t.dist[:], distBits, lens[maxLit:], distEntry)
	return t
})

// litEntry returns the entry of a literal or length symbol without the code's
// bits; 0 for one that must not occur.
func litEntry(symbol int) uint32 {
	switch {
	case symbol < 256:
		return isLiteral | uint32(symbol)<<16
	case symbol == 256:
		return isSpecial | isEnd
	case symbol < 257+len(lengths):
		return lengths[symbol-257]
	}
	return 0
}

func distEntry(symbol int) uint32 {
	if symbol < len(distances) {
		return distances[symbol]
	}
	return 0
}

func plainEntry(symbol int) uint32 { return isLiteral | uint32(symbol)<<16 }

// build fills a table whose index has size bits from the lengths of the codes. It
// says whether they are those of a complete code, of a single one of one bit, or
// none at all.
func build(table []uint32, size uint, lens []uint8, entry func(symbol int) uint32) bool {
	var count, next [maxCode + 1]int
	for _, n := range lens {
		count[n]++
	}
	longest := uint(maxCode)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	clear(table[:1<<size])
	if longest == 0 {
		return true
	}
	count[0] = 0
	code, left := 0, 1
	for n := 1; n <= maxCode; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return false
		}
		code = (code + count[n-1]) << 1
		next[n] = code
	}
	if left > 0 && (longest != 1 || count[1] != 1) {
		return false
	}
	sub := 1 << size // where the next subtable goes
	for symbol, n := range lens {
		if n == 0 {
			continue
		}
		n := uint(n)
		e := entry(symbol)
		index := reverse(uint32(next[n]), n)
		next[n]++
		if n <= size {
			if e != 0 {
				e += uint32(n)<<8 + uint32(n)
			}
			for i := index; i < 1<<size; i += 1 << n {
				table[i] = e
			}
			continue
		}
		first := &table[index&(1<<size-1)]
		if *first == 0 {
			*first = isSpecial | isSubtable | uint32(sub)<<16 | uint32(longest-size)<<8 | uint32(size)
			clear(table[sub : sub+1<<(longest-size)])
			sub += 1 << (longest - size)
		}
		if e != 0 {
			e += uint32(n-size)<<8 + uint32(n-size)
		}
		at := *first >> 16 & 0x7fff
		for i := index >> size; i < 1<<(longest-size); i += 1 << (n - size) {
			table[at+i] = e
		}
	}
	return true
}
