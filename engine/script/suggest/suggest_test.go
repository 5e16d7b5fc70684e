package suggest

import "testing"

func TestNearest(t *testing.T) {
	candidates := []string{"write", "counter", "writeLine", "median"}
	for name, want := range map[string]string{
		"wirte":  "write",  // two letters swapped
		"writ":   "write",  // one is missing
		"MEDIAN": "median", // case does not count
		"media":  "median",
		"emit":   "",
		"":       "",
	} {
		if got := Nearest(name, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
