package pattern_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/aitgithub/telemetry-server/engine/script/ecma/pattern"
)

func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func TestMatch(t *testing.T) {
	m := pattern.NewMatcher(nil)
	defer m.Close()

	tests := []struct {
		source, flags, text string
		want                []int
	}{
		{`\p{Lu}+`, "u", "éÄÖx", []int{1, 3}},
		{`\bä`, "", "xä", []int{1, 2}}, // ä is no word character, so there is a boundary before it
		{`^b$`, "m", "a\rb\u2028c", []int{2, 3}},
		{`(a)|(b)`, "", "b", []int{0, 1, -1, -1, 0, 1}},
		{`(?<=\$)\d+`, "", "€1 $22", []int{4, 6}},
		{`😀`, "", "a😀", []int{1, 3}},
		{`^.$`, "u", "😀", []int{0, 2}},
		{`^.$`, "", "😀", nil},
		{`[\p{L}--[a-z]]`, "v", "aÄ", []int{1, 2}},
		{``, "", "", []int{0, 0}},
		{`ſ`, "iu", "S", []int{0, 1}},
		{`ſ`, "i", "S", nil},
	}
	for _, tt := range tests {
		p, err := pattern.Compile(units(tt.source), tt.flags)
		if err != nil {
			t.Errorf("/%s/%s: %v", tt.source, tt.flags, err)
			continue
		}

		got, err := m.Match(p, pattern.UTF16(units(tt.text)), 0, false)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("/%s/%s on %q: got %v, %v, want %v", tt.source, tt.flags, tt.text, got, err, tt.want)
		}
	}
}

func TestSticky(t *testing.T) {
	m := pattern.NewMatcher(nil)
	defer m.Close()
	p, err := pattern.Compile(units("b"), "")
	if err != nil {
		t.Fatal(err)
	}

	if got, _ := m.Match(p, pattern.Latin1("ab"), 0, true); got != nil {
		t.Errorf("sticky at 0: got %v, want none", got)
	}
	if got, _ := m.Match(p, pattern.Latin1("ab"), 1, true); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("sticky at 1: got %v, want [1 2]", got)
	}
}

func TestGroupNames(t *testing.T) {
	p, err := pattern.Compile(units(`(?<year>\d)(x)(?<größe>y)`), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.GroupNames(), []string{"", "year", "", "größe"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ source, flags string }{
		{"(", ""}, {`\p{NoSuch}`, "u"}, {"a", "gg"}, {"a", "uv"}, {"a", "x"}, {"[b-a]", ""}, {"(?<n>a)(?<n>b)", ""},
		{strings.Repeat("(", 1_000_000), ""}, {strings.Repeat("[", 1_000_000), "v"},
	}
	for _, tt := range tests {
		if _, err := pattern.Compile(units(tt.source), tt.flags); !errors.Is(err, pattern.ErrSyntax) {
			t.Errorf("/%.20s/%s: got %v, want ErrSyntax", tt.source, tt.flags, err)
		}
	}
}

func TestInterrupt(t *testing.T) {
	start := time.Now()
	m := pattern.NewMatcher(func() bool { return time.Since(start) > 50*time.Millisecond })
	defer m.Close()
	p, err := pattern.Compile(units(`^(a|aa)+$`), "")
	if err != nil {
		t.Fatal(err)
	}

	text := pattern.Latin1(strings.Repeat("a", 60) + "b")
	if _, err := m.Match(p, text, 0, false); !errors.Is(err, pattern.ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := pattern.NewMatcher(nil)
	defer m.Close()
	p, err := pattern.Compile(units(`^(?:(a)|b)*?c`), "")
	if err != nil {
		t.Fatal(err)
	}

	text := pattern.Latin1(strings.Repeat("ab", 20_000_000))
	if _, err := m.Match(p, text, 0, false); err != nil && !errors.Is(err, pattern.ErrMemory) {
		t.Errorf("got %v, want no error or ErrMemory", err)
	}
}
