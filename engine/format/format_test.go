package format_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/format"
)

func str(s string) []byte  { return datum.AppendString(nil, s) }
func num(f float64) []byte { return datum.AppendNumber(nil, f) }
func null() []byte         { return datum.AppendNull(nil) }
func array(elements ...[]byte) []byte {
	b := datum.AppendKind(nil, datum.Array)
	for _, e := range elements {
		b = append(b, e...)
	}
	return datum.AppendKind(b, datum.End)
}

// rows writes rows of every shape.
func rows(t *testing.T, s engine.Sink) {
	t.Helper()
	for _, err := range []error{
		s.Separators(";", "|"),
		s.Row(str("WINNT"), num(3)),
		s.Row(array(str(`a,"b"`), num(1)), num(0.5)),
		s.Row(array(str("x\ny"), num(2), datum.AppendBool(nil, true)), array(num(1), str("z"))),
		s.Row(null(), null()),
		s.Record(array(str("r"), num(7))),
		s.Line([]byte(`{"own": 1}`)),
		s.Line([]byte("free text")),
		s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		format  string
		columns []string
		want    string
	}{
		{"tsv", []string{"a"}, "a\nWINNT;3|a,\"b\";1;0.5|x\\ny;2;true;[1,\"z\"]|;|r;7|{\"own\": 1}|free text|"},
		{"csv", nil, "WINNT,3\n\"a,\"\"b\"\"\",1,0.5\n\"x\ny\",2,true,\"[1,\"\"z\"\"]\"\n,\nr,7\n{\"own\": 1}\nfree text\n"},
		{"csv", []string{"os, version", "n"}, "\"os, version\",n\nWINNT,3\n\"a,\"\"b\"\"\",1,0.5\n\"x\ny\",2,true,\"[1,\"\"z\"\"]\"\n,\nr,7\n{\"own\": 1}\nfree text\n"},
		{"jsonl", nil, `{"key":"WINNT","value":3}
{"key1":"a,\"b\"","key2":1,"value":0.5}
{"key1":"x\ny","key2":2,"key3":true,"value":[1,"z"]}
{"key":null,"value":null}
{"column1":"r","column2":7}
{"own":1}
{"line":"free text"}
`},
		{"jsonl", []string{"os", "n"}, `{"os":"WINNT","n":3}
{"os":"a,\"b\"","n":1,"column3":0.5}
{"os":"x\ny","n":2,"column3":true,"column4":[1,"z"]}
{"os":null,"n":null}
{"os":"r","n":7}
{"own":1}
{"line":"free text"}
`},
	} {
		t.Run(fmt.Sprint(tt.format, tt.columns), func(t *testing.T) {
			var buf bytes.Buffer
			s, err := format.New(tt.format, &buf, tt.columns, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			rows(t, s)

			if got := buf.String(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// readParquet returns the schema and the rows, a line each.
func readParquet(t *testing.T, file []byte) string {
	t.Helper()
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range f.Schema().Fields() {
		fmt.Fprintf(&b, "%s:%s ", c.Name(), c.Type())
	}
	b.WriteByte('\n')
	for _, g := range f.RowGroups() {
		r := g.Rows()
		row := make([]pq.Row, 1)
		for {
			n, err := r.ReadRows(row)
			if n == 1 {
				for _, v := range row[0] {
					fmt.Fprintf(&b, "%v ", v)
				}
				b.WriteByte('\n')
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	return b.String()
}

func TestParquet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		columns []string
		write   func(*testing.T, engine.Sink)
		want    string
	}{
		{"every shape", nil, rows, `key:STRING key1:STRING key2:INT(64,true) key3:BOOLEAN value:JSON column1:STRING column2:INT(64,true) line:STRING 
WINNT <null> <null> <null> 3 <null> <null> <null> 
<null> a,"b" 1 <null> 0.5 <null> <null> <null> 
<null> x
y 2 true [1,"z"] <null> <null> <null> 
<null> <null> <null> <null> <null> <null> <null> <null> 
<null> <null> <null> <null> <null> r 7 <null> 
<null> <null> <null> <null> <null> <null> <null> {"own": 1} 
<null> <null> <null> <null> <null> <null> <null> free text 
`},
		{"named columns", []string{"z", "a"}, func(t *testing.T, s engine.Sink) {
			s.Row(str("x"), num(1))
			s.Row(num(2), num(1.5))
		}, "z:STRING a:DOUBLE \nx 1 \n2 1.5 \n"},
		{"no rows", nil, func(*testing.T, engine.Sink) {}, "key:STRING value:STRING \n"},
		{"no rows, names", []string{"line"}, func(*testing.T, engine.Sink) {}, "line:STRING \n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			s, err := format.New("parquet", &buf, tt.columns, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			tt.write(t, s)
			if buf.Len() == 0 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if got := readParquet(t, buf.Bytes()); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestParquetOfManyRowGroups(t *testing.T) {
	var buf bytes.Buffer
	s, err := format.New("parquet", &buf, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const n = 150_000
	for i := range n {
		if err := s.Row(num(float64(i)), str("v")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := pq.OpenFile(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != n || len(f.RowGroups()) != 3 {
		t.Errorf("%d rows in %d groups, want %d in 3", f.NumRows(), len(f.RowGroups()), n)
	}
}

// TestParquetOfAllTypes: a file of several row groups holds what was written, with nulls at
// any place, and long texts end a row group early.
func TestParquetOfAllTypes(t *testing.T) {
	var buf bytes.Buffer
	s, err := format.New("parquet", &buf, []string{"yes", "whole", "part", "text", "list", "none"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	// Each row has another set of nulls; the last column has nothing else.
	var want strings.Builder
	want.WriteString("yes:BOOLEAN whole:INT(64,true) part:DOUBLE text:STRING list:JSON none:STRING \n")
	long := strings.Repeat("x", 20_000)
	for i := range 70_000 {
		text := fmt.Sprint("text", i)
		if i < 3000 {
			text += long
		}
		cells := [][]byte{datum.AppendBool(nil, i%3 == 0), num(float64(i - 40_000)), num(float64(i) + 0.5), str(text), array(num(float64(i)))}
		printed := []string{fmt.Sprint(i%3 == 0), fmt.Sprint(i - 40_000), fmt.Sprint(float64(i) + 0.5), text, fmt.Sprintf("[%d]", i)}

		for j := range cells {
			if (i*7+j*j)%11%(j+2) == 1 {
				cells[j] = null()
				printed[j] = "<null>"
			}
		}
		if err := s.Record(array(append(cells, null())...)); err != nil {
			t.Fatal(err)
		}
		want.WriteString(strings.Join(printed, " ") + " <null> \n")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	if got := readParquet(t, buf.Bytes()); got != want.String() {
		t.Error("the rows read differ from those written")
	}
	f, err := pq.OpenFile(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.RowGroups()); n != 3 {
		t.Errorf("%d row groups, want 3", n)
	}
}

// readers return the rows of a file, by format: a line for each, its cells
// separated by commas.
var readers = map[string]func(t *testing.T, file []byte) string{
	"tsv": func(_ *testing.T, file []byte) string { return strings.ReplaceAll(string(file), "\t", ",") },
	"csv": func(t *testing.T, file []byte) string {
		all, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, cells := range all {
			b.WriteString(strings.Join(cells, ",") + "\n")
		}
		return b.String()
	},
	"jsonl": func(t *testing.T, file []byte) string {
		var b strings.Builder
		for dec := json.NewDecoder(bytes.NewReader(file)); dec.More(); {
			var row struct {
				Key, Value any
			}
			if err := dec.Decode(&row); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%v,%v\n", row.Key, row.Value)
		}
		return b.String()
	},
	"parquet": func(t *testing.T, file []byte) string {
		_, lines, _ := strings.Cut(readParquet(t, file), "\n")
		return strings.ReplaceAll(strings.ReplaceAll(lines, " \n", "\n"), " ", ",")
	},
}

// TestEveryFormatKeepsRows: what a format of the table writes, its reader reads.
func TestEveryFormatKeepsRows(t *testing.T) {
	const want = "WINNT,3\nDarwin,0.5\n"
	for _, f := range format.All() {
		t.Run(f.Name, func(t *testing.T) {
			read := readers[f.Name]
			if read == nil {
				t.Fatal("the test has no reader of this format")
			}

			var file bytes.Buffer
			s, err := format.New(f.Name, &file, nil, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{s.Row(str("WINNT"), num(3)), s.Row(str("Darwin"), num(0.5)), s.Close()} {
				if err != nil {
					t.Fatal(err)
				}
			}

			if got := read(t, file.Bytes()); got != want {
				t.Errorf("read %q, want %q", got, want)
			}
			for _, ending := range f.Endings {
				if got, err := format.Of("x." + ending); got != f.Name {
					t.Errorf("the ending %s means %s, %v", ending, got, err)
				}
			}
		})
	}
}

// TestDocumented: docs/scripts.md has the row of every format.
func TestDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range format.All() {
		row := fmt.Sprintf("| `%s` | `.%s` | %s |\n", f.Name, strings.Join(f.Endings, "`, `."), f.Description)
		if !strings.Contains(string(docs), row) {
			t.Errorf("docs/scripts.md lacks the row %q", row)
		}
	}
}

// TestRecordOfEmptyCells: an empty cell is a cell, also as the first.
func TestRecordOfEmptyCells(t *testing.T) {
	for name, want := range map[string]string{"tsv": ",,x\r\n", "csv": ",,x\n"} {
		var text bytes.Buffer
		s, err := format.New(name, &text, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		s.CSVRecord(array(str(""), str(""), str("x")))
		s.Close()
		if text.String() != want {
			t.Errorf("%s: %q, want %q", name, text.String(), want)
		}
	}
}

func TestOf(t *testing.T) {
	for path, want := range map[string]string{"x.csv": "csv", "a/b.JSONL": "jsonl", "x.ndjson": "jsonl", "x.parquet": "parquet", "x.pq": "parquet", "x.tsv": "tsv", "x": "tsv", "x.txt": "", "": "tsv"} {
		if got, err := format.Of(path); got != want || (err == nil) != (want != "") {
			t.Errorf("Of(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
	if _, err := format.New("xml", nil, nil, ""); err == nil || !strings.Contains(err.Error(), "tsv, csv, jsonl, parquet") {
		t.Errorf("error %v", err)
	}
	if _, err := format.New("csv", nil, []string{"a", "a"}, ""); err == nil {
		t.Error("a column name may occur twice")
	}
}

// TestEscapesCanBeUndone: two different cells are two different texts.
func TestEscapesCanBeUndone(t *testing.T) {
	unescape := strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")
	for _, cell := range []string{"a\tb", `a\tb`, "c\nd", `c\nd`, `e\`, `C:\temp\new`, "\\\t\r\\n"} {
		var text bytes.Buffer
		s := format.NewTSV(&text)
		s.Record(array(str(cell), num(1)))
		s.Close()
		if got := unescape.Replace(strings.TrimSuffix(text.String(), "\t1\n")); got != cell {
			t.Errorf("%q comes back as %q", cell, got)
		}
	}
}
