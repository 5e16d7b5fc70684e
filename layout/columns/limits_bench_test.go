package columns_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// BenchmarkLimits writes and reads records of three generations of clients with the limits of
// limits.go, by which these were chosen: change one there, and compare (-benchtime 3x
// -cpu 1; times are of the processor).
func BenchmarkLimits(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var classic [][]byte
	for r := range layouttest.Varied(b, 4000) {
		classic = append(classic, append(append(bytes.Clone(r.ID), '\t'), r.JSON...))
	}
	clients := layouttest.SharedData(b, "clients")
	validation := filepath.Join(layouttest.SharedData(b, "pipeline-schemas"), "validation")

	for _, tt := range []struct {
		name  string
		path  []string
		lines [][]byte
	}{
		{"classic", []string{"info", "OS"}, classic},
		{"unified", []string{"environment", "system"}, population(b, rnd, 4000,
			weighted{filepath.Join(clients, "telemetry", "main.*.json"), 95},
			weighted{filepath.Join(validation, "telemetry", "main.4.*.pass.json"), 5})},
		{"Glean", []string{"client_info", "os"}, population(b, rnd, 10000,
			weighted{filepath.Join(clients, "firefox-desktop", "metrics*.json"), 50},
			weighted{filepath.Join(clients, "firefox-desktop", "*.json"), 40},
			weighted{filepath.Join(clients, "org-example-*", "*.json"), 10})},
	} {
		b.Run(tt.name, func(b *testing.B) { benchmarkLimits(b, tt.lines, tt.path) })
	}
}

func benchmarkLimits(b *testing.B, lines [][]byte, path []string) {
	raw := 0
	for _, line := range lines {
		raw += len(line) + 1
	}
	var file []byte
	var writing, opening, field, all time.Duration
	var f *columns.File
	for b.Loop() {
		start := layouttest.ProcessorTime(b)
		file = write(b, lines)
		writing += layouttest.ProcessorTime(b) - start

		start = layouttest.ProcessorTime(b)
		var err error
		if f, err = columns.Open(bytes.NewReader(file), int64(len(file))); err != nil {
			b.Fatal(err)
		}
		opening += layouttest.ProcessorTime(b) - start

		start = layouttest.ProcessorTime(b)
		readPath(b, f, path)
		field += layouttest.ProcessorTime(b) - start

		start = layouttest.ProcessorTime(b)
		for l := f.Lines(); ; {
			if _, err := l.Next(); err != nil {
				break
			}
		}
		all += layouttest.ProcessorTime(b) - start
	}

	perRun := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 / float64(b.N) }
	odd, names := 0, map[string]bool{}
	for number := range f.Info().Groups {
		g := f.Group(number)
		for row := range g.Rows() {
			if line, err := g.Odd(row); err == nil && line != nil {
				odd++
			}
		}
		if err := g.Verify(); err != nil {
			b.Fatal(err)
		}
		touched, _, _ := g.Touched()
		for _, name := range touched {
			names[name] = true
		}
	}
	fmt.Fprintf(os.Stderr, "%-8s %5d records %6.1f MB: %6.3f MB, %d groups, %d columns, %d odd; write %.0f ms, open %.2f ms, one column %.2f ms, all %.0f ms\n",
		b.Name()[len("BenchmarkLimits/"):], len(lines), float64(raw)/1e6, float64(len(file))/1e6, len(f.Info().Groups), len(names), odd,
		perRun(writing), perRun(opening), perRun(field), perRun(all))
	b.ReportMetric(0, "ns/op")
}

// readPath reads a path of all records.
func readPath(t testing.TB, f *columns.File, path []string) {
	for number := range f.Info().Groups {
		g := f.Group(number)
		for row := range g.Rows() {
			node := int32(0)
			for _, name := range path {
				if node = g.Child(node, name); node < 0 {
					break
				}
				if _, _, err := g.Kind(row, node); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// weighted is files of pings, and how many of a hundred records are made of them.
type weighted struct {
	pattern string
	percent int
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// population returns n records made of such files, group by group as partitions would lie: each
// with IDs and numbers of its own, and without some of the members below the second level.
func population(t testing.TB, rnd *rand.Rand, n int, groups ...weighted) (lines [][]byte) {
	for _, group := range groups {
		names, err := filepath.Glob(group.pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(group.pattern, err)
		}
		for i := range n * group.percent / 100 {
			text, err := os.ReadFile(names[i%len(names)])
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.TrimSpace(text)
			if len(text) < 3 || text[0] != '{' || jsonscan.Valid(text) != nil {
				continue
			}
			line := fmt.Appendf(nil, "%s\t", newUUID(rnd))
			line = uuids.ReplaceAllFunc(changed(line, text, 0, rnd), func([]byte) []byte { return newUUID(rnd) })
			lines = append(lines, line)
		}
	}
	return lines
}

func newUUID(rnd *rand.Rand) []byte {
	a, b := rnd.Uint64(), rnd.Uint64()
	return fmt.Appendf(nil, "%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&(1<<48-1))
}

// changed appends a JSON value with other numbers, without whitespace.
func changed(dst, text []byte, depth int, rnd *rand.Rand) []byte {
	switch {
	case text[0] == '{':
		dst = append(dst, '{')
		first := len(dst)
		for it := jsonscan.MembersTrusted(text, 0); it.Next(); {
			if value := it.Value(); depth < 2 || rnd.IntN(5) > 0 {
				if len(dst) > first {
					dst = append(dst, ',')
				}
				dst = append(append(append(dst, '"'), it.Key...), `":`...)
				dst = changed(dst, value, depth+1, rnd)
			}
		}
		return append(dst, '}')
	case strings.ContainsRune("123456789", rune(text[0])):
		if number, err := strconv.ParseInt(string(text), 10, 64); err == nil && number > 1 {
			return strconv.AppendInt(dst, 1+int64(float64(number)*(0.75+rnd.Float64()/2)), 10)
		}
	}
	return append(dst, text...)
}
