package main

import (
	"fmt"
	"strconv"
	"strings"
)

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
