package columns_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// dimsOf is a partition of the tests.
func dimsOf(version string) schema.Dims {
	return schema.Dims{"saved_session", "Firefox", "nightly", version, "20140203030203", "20140204"}
}

// write makes a segment of lines, in parts of ten records.
func write(t testing.TB, lines [][]byte) []byte {
	t.Helper()
	enc, err := columns.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()

	var out bytes.Buffer
	w, err := columns.NewWriter(&out, enc)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		if err := w.Add(dimsOf(fmt.Sprint(i/10)), line, uint32(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.Replaces = []string{"a/b.zst"}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(out.Len()) {
		t.Errorf("Size is %d, the file has %d bytes", w.Size(), out.Len())
	}
	return out.Bytes()
}

// read returns all lines of a segment.
func read(file []byte) (lines [][]byte, err error) {
	f, err := columns.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	for number := range f.Info().Groups {
		g := f.Group(number)
		for row := range g.Rows() {
			line, err := g.AppendLine(nil, row)
			if err != nil {
				return lines, err
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// same checks that lines come back byte for byte.
func same(t *testing.T, lines [][]byte) []byte {
	t.Helper()
	file := write(t, lines)
	got, err := read(file)
	if err != nil || len(got) != len(lines) {
		t.Fatalf("%d lines of %d, %v", len(got), len(lines), err)
	}
	for i := range lines {
		if !bytes.Equal(got[i], lines[i]) {
			t.Fatalf("line %d:\n%.2000s\nwant\n%.2000s", i, got[i], lines[i])
		}
	}
	return file
}

// oddLines are what a column form may stumble over.
var oddLines = []string{
	`id	{"a":1,"b":2}`,
	`id	{"b":2,"a":1}`,
	`id	{"a":1,"a":2}`,
	`id	{"a":{"x":1},"b":2,"a":{"y":2}}`,
	`id	{"a": 1, "b": {"c": [1, 2], "d": "e"}}`,
	`id	{"a" :1}`,
	`id	{ "a":1}`,
	`id	{"a":1 ,"b":2}`,
	`id	{"a":1.0,"b":1e0,"c":-0,"d":1E+2,"e":0.10}`,
	`id	{"a":{},"b":[],"c":"","d":null,"e":true}`,
	`id	{"a":{ }}`,
	`id	{}`,
	`id	[]`,
	`id	"text"`,
	`id	{"a":`,
	`id	not json`,
	`id	{"\u0061":1}`,
	`id	{"a.b":1,"a":{"b":2}}`,
	`id	{"a\\b":1}`,
	`id	{"":1,"x":{"":2}}`,
	`id	{"_id":1,"_odd":2,"_shape":3}`,
	"id	{\"a\":\"\xff\"}",
	"i\xffd	{\"a\":1}",
	`	{"a":1}`,
	`no tab`,
	`id	{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}`,
	`id	{"a":{"b":{"c":{"d":{"e":{"f":{"g":1},"h":2}}}}}}`,
	`id	{"a":1}trailing`,
	`id	{"ünï":"😀"}`,
	`id	{"__proto__":1,"length":2,"constructor":{}}`,
}

// TestOddLines: whatever a line is, it comes back, alone and among the others.
func TestOddLines(t *testing.T) {
	var all [][]byte
	for _, text := range oddLines {
		same(t, [][]byte{[]byte(text)})
		all = append(all, []byte(text))
	}
	same(t, all)

	// Often enough that their paths get columns.
	var often [][]byte
	for range 20 {
		often = append(often, all...)
	}
	same(t, often)
}

// TestFixtures: the records of real pings come back.
func TestFixtures(t *testing.T) {
	var lines [][]byte
	for _, r := range layouttest.Records(t) {
		lines = append(lines, append(append(r.ID, '\t'), r.JSON...))
	}
	same(t, lines)

	// Pings of today's clients, and of the schemas that say what is right and what is not; as
	// they are, or on one line.
	for _, name := range []string{"clients", "pipeline-schemas", "raw"} {
		pings := 0
		err := filepath.WalkDir(layouttest.SharedData(t, name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var compacted bytes.Buffer
			if json.Compact(&compacted, text) == nil {
				lines = append(lines, fmt.Appendf(nil, "%s\t%s", path, compacted.Bytes()))
			}
			lines = append(lines, fmt.Appendf(nil, "%s\t%s", path, bytes.ReplaceAll(text, []byte("\n"), []byte(" "))))
			pings++
			return nil
		})
		if err != nil || pings == 0 {
			t.Fatal(name, pings, err)
		}
	}
	same(t, lines)
}

// randomJSON appends a random value; small alphabets make paths meet.
func randomJSON(b []byte, rnd *rand.Rand, depth int, colon, comma string) []byte {
	kind := rnd.IntN(8)
	if depth > 7 {
		kind = rnd.IntN(5)
	}
	switch kind {
	case 0:
		return append(b, []string{"1", "0", "-1.50", "1e5", "123456789012345678901234567890"}[rnd.IntN(5)]...)
	case 1:
		return append(b, []string{`"x"`, `""`, `"\u00e9\n"`, `"a,b:{}"`, `"ü"`}[rnd.IntN(5)]...)
	case 2:
		return append(b, []string{"true", "false", "null"}[rnd.IntN(3)]...)
	case 3:
		return append(b, "[]"...)
	case 4:
		return append(b, "{}"...)
	case 5:
		b = append(b, '[')
		for i := range rnd.IntN(4) {
			if i > 0 {
				b = append(append(b, ','), comma...)
			}
			b = randomJSON(b, rnd, depth+1, colon, comma)
		}
		return append(b, ']')
	}
	return randomObject(b, rnd, depth, colon, comma)
}

func randomObject(b []byte, rnd *rand.Rand, depth int, colon, comma string) []byte {
	b = append(b, '{')
	for i := range 1 + rnd.IntN(6) {
		if i > 0 {
			b = append(append(b, ','), comma...)
		}
		names := []string{"a", "b", "c", "d", "a.b", "_x", "ü", fmt.Sprint(rnd.IntN(300))}
		if rnd.IntN(30) == 0 {
			names = []string{"", `\u00fc`, `\"`, `\\`, `a\n`, "_id", "."}
		}
		b = append(append(append(b, '"'), names[rnd.IntN(len(names))]...), '"', ':')
		b = randomJSON(append(b, colon...), rnd, depth+1, colon, comma)
	}
	return append(b, '}')
}

// TestRandomRecords: random records with random whitespace come back, and their members
// are those that encoding/json finds.
func TestRandomRecords(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var lines [][]byte
		for i := range 1 + rnd.IntN(300) {
			colon := strings.Repeat(" ", rnd.IntN(2)*rnd.IntN(2))
			comma := strings.Repeat(" ", rnd.IntN(2)*rnd.IntN(2))
			line := fmt.Appendf(nil, "%d-%d\t", seed, i)
			if rnd.IntN(50) == 0 {
				line = randomJSON(line, rnd, 0, colon, comma)
			} else {
				line = randomObject(line, rnd, 0, colon, comma)
			}
			lines = append(lines, line)
		}
		compareMembers(t, lines, same(t, lines))
	}
}

// compareMembers compares what the columns say of the members with encoding/json.
func compareMembers(t *testing.T, lines [][]byte, file []byte) {
	t.Helper()
	f, err := columns.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for number := range f.Info().Groups {
		// A group for the members alone, so that nothing was read before.
		g := f.Group(number)
		for row := range g.Rows() {
			line := lines[at]
			at++
			odd, err := g.Odd(row)
			if err != nil {
				t.Fatal(err)
			}
			if odd != nil {
				continue
			}
			_, text, _ := bytes.Cut(line, []byte("\t"))
			compareObject(t, g, row, 0, text)
		}
	}
}

func compareObject(t *testing.T, g *columns.Group, row int, node int32, text []byte) {
	t.Helper()
	var want map[string]json.RawMessage
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	members, err := g.Members(nil, row, node, g.Children(node))
	if err != nil || len(members) != len(want) {
		t.Fatalf("%d members, %v; want %d: %s", len(members), err, len(want), text)
	}
	for name, value := range want {
		child := g.Child(node, name)
		if child < 0 {
			t.Fatalf("no node %q of %s", name, text)
		}
		kind, got, err := g.Kind(row, child)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case columns.Text:
			if !bytes.Equal(got, value) {
				t.Fatalf("%s is %s, want %s", name, got, value)
			}
		case columns.Object:
			got, err := g.AppendObject(nil, row, child)
			if err != nil || !bytes.Equal(got, value) {
				t.Fatalf("%s is %s, %v; want %s", name, got, err, value)
			}
			compareObject(t, g, row, child, value)
		default:
			t.Fatalf("%s is absent from %s", name, text)
		}
	}
	if child := g.Child(node, "nowhere"); child >= 0 {
		t.Fatal("a name that no record has is found")
	}
}

// TestFreeKeys: an object with free keys stays one column, and others come and go.
func TestFreeKeys(t *testing.T) {
	var lines [][]byte
	for i := range 3000 {
		lines = append(lines, fmt.Appendf(nil, `%d	{"keyed":{"key%d":1,"x%d":{"y":2}},"info":{"OS":"Linux"}}`, i, i, i*7))
	}
	file := same(t, lines)
	f, err := columns.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	g := f.Group(0)
	if kind, text, err := g.Kind(0, g.Child(0, "keyed")); kind != columns.Text || err != nil {
		t.Errorf("keyed is %v %s, %v", kind, text, err)
	}
	if kind, text, err := g.Kind(0, g.Child(g.Child(0, "info"), "OS")); kind != columns.Text || string(text) != `"Linux"` || err != nil {
		t.Errorf("OS is %v %s, %v", kind, text, err)
	}
}

// TestEscapedNamesInRarePaths: an object of names with an escape stays whole, also where
// other records have members of the same rare path.
func TestEscapedNamesInRarePaths(t *testing.T) {
	var lines [][]byte
	for i := range 300 {
		lines = append(lines, fmt.Appendf(nil, `%d	{"info":{"OS":"Linux"}}`, i))
	}
	for i, rare := range []string{
		`{"t":{"x":1,"y":{"z":2}}}`, `{"t":{"x":1,"\u00fc":2}}`, `{"t":{"\u00fc":2}}`, `{"t":{}}`, `{"t":"\\"}`,
		`{"t":{"x":"\u00fc","y":{"\n":1}}}`, `{"\u0074":{"x":1}}`, `{"t":{"x":"\u00fc","y":{"z":3}}}`,
	} {
		lines[i*30+7] = fmt.Appendf(nil, `%d	{"info":{"OS":"Linux"},"rare":%s}`, i, rare)
	}
	same(t, lines)
}

// TestAhead: records that are read one after the other, some of them put together at once,
// are those that are read alone, in any order: with members in another order, rare ones,
// several styles and odd ones.
func TestAhead(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	var lines [][]byte
	for i := range 500 {
		members := []string{`"a":1`, `"b":{"x":1,"y":{"z":2}}`, `"c":"\u00fc"`, `"d":{}`, fmt.Sprintf(`"e":{"f":%d,"g":[]}`, i)}
		members = members[:1+rnd.IntN(len(members))]
		switch rnd.IntN(8) {
		case 0:
			rnd.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
		case 1:
			members = append(members, fmt.Sprintf(`"r%d":{"p":1,"q":{"s":%d}}`, rnd.IntN(90), i), `"h":0`)
		case 2:
			members = append(members, members[0])
		}
		comma := strings.Repeat(" ", rnd.IntN(5)/4)
		lines = append(lines, fmt.Appendf(nil, "%d\t{%s}", i, strings.Join(members, ","+comma)))
	}

	file := same(t, lines)
	f, err := columns.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	g := f.Group(0)
	for _, row := range rnd.Perm(len(lines)) {
		// Some rows from here on, so that reading ahead begins and ends anywhere.
		for ; row < len(lines) && rnd.IntN(20) > 0; row++ {
			line, err := g.AppendLine(nil, row)
			if err != nil || !bytes.Equal(line, lines[row]) {
				t.Fatalf("row %d: %q, %v\nwanted %q", row, line, err, lines[row])
			}
		}
	}
}

// TestSeveralGroups: row groups end, and later ones may bring other columns.
func TestSeveralGroups(t *testing.T) {
	var lines [][]byte
	for i := range 20_000 {
		lines = append(lines, fmt.Appendf(nil, `%d	{"a":%d,"member%d":{"x":1}}`, i, i, i/5000))
	}
	file := same(t, lines)
	parquetGo(t, file, lines)
}

// TestParquetGo: the library reads the file, and finds dimensions and IDs.
func TestParquetGo(t *testing.T) {
	var lines [][]byte
	for range 20 {
		for _, text := range oddLines {
			lines = append(lines, []byte(text))
		}
	}
	parquetGo(t, write(t, lines), lines)
}

func parquetGo(t *testing.T, file []byte, lines [][]byte) {
	t.Helper()
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if version, _ := f.Lookup("telemetry.version"); version != "1" || f.NumRows() != int64(len(lines)) {
		t.Errorf("version %q, %d rows of %d", version, f.NumRows(), len(lines))
	}
	id, _ := f.Schema().Lookup("_id")
	odd, _ := f.Schema().Lookup("_odd")
	version, _ := f.Schema().Lookup("_appVersion")
	row := 0
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buf := make([]pq.Row, 100)
		for {
			n, err := rows.ReadRows(buf)
			for _, r := range buf[:n] {
				want, _, _ := bytes.Cut(lines[row], []byte("\t"))
				got := r[id.ColumnIndex].ByteArray()
				if !r[odd.ColumnIndex].IsNull() {
					got, want = r[odd.ColumnIndex].ByteArray(), lines[row]
				}
				if !bytes.Equal(got, want) || r[version.ColumnIndex].String() != fmt.Sprint(row/10) {
					t.Fatalf("row %d: %s, version %s, want %s", row, got, r[version.ColumnIndex], want)
				}
				row++
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
	}
	if row != len(lines) {
		t.Errorf("%d rows of %d", row, len(lines))
	}
}

// TestDamage: a changed byte is an error of damage, or changes nothing.
func TestDamage(t *testing.T) {
	var lines [][]byte
	for _, text := range oddLines {
		lines = append(lines, []byte(text))
	}
	file := write(t, lines)
	for at := 0; at < len(file); at += 3 {
		damaged := bytes.Clone(file)
		damaged[at] ^= 0x55
		got, err := read(damaged)
		if err != nil {
			if _, ok := err.(*segment.CorruptError); !ok {
				t.Fatalf("byte %d: %v", at, err)
			}
			continue
		}
		for i := range lines {
			if !bytes.Equal(got[i], lines[i]) {
				t.Fatalf("byte %d: line %d is %s, without an error", at, i, got[i])
			}
		}
	}
	for size := 0; size < len(file); size += 5 {
		if _, err := read(file[:size]); err == nil {
			t.Fatalf("cut to %d bytes: no error", size)
		}
	}
}

// TestOnlyTouched: a member costs its column and no other, and the names of members cost the
// shape; each is read once.
func TestOnlyTouched(t *testing.T) {
	var lines [][]byte
	for i := range 500 {
		lines = append(lines, fmt.Appendf(nil, `%d	{"info":{"OS":"Linux","n":%d},"histograms":{"A":[1,2,%d]}}`, i, i, i))
	}
	file := write(t, lines)
	f, err := columns.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	g := f.Group(0)
	for row := range g.Rows() {
		if kind, _, err := g.Kind(row, g.Child(0, "info")); kind != columns.Object || err != nil {
			t.Fatal(kind, err)
		}
		if _, _, err := g.Kind(row, g.Child(g.Child(0, "info"), "OS")); err != nil {
			t.Fatal(err)
		}
	}
	if names, read, _ := g.Touched(); fmt.Sprint(names) != "[info.OS]" || read <= 0 || read > int64(len(file))/10 {
		t.Errorf("touched %v, %d bytes of %d", names, read, len(file))
	}
	var once int64
	for row := range g.Rows() {
		members, err := g.Members(nil, row, 0, g.Children(0))
		names, read, _ := g.Touched()
		if row == 0 {
			once = read
		}
		if err != nil || len(members) != 2 || g.Name(members[0]) != "info" || fmt.Sprint(names) != "[_shape info.OS]" || read != once {
			t.Fatal(row, members, err, names, read, once)
		}
	}
}
