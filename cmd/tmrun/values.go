package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// workers is a flag value: how many at a time. 0 is what an absent flag leaves.
type workers int

// Decode implements kong.MapperValue: it sees numbers that begin with a hyphen.
func (w *workers) Decode(ctx *kong.DecodeContext) error {
	t := ctx.Scan.Pop()
	n, err := strconv.Atoi(t.String())
	if err != nil || n < 1 {
		return fmt.Errorf("%q: want a number greater than zero (without the flag: all processors)", t.String())
	}
	*w = workers(n)
	return nil
}

// or returns w, or n if the flag was absent.
func (w workers) or(n int) int {
	if w > 0 {
		return int(w)
	}
	return n
}

// failures is a flag value: how much may fail; -1 is anything.
type failures int64

// Decode implements kong.MapperValue.
func (e *failures) Decode(ctx *kong.DecodeContext) error {
	t := ctx.Scan.Pop()
	n, err := strconv.ParseInt(t.String(), 10, 64)
	if err != nil || n < -1 {
		return fmt.Errorf("%q: want a number, or -1 for any number", t.String())
	}
	*e = failures(n)
	return nil
}

// size is a flag value in bytes: 64MiB, 1GB, 512K or plain bytes.
type size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	digits := strings.TrimRight(t, "KMGTiBkb")
	unit := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(t[len(digits):], "B"), "i"))
	shift, ok := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !ok || n < 0 {
		return fmt.Errorf("size %q: want a number with KiB, MiB or GiB", t)
	}
	*s = size(n * float64(uint64(1)<<shift))
	return nil
}
