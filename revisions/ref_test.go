package revisions

import (
	"errors"
	"testing"
)

func TestParseURL(t *testing.T) {
	rel := Ref{"releases/mozilla-release", "a55c55edf302"}
	for url, want := range map[string]Ref{
		"http://hg.mozilla.org/releases/mozilla-release/rev/a55c55edf302":            rel,
		"https://hg.mozilla.org/releases/mozilla-release/rev/a55c55edf302/":          rel,
		"https://elsewhere.example/integration/b2g-inbound/rev/0123456789abcdef0123": {"integration/b2g-inbound", "0123456789abcdef0123"},
		"https://hg.mozilla.org/users/a_b.org/try/rev/0/rev/ad0ae007aa9e":            {"users/a_b.org/try/rev/0", "ad0ae007aa9e"},
		"https://hg.mozilla.org/try/rev/0123456789abcdef0123456789abcdef01234567":    {"try", "0123456789abcdef0123456789abcdef01234567"},
	} {
		if got, err := ParseURL(url); err != nil || got != want {
			t.Errorf("ParseURL(%s) = %v, %v, want %v", url, got, err, want)
		}
	}

	for _, url := range []string{
		"", "/rev/", "/rev/a55c55edf302", "a55c55edf302", "ftp://hg.mozilla.org/x/rev/a55c55edf302",
		"http://hg.mozilla.org/rev/a55c55edf302", "http://hg.mozilla.org//rev/a55c55edf302", "http:///x/rev/a55c55edf302",
		"http://hg.mozilla.org/x/rev/A55C55EDF302", "http://hg.mozilla.org/x/rev/tip", "http://hg.mozilla.org/x/rev/", "http://hg.mozilla.org/x/rev/123",
		"http://hg.mozilla.org/x/rev/ffffffffffff", "http://hg.mozilla.org/x/rev/ffffffffffffffffffffffffffffffffffffffff", "http://hg.mozilla.org/x/rev/000000000000",
		"http://hg.mozilla.org/../etc/rev/a55c55edf302", "http://hg.mozilla.org/a/../../etc/rev/a55c55edf302", "http://hg.mozilla.org/./rev/a55c55edf302",
		"http://hg.mozilla.org/a%2f..%2fb/rev/a55c55edf302", "http://hg.mozilla.org/a\\b/rev/a55c55edf302", "http://hg.mozilla.org/a b/rev/a55c55edf302",
		"http://hg.mozilla.org/a\x00/rev/a55c55edf302", "http://hg.mozilla.org/a?x/rev/a55c55edf302", "http://hg.mozilla.org/x/rev/a55c55edf302?y",
	} {
		ref, err := ParseURL(url)
		if !errors.Is(err, ErrInvalidURL) || err.Error() != "Invalid revision URL: "+url {
			t.Errorf("ParseURL(%q) = %v, %v", url, ref, err)
		}
	}
	if _, err := ParseURL("https://HG.mozilla.org/try/rev/a55c55edf302", DefaultHost); err != nil {
		t.Error(err)
	}
	if _, err := ParseURL("https://evil.example/try/rev/a55c55edf302", DefaultHost); !errors.Is(err, ErrInvalidURL) {
		t.Errorf("a foreign host: %v", err)
	}
}
