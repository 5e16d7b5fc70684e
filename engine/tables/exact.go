package tables

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
)

// exact is a sum of float64 numbers without any rounding: an integer of as many bits as
// it needs. So the order of adding does not matter, and equal sums have equal bytes.
//
// Whole numbers, which most are, add up in 128 bits. All others add up in limbs of 32
// bits, each in an int64 so that a carry may wait: limb i counts units of
// 2^(32·(first+i)-exponentBias). A number goes one way or the other by its own value, so
// that the split of the sum does not depend on the order either.
type exact struct {
	high  int64 // of the whole numbers, as two's complement with low
	low   uint64
	limbs []int64
	first int // of limbs
	adds  int // to limbs since carries were last done
}

const (
	limbBits = 32
	limbMask = 1<<limbBits - 1
	// exponentBias makes the exponent of the square of the smallest float64, 2^-2148, a
	// positive place.
	exponentBias = 2176
	// maxPlaces is more than the places that squares of float64 have.
	maxPlaces = 200
	// maxWaitingAdds is how many additions of less than 2^32 an int64 takes.
	maxWaitingAdds = 1 << 30
	// maxWhole bounds the numbers that add up in 128 bits, and maxWholeRoot those whose
	// squares do.
	maxWhole     = 1 << 63
	maxWholeRoot = 1 << 32
)

// add adds a finite number.
func (e *exact) add(number float64) {
	if number == math.Trunc(number) && number < maxWhole && number >= -maxWhole {
		e.addWhole(int64(number))
		return
	}
	mantissa, exponent := parts(number)
	e.addPart(0, mantissa, exponent, number < 0)
}

// addSquare adds the square of a finite number.
func (e *exact) addSquare(number float64) {
	if number == math.Trunc(number) && math.Abs(number) < maxWholeRoot {
		high, low := bits.Mul64(uint64(math.Abs(number)), uint64(math.Abs(number)))
		e.addWords(int64(high), low)
		return
	}
	mantissa, exponent := parts(number)
	high, low := bits.Mul64(mantissa, mantissa)
	e.addPart(high, low, 2*exponent, false)
}

// parts returns a number's mantissa and exponent: it is ±mantissa·2^exponent.
func parts(number float64) (mantissa uint64, exponent int) {
	raw := math.Float64bits(number)
	exponent = int(raw >> 52 & 0x7ff)
	mantissa = raw & (1<<52 - 1)
	if exponent == 0 {
		return mantissa, -1074
	}
	return mantissa | 1<<52, exponent - 1075
}

// addWhole adds an integer.
func (e *exact) addWhole(number int64) { e.addWords(number>>63, uint64(number)) }

// addWords adds an integer of 128 bits.
func (e *exact) addWords(high int64, low uint64) {
	sum, carry := bits.Add64(e.low, low, 0)
	e.low = sum
	e.high += high + int64(carry)
}

// addPart adds ±(high·2^64+low)·2^exponent to the limbs.
func (e *exact) addPart(high, low uint64, exponent int, negative bool) {
	// The bias makes every exponent of a float64 a place from 0 on.
	place := exponent + exponentBias
	at := place / limbBits
	shift := uint(place % limbBits)

	// Shifted to the limbs' places the number has up to 160 bits.
	words := [3]uint64{low << shift, low>>(64-shift) | high<<shift, high >> (64 - shift)}

	e.cover(at, at+5)
	for word, value := range words {
		for half := range 2 {
			part := int64(value >> (limbBits * half) & limbMask)

			if negative {
				part = -part
			}
			if part != 0 {
				e.limbs[at+2*word+half-e.first] += part
			}
		}
	}

	// Each addition may carry one bit more, so the limbs are carried before they overflow.
	e.adds++
	if e.adds >= maxWaitingAdds {
		e.carry()
	}
}

// cover makes limbs for the places from low to high.
func (e *exact) cover(low, high int) {
	// The first number decides where the limbs begin.
	if e.limbs == nil {
		e.first = low
		e.limbs = make([]int64, high-low+1)
		return
	}

	// Grow at the low end, then at the high end.
	if low < e.first {
		e.limbs = append(make([]int64, e.first-low, e.first-low+len(e.limbs)), e.limbs...)
		e.first = low
	}
	if missing := high - e.first + 1 - len(e.limbs); missing > 0 {
		e.limbs = append(e.limbs, make([]int64, missing)...)
	}
}

// carry moves what exceeds 32 bits to the next limb: then all limbs but the last are from
// 0 to 2^32-1, and the last has the sign.
func (e *exact) carry() {
	e.adds = 0
	for i := 0; i < len(e.limbs)-1; i++ {
		e.limbs[i+1] += e.limbs[i] >> limbBits
		e.limbs[i] &= limbMask
	}

	// The last limb has no next one to carry into: append one until the rest is only the sign.
	for last := len(e.limbs) - 1; last >= 0 && e.limbs[last]>>limbBits != 0 && e.limbs[last]>>limbBits != -1; last++ {
		e.limbs = append(e.limbs, e.limbs[last]>>limbBits)
		e.limbs[last] &= limbMask
	}
}

// magnitude returns the limbs of the sum's absolute value, each below 2^32, without zeros
// at either end, with the place of the first one. It is the one form of the value.
func (e *exact) magnitude() (limbs []int64, first int, negative bool) {
	e.carry()

	limbs = append(limbs, e.limbs...)
	first = e.first

	// The last limb has the sign: negate all limbs and carry again.
	if len(limbs) > 0 && limbs[len(limbs)-1] < 0 {
		negative = true
		for i := range limbs {
			limbs[i] = -limbs[i]
		}
		for i := 0; i < len(limbs)-1; i++ {
			limbs[i+1] += limbs[i] >> limbBits
			limbs[i] &= limbMask
		}

		// -2^32 in the last limb is one bit more.
		if last := len(limbs) - 1; limbs[last] > limbMask {
			limbs = append(limbs, limbs[last]>>limbBits)
			limbs[last] &= limbMask
		}
	}

	// Without zeros at the ends, equal sums have equal limbs.
	for len(limbs) > 0 && limbs[len(limbs)-1] == 0 {
		limbs = limbs[:len(limbs)-1]
	}
	for len(limbs) > 0 && limbs[0] == 0 {
		limbs = limbs[1:]
		first++
	}
	return limbs, first, negative
}

// The forms of an encoded sum.
const (
	formSmall  = iota // a zigzag varint
	formWhole         // 16 bytes, little endian: low, high
	formLimbed        // as formWhole, then varint 2·first+sign, varint limbs, each of 4 bytes
)

// append appends the sum; equal sums have equal bytes.
func (e *exact) append(b []byte) []byte {
	var limbs []int64
	first, negative := 0, false
	if e.limbs != nil {
		limbs, first, negative = e.magnitude()
	}

	// The shortest of three forms: most sums are small whole numbers.
	switch {
	case len(limbs) == 0 && e.high == int64(e.low)>>63:
		return binary.AppendVarint(append(b, formSmall), int64(e.low))
	case len(limbs) == 0:
		b = append(b, formWhole)
	default:
		b = append(b, formLimbed)
	}

	b = binary.LittleEndian.AppendUint64(b, e.low)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.high))
	if len(limbs) == 0 {
		return b
	}

	// The lowest bit of the place is the sign.
	place := uint64(2 * first)
	if negative {
		place++
	}

	b = binary.AppendUvarint(b, place)
	b = binary.AppendUvarint(b, uint64(len(limbs)))
	for _, limb := range limbs {
		b = binary.LittleEndian.AppendUint32(b, uint32(limb))
	}
	return b
}

// merge adds a sum that append has written at the start of r.
func (e *exact) merge(r *reader) {
	form := r.byte()
	if form == formSmall {
		e.addWhole(r.varint())
		return
	}

	// The other forms begin with the 128 bits of the whole part.
	low := r.uint64()
	e.addWords(int64(r.uint64()), low)
	if form == formWhole {
		return
	}

	// A damaged place or count would make the limbs huge.
	place := r.uvarint()
	count := r.uvarint()
	if place/2+count > maxPlaces {
		r.fail()
		return
	}

	e.cover(int(place/2), int(place/2)+int(count)-1)
	for i := range int(count) {
		limb := int64(r.uint32())
		if place%2 == 1 {
			limb = -limb
		}
		e.limbs[int(place/2)+i-e.first] += limb
	}

	// A merge counts as one addition to each limb.
	e.adds++
	if e.adds >= maxWaitingAdds {
		e.carry()
	}
}

// float returns the float64 that is nearest to the sum.
func (e *exact) float() float64 {
	const maxExact = 1 << 53
	if e.limbs == nil && e.high == int64(e.low)>>63 && int64(e.low) <= maxExact && int64(e.low) >= -maxExact {
		return float64(int64(e.low))
	}
	integer, exponent := e.big()
	return scaled(integer, exponent)
}

// big returns the sum as integer·2^exponent.
func (e *exact) big() (integer *big.Int, exponent int) {
	// The whole part has 128 bits.
	integer = new(big.Int).SetInt64(e.high)
	integer.Lsh(integer, 64)
	integer.Add(integer, new(big.Int).SetUint64(e.low))
	if e.limbs == nil {
		return integer, 0
	}

	// The fraction, from the most significant limb on, in units of the first one.
	limbs, first, negative := e.magnitude()
	fraction := new(big.Int)
	for i := len(limbs) - 1; i >= 0; i-- {
		fraction.Lsh(fraction, limbBits)
		fraction.Add(fraction, big.NewInt(limbs[i]))
	}
	if negative {
		fraction.Neg(fraction)
	}

	// Bring both parts to the smaller exponent before adding them.
	exponent = limbBits*first - exponentBias
	if exponent > 0 {
		fraction.Lsh(fraction, uint(exponent))
		exponent = 0
	}
	integer.Lsh(integer, uint(-exponent))
	return integer.Add(integer, fraction), exponent
}

// scaled returns the float64 nearest to integer·2^exponent.
func scaled(integer *big.Int, exponent int) float64 {
	float := new(big.Float).SetInt(integer)
	nearest, _ := float.SetMantExp(float, exponent).Float64()
	return nearest
}
