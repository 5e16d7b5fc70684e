package datafile

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// show returns a value as a short text: scalars as JavaScript shows them.
func show(item Item) string {
	if item.Node == nil {
		return item.Scalar.String()
	}

	var parts []string
	for i, inner := range item.Node.Items {
		text := show(inner)
		if item.Node.Shape != nil {
			text = item.Node.Shape.Names[i] + ":" + text
		}
		parts = append(parts, text)
	}
	if item.Node.Shape != nil {
		return "{" + strings.Join(parts, " ") + "}"
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, path, text, want string }{
		{"document order", "a.json", `{"b":1,"10":true,"2":null,"a":"x"}`, "{b:1 10:true 2:null a:x}"},
		{"nested", "a.json", ` [ {"a" : [ ] } , { } , [1.5,-2e3, "\u00e4\ud83d\ude00\n"] ] `, "[{a:[]} {} [1.5 -2000 ä😀\n]]"},
		{"a scalar", "a.json", `5`, "5"},
		{"a name twice", "a.json", `{"a":1,"b":2,"a":3}`, "{a:3 b:2}"},
		{"a number that is too large", "a.json", `[1e999]`, "[Infinity]"},
		{"a mark of UTF-8", "a.json", "\xEF\xBB\xBF{}", "{}"},
		{"no JSON", "a.json", "{\"a\":1,\n  \"b\":}", "2:7: this is no JSON: invalid character '}' looking for beginning of value"},
		{"behind the value", "a.json", `{} x`, "1:4: this is no JSON: invalid character 'x' after top-level value"},
		{"not ended", "a.json", `{"a":`, "1:6: this is no JSON: unexpected end of JSON input"},
		{"empty", "a.json", " \n", "1:1: the file is empty: JSON needs a value, such as {} or []"},
		{"too deep", "a.json", strings.Repeat("[", 20_000), "1:10001: this is no JSON: invalid character '[' exceeded max depth"},
		{"UTF-16", "a.csv", "\xFF\xFEa\x00", "1:1: the file is UTF-16: save it as UTF-8"},
		{"Latin-1", "a.csv", "a,b\nx,\xe4", "2:3: byte 0xE4 is no UTF-8: save the file as UTF-8"},

		{"lines", "a.jsonl", "{\"a\":1}\n\n[2]\r\n3", "[{a:1} [2] 3]"},
		{"a bad line", "a.ndjson", "{}\n{\"a\"}\n", "2:5: this is no JSON: invalid character '}' after object key"},
		{"no lines", "a.jsonl", "", "[]"},

		{"a table", "a.csv", "version,date\n28.0,2014-03-18\n029,\n", "[{version:28.0 date:2014-03-18} {version:029 date:}]"},
		{"a mark, CRLF, quotes", "a.csv", "\xEF\xBB\xBFa,b\r\n\"x, \"\"y\"\"\",\"1\r\n2\"\r\n\r\n 3 ,\"\"\r\n", "[{a:x, \"y\" b:1\n2} {a: 3  b:}]"},
		{"CR", "a.csv", "a,b\r1,2\r", "[{a:1 b:2}]"},
		{"a header alone", "a.csv", "a,b\n", "[]"},
		{"a column without a name", "a.csv", ",b\n0,2\n", "[{:0 b:2}]"},
		{"many columns", "a.csv", "a,b,c,d,e,f,g,h,i\n1,2,3,4,5,6,7,8,9", "[{a:1 b:2 c:3 d:4 e:5 f:6 g:7 h:8 i:9}]"},
		{"no table", "a.csv", "\n", "1:1: the file is empty: its first line must name the columns"},
		{"a long row", "a.csv", "\na,b\n1,\"2\n\"\n1,2,3\n", "5:1: this row has 3 cells, the header in line 2 has 2"},
		{"a short row", "a.csv", "a,b\n1\n", "2:1: this row has 1 cell, the header in line 1 has 2"},
		{"a name twice in a table", "a.csv", "a,b,a\n", `1:1: columns 1 and 3 are both called "a"`},
		{"a quote inside", "a.csv", "a,b\n1,x\"y\n", `2:4: this is no CSV: bare " in non-quoted-field`},
		{"a quote that does not end", "a.csv", "a,b\n1,\"x\ny\n", `3:3: this is no CSV: extraneous or missing " in quoted-field, in the row that begins in line 2`},

		{"tabs", "a.tsv", "k\tv\r\na\\tb\\\\t\t\"c\"\r\n\n\\x\t\n", "[{k:a\tb\\t v:\"c\"} {k:\\x v:}]"},
		{"a long row of tabs", "a.tsv", "k\tv\n1\t2\t3", "2:1: this row has 3 cells, the header in line 1 has 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, err := Parse(tt.path, tt.path, []byte(tt.text))
			got := fmt.Sprint(err)
			if err == nil {
				got = show(file.Root)
			}
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	file, err := Parse("a.json", "a.json", []byte(`[`+strings.Repeat("{\"a\":1,\n\"a\":2},", 100)+`{}]`))
	if err != nil || len(file.Warnings) != maxWarnings || file.Warnings[1].Line != 3 {
		t.Errorf("%v, %v", err, file.Warnings)
	}
}

// TestOtherSeparators: a table with other separators than its ending says is warned of.
func TestOtherSeparators(t *testing.T) {
	for _, tt := range []struct {
		path, text string
		warned     bool
	}{
		{"a.csv", "a;b\n1;2\n", true}, {"a.csv", "a\tb\n", true}, {"a.tsv", "a,b\n", true}, {"a.csv", "a\n1\n", false}, {"a.csv", "a;b,c\n1,2\n", false}, {"a.tsv", "a\tb\n", false},
	} {
		file, err := Parse(tt.path, tt.path, []byte(tt.text))
		if err != nil || len(file.Warnings) > 0 != tt.warned {
			t.Errorf("%s %q: %v, warnings %v", tt.path, tt.text, err, file.Warnings)
		}
	}
}

func TestIndex(t *testing.T) {
	const rows = "channel,version,n\nnightly,28,1\nbeta,28,2\nbeta,27,3\n"
	file, err := Parse("a.csv", "a.csv", []byte(rows))
	if err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct{ columns, want string }{
		{"n", "{1:{channel:nightly version:28 n:1} 2:{channel:beta version:28 n:2} 3:{channel:beta version:27 n:3}}"},
		{"channel,version", "{nightly:{28:{channel:nightly version:28 n:1}} beta:{28:{channel:beta version:28 n:2} 27:{channel:beta version:27 n:3}}}"},
		{"version", "elements 0 and 1 of a.csv both have version 28: name another column too, or leave one of them out"},
		{"vresion", `element 0 of a.csv has no "vresion": it has channel, version, n`},
	} {
		made, err := file.Root.Node.Index(strings.Split(tt.columns, ","))
		got := fmt.Sprint(err)
		if err == nil {
			got = show(Item{Node: made})
			again, _ := file.Root.Node.Index(strings.Split(tt.columns, ","))
			if again != made {
				t.Errorf("%s: made twice", tt.columns)
			}
		}
		if got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.columns, got, tt.want)
		}
	}
}

// TestResult: rows as they were written, and no panic for what was cut.
func TestResult(t *testing.T) {
	row := datum.AppendKind(nil, datum.Object)
	for i, value := range [][]byte{
		datum.AppendUndefined(nil), datum.AppendNull(nil), datum.AppendBool(nil, true), datum.AppendNumber(nil, math.NaN()),
		datum.AppendKind(datum.AppendString(datum.AppendKind(nil, datum.Array), "x"), datum.End),
		datum.AppendHistogram(nil, datum.Bucketing{Name: "H", Kind: "linear", Low: 1, High: 2, Buckets: 3}, []float64{1, 2, 3}),
	} {
		row = append(datum.AppendString(row, string(rune('a'+i))), value...)
	}
	row = datum.AppendKind(row, datum.End)

	file, err := NewResult("first.js", slices.Concat(row, row))
	if err != nil {
		t.Fatal(err)
	}
	items := file.Root.Node.Items
	if len(items) != 2 || items[0].Node.Shape != items[1].Node.Shape {
		t.Fatalf("%d rows", len(items))
	}
	if histogram := items[0].Node.Items[5]; histogram.Node == nil || histogram.Node.Histogram == nil {
		t.Error("the histogram is gone")
	}
	items[0].Node.Items = items[0].Node.Items[:5]
	if got, want := show(items[0]), "{a:undefined b:null c:true d:NaN e:[x]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	for n := 1; n < len(row); n++ {
		if _, err := NewResult("first.js", row[:n]); !errors.Is(err, datum.ErrMalformed) {
			t.Errorf("%d bytes of %d: %v", n, len(row), err)
		}
	}
}

// TestKindsAreDocumented: docs/scripts.md names each ending.
func TestKindsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../../docs/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	for ending := range kinds {
		if !strings.Contains(string(docs), "`"+ending+"`") {
			t.Errorf("docs/scripts.md does not name %s", ending)
		}
	}
}
