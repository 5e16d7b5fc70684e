package decide

import (
	"strings"
	"testing"
)

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\x00\tb\n":                    "a  b ",
		strings.Repeat("é", 150):        strings.Repeat("é", 100),
		"xé" + strings.Repeat("y", 300): "xé" + strings.Repeat("y", 197),
		"\xff":                          "",
	} {
		if got := oneLine(text, maxReasonBytes); got != want {
			t.Errorf("%.20q became %q", text, got)
		}
	}
}
