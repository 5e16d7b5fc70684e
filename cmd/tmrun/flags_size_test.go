package main

import (
	"math"
	"testing"
)

// TestSizeAndPercent reads numbers that mean something, and refuses the others.
func TestSizeAndPercent(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "64MiB": 64 << 20, "1.5K": 1536, "8388607T": (8<<20 - 1) << 40} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("size %s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "NaN", "Inf", "-Inf", "-1", "1e400", "1e30", "8388608T", "9223372036854775808", "MiB", "1X"} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("size %s: %d, want an error", text, got)
		}
	}

	for _, text := range []string{"", "NaN", "Inf", "0", "-1%", "100.1%", "1e400"} {
		got := percent(math.NaN())
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("share %s: %v, want an error", text, got)
		}
	}
}
