package tables

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

const (
	// ExactDistinct is up to how many different values distinct is exact: its hashes then
	// take as much memory as the registers.
	ExactDistinct = 1 << registerBits / 8
	// registerBits makes 2^14 registers: the standard error is 1.04/128, 0.8 %.
	registerBits = 14
)

// distinct counts different values by their 64-bit hashes: as a set of these up to
// ExactDistinct, then as a HyperLogLog. Both are the same in any order. The partial is
// the number of hashes, then the sorted hashes; or ExactDistinct+1, then the registers.
//
// The estimate is that of Otmar Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches" (2017), algorithm 6: without tables and corrections by trial.
type distinct struct {
	hashes    map[uint64]struct{}
	registers []uint8 // nil as long as there are hashes
}

func (d *distinct) merge(partial []byte) error {
	r := reader{rest: partial}
	n := r.uvarint()

	// Many values are registers, of which the larger rank of each counts.
	if n > ExactDistinct {
		d.toRegisters()
		for i, rank := range r.next(1 << registerBits) {
			d.registers[i] = max(d.registers[i], rank)
		}
		return r.end()
	}

	// Few values are a list of hashes.
	for range n {
		d.add(r.uint64())
	}
	return r.end()
}

func (d *distinct) add(hash uint64) {
	if d.registers != nil {
		d.register(hash)
		return
	}

	if d.hashes == nil {
		d.hashes = map[uint64]struct{}{}
	}
	d.hashes[hash] = struct{}{}

	// Beyond ExactDistinct hashes the registers take less memory.
	if len(d.hashes) > ExactDistinct {
		d.toRegisters()
	}
}

// register notes a hash: its upper bits choose the register, the zeros in front of the
// others are its rank.
func (d *distinct) register(hash uint64) {
	at := hash >> (64 - registerBits)
	rank := uint8(bits.LeadingZeros64(hash<<registerBits|1<<(registerBits-1))) + 1
	d.registers[at] = max(d.registers[at], rank)
}

func (d *distinct) toRegisters() {
	if d.registers != nil {
		return
	}
	d.registers = make([]uint8, 1<<registerBits)
	for hash := range d.hashes {
		d.register(hash)
	}
	d.hashes = nil
}

func (d *distinct) append(b []byte) []byte {
	// A count above ExactDistinct marks the form with registers.
	if d.registers != nil {
		return append(binary.AppendUvarint(b, ExactDistinct+1), d.registers...)
	}

	// Sorted, so that equal sets have equal bytes.
	hashes := make([]uint64, 0, len(d.hashes))
	for hash := range d.hashes {
		hashes = append(hashes, hash)
	}
	slices.Sort(hashes)

	b = binary.AppendUvarint(b, uint64(len(hashes)))
	for _, hash := range hashes {
		b = binary.LittleEndian.AppendUint64(b, hash)
	}
	return b
}

func (d *distinct) bytes() int { return 64 + 24*len(d.hashes) + len(d.registers) }

func (d *distinct) cells(b []byte) []byte { return datum.AppendNumber(b, d.estimate()) }

// estimate returns how many different values there were, a whole number.
func (d *distinct) estimate() float64 {
	if d.registers == nil {
		return float64(len(d.hashes))
	}

	// How many registers have each rank.
	const ranks = 64 - registerBits + 1
	var having [ranks + 1]float64
	for _, rank := range d.registers {
		having[min(rank, ranks)]++
	}

	// Ertl's improved estimator, which needs no correction by ranges.
	const registers = 1 << registerBits
	z := registers * tau(1-having[ranks]/registers)
	for rank := ranks - 1; rank >= 1; rank-- {
		z = 0.5 * float64(z+having[rank])
	}
	z += registers * sigma(having[0]/registers)
	return math.Round(registers * registers / (2 * math.Ln2 * z))
}

// sigma is Ertl's correction for registers that are still zero.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}

	z, y := x, 1.0
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

// x is the share of registers that are not full.
// tau is Ertl's correction for registers that are full.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}

	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64((1 - x) * (1 - x) * y)
		if z == before {
			return z / 3
		}
	}
}
