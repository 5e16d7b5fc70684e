package schema

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestNamesDifferInMoreThanCase spells values in many ways: the names are different
// ones, however a file system folds their letters, and give the values back.
func TestNamesDifferInMoreThanCase(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 5))
	values := map[string]string{} // by folded name
	for _, word := range []string{"29.0a1", "firefox", "other", "unknown", "saved_session", "b2g", "a", "3.6.3pre", strings.Repeat("x1", 60)} {
		for range 200 {
			value := []byte(word)
			for i, char := range value {
				if random.IntN(2) == 0 {
					value[i] = strings.ToUpper(string(char))[0]
				}
			}

			name := pathName(string(value))
			folded := strings.ToLower(name)
			if other, taken := values[folded]; taken && other != string(value) {
				t.Fatalf("%s and %s share the name %s", value, other, folded)
			}
			values[folded] = string(value)

			for _, listed := range []string{name, folded, strings.ToUpper(name)} {
				isPlain := !strings.Contains(name, capitalsMark)
				if isPlain && listed != name {
					continue // its case is all that it has
				}
				if got := ValueOfName(listed); got != string(value) {
					t.Fatalf("%s, listed as %s, is read as %s", value, listed, got)
				}
			}
		}
	}

	for value, want := range map[string]string{
		"29.0a1": "29.0a1", "29.0A1": "29.0A1~10", "Firefox": "Firefox", "firefox": "firefox~0",
		"FIREFOX": "FIREFOX~7f", "OTHER": "OTHER", "UNKNOWN": "UNKNOWN", "Other": "Other~1",
	} {
		if got := pathName(value); got != want {
			t.Errorf("%s has the name %s, want %s", value, got, want)
		}
	}

	// What older versions and other writers wrote.
	for _, name := range []string{"29.0A1", "Foo", "a~", "a~b~c", "~1", "a~-1", "a~zz", "a~1.", "A~01", "f\u00fc"} {
		if got := ValueOfName(name); got != name {
			t.Errorf("%s is read as %s", name, got)
		}
	}
}
