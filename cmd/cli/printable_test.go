package cli

import "testing"

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"c0ffee-1":                    "c0ffee-1",
		"déjà vu, 日本":                 "déjà vu, 日本",
		"\x1b]0;title\a":              `\x1b]0;title\a`,
		"two\nlines\tand a tab":       `two\nlines\tand a tab`,
		"right\u202eleft":             `right\u202eleft`,
		"not\xffUTF-8":                `not\xffUTF-8`,
		"a real replacement \ufffd":   "a real replacement \ufffd",
		"non-breaking\u00a0and\u0085": `non-breaking\u00a0and\u0085`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) is %s, want %s", text, got, want)
		}
	}
}

func TestPrintableText(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"a\tb\n\nc ä":               "a\tb\n\nc ä",
		"\x1b[2Ja\r\n\x9b\tb\u202e": `\x1b[2Ja\r` + "\n" + `\x9b` + "\t" + `b\u202e`,
	} {
		if got := PrintableText(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
