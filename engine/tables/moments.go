package tables

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// count counts.
type count struct{ n uint64 }

func (c *count) merge(partial []byte) error {
	r := reader{rest: partial}
	c.n += r.uvarint()
	return r.end()
}

func (c *count) append(b []byte) []byte { return binary.AppendUvarint(b, c.n) }
func (c *count) bytes() int             { return 8 }
func (c *count) cells(b []byte) []byte  { return datum.AppendNumber(b, float64(c.n)) }

// sum adds up numbers. Its partial is their number, then a float if there is one
// number, else the exact sum.
type sum struct {
	n     uint64
	total exact
}

func (s *sum) merge(partial []byte) error {
	r := reader{rest: partial}
	n := r.uvarint()
	s.n += n
	if n == 1 {
		s.total.add(r.float())
	} else {
		s.total.merge(&r)
	}
	return r.end()
}

func (s *sum) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.n)
	if s.n == 1 {
		return appendFloat(b, s.total.float())
	}
	return s.total.append(b)
}

func (s *sum) bytes() int            { return 64 + 8*len(s.total.limbs) }
func (s *sum) cells(b []byte) []byte { return datum.AppendNumber(b, s.total.float()) }

// moments are number, sum and sum of squares, both exact. The partial is as that of sum,
// with the sum of squares behind.
type moments struct {
	n       uint64
	total   exact
	squares exact
}

func (m *moments) merge(partial []byte) error {
	r := reader{rest: partial}
	n := r.uvarint()
	m.n += n

	// One number is stored as itself, which is shorter than two sums.
	if n == 1 {
		number := r.float()
		m.total.add(number)
		m.squares.addSquare(number)
		return r.end()
	}

	m.total.merge(&r)
	m.squares.merge(&r)
	return r.end()
}

func (m *moments) append(b []byte) []byte {
	b = binary.AppendUvarint(b, m.n)
	if m.n == 1 {
		return appendFloat(b, m.total.float())
	}
	return m.squares.append(m.total.append(b))
}

func (m *moments) bytes() int { return 128 + 8*(len(m.total.limbs)+len(m.squares.limbs)) }

// cells appends n, the mean, and the standard deviation of a sample, which fewer than
// two numbers do not have.
func (m *moments) cells(b []byte) []byte {
	b = datum.AppendNumber(b, float64(m.n))
	b = datum.AppendNumber(b, m.mean())
	if m.n < 2 {
		return datum.AppendNull(b)
	}
	return datum.AppendNumber(b, m.deviation())
}

// mean returns the float64 nearest to the sum, divided by n.
func (m *moments) mean() float64 { return m.total.float() / float64(m.n) }

// deviation returns the square root of (n·squares - sum²) / (n·(n-1)), where the
// difference, in which digits cancel out, is exact.
func (m *moments) deviation() float64 {
	n := float64(m.n)

	// Nearly always 128 bits are enough, which is much faster than math/big.
	if m.isSmall() {
		total := m.total.low
		if m.total.high < 0 {
			total = -total
		}

		// n·squares - total², in 128 bits.
		leftHigh, leftLow := bits.Mul64(m.n, m.squares.low)
		rightHigh, rightLow := bits.Mul64(total, total)
		low, borrow := bits.Sub64(leftLow, rightLow, 0)
		high, _ := bits.Sub64(leftHigh, rightHigh, borrow)

		difference := float64(float64(high)*(1<<64)) + float64(low)
		return math.Sqrt(difference / n / (n - 1))
	}

	// Otherwise the same difference with numbers of any size.
	total, totalExponent := m.total.big()
	squares, squaresExponent := m.squares.big()
	squares.Mul(squares, new(big.Int).SetUint64(m.n))
	total.Mul(total, total)

	// A difference needs both in units of the smaller exponent.
	exponent := min(squaresExponent, 2*totalExponent)
	squares.Lsh(squares, uint(squaresExponent-exponent))
	total.Lsh(total, uint(2*totalExponent-exponent))
	difference := new(big.Float).SetInt(squares.Sub(squares, total))
	difference.SetMantExp(difference, exponent)

	// All numbers were equal.
	if difference.Sign() <= 0 {
		return 0
	}

	// The square may be beyond float64, but its root is not.
	difference.SetPrec(128)
	difference.Quo(difference, big.NewFloat(n))
	difference.Quo(difference, big.NewFloat(n-1))
	root, _ := difference.Sqrt(difference).Float64()
	return root
}

// isSmall says whether the difference of deviation fits into 128 bits.
func (m *moments) isSmall() bool {
	total, squares := &m.total, &m.squares
	return total.limbs == nil && squares.limbs == nil && squares.high == 0 && total.high == int64(total.low)>>63
}

// extreme is the least or the greatest number. Its partial is that number.
type extreme struct {
	greatest bool
	any      bool
	number   float64
}

func (e *extreme) merge(partial []byte) error {
	r := reader{rest: partial}
	number := r.float()
	if !e.any || e.greatest && number > e.number || !e.greatest && number < e.number {
		e.number = number
		e.any = true
	}
	return r.end()
}

func (e *extreme) append(b []byte) []byte { return appendFloat(b, e.number) }
func (e *extreme) bytes() int             { return 16 }
func (e *extreme) cells(b []byte) []byte  { return datum.AppendNumber(b, e.number) }
