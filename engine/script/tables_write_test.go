package script_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// writes is a script that writes the rows of its tables itself, and changes their arrays in
// each way.
const writes = `
import { count, histograms, top } from "tables"
export const sums = histograms("folder", "name", "day", "path", { each: "name", group: 2, show: ["pings", "numbers"], write: sum })
export const days = count("folder", "day", { write: list })
export const first = top("folder", "day", { size: 1, write: list })
export function map(id, dims, ping) {
  sums.addEach(ping.k, ping.day, "p" + ping.day % 3, ping.h)
  days.add(ping.k, ping.day)
  first.add(ping.k, 1, ping.day)
}
function sum([folder, name], rows, ctx) {
  if (folder === "key2") throw new Error("no " + name)
  for (const [day, path, pings, numbers] of rows) {
    if (!Array.isArray(numbers) || numbers.length !== [...numbers].length || numbers.at(-1) !== numbers[numbers.length - 1]) throw new Error("no array")
    if (day % 2) numbers.push(pings, path)
    else if (day % 4) numbers[1] = "changed"
    else numbers.length = 3
  }
  ctx.write([folder, name], rows)
}
function list([folder], rows, ctx) {
  ctx.write(folder, rows)
}`

// TestScriptsWriteTables: a script gets the rows of a group together, the same for any
// split; what one group throws does not lose another.
func TestScriptsWriteTables(t *testing.T) {
	var records []string
	for i := range 60 {
		records = append(records, fmt.Sprintf(`id%d`+"\t"+`{"k":"key%d","day":%d,"h":{"B":[1,2,3,0,0,0,0,0,%d],"A":[%d,0,1,%d,-1,-1,0.1,0]}}`, i, i%3, i%7, i, i%200, i))
	}

	run := func(size int) string {
		var src memory.Source
		for part := range slices.Chunk(records, size) {
			src = append(src, enginetest.Lines(fmt.Sprintf("seg%03d", len(src)), part...))
		}
		got, _, err := rowsOfTables(t, writes, src, func(_ *script.Job, o *engine.Options) {
			o.Mappers, o.Reducers, o.Memory, o.MaxErrors = size%5+1, size%3+1, 1, 2
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}

	want := run(60)
	for _, row := range []string{
		"key0\tA\t[[0,\"p0\",3,[63,0,3]],[1,\"p1\",3,[",
		"key0\tB\t[[0,\"p0\",3,[3,6,9]],[1,\"p1\",3,[3,6,9,0,0,0,0,0,108,3,\"p1\"]],[2,\"p2\",3,[3,\"changed\",9,",
		"key2\t[[0,3],[1,3],[2,3],[3,3],[4,3],[5,3],[6,2]]\n",
		"key1\t[[1,0,3]]\n",
	} {
		if !strings.Contains(want, row) {
			t.Errorf("no row %q in\n%s", row, want)
		}
	}
	if strings.Contains(want, "key2\tA") || strings.Contains(want, "key2\tB") {
		t.Errorf("rows of a group that was rejected:\n%s", want)
	}
	for _, size := range []int{1, 7} {
		if got := run(size); got != want {
			t.Errorf("in segments of %d records:\n%s\nwant\n%s", size, got, want)
		}
	}
}

// TestMistakesInWriting: what is wrong with each, and where.
func TestMistakesInWriting(t *testing.T) {
	const begin = `import { count, histograms, rows } from "tables"` + "\nconst w = () => {}\n"
	const end = "\nexport function map(id, dims, ping) { t.addEach('a', ping.h) }"
	src := memory.Source{enginetest.Lines("all", someRecords(3)...)}
	for _, tt := range []struct{ declared, want string }{
		{`export const t = count("a", "b", { group: 1 })`, "there is no write"},
		{`export const t = count("a", { write: w })`, "group: 1 of 1 key columns: it must leave at least one"},
		{`export const t = count("a", "b", { group: -1, write: w })`, "group: -1 of 2 key columns"},
		{`export const t = count("a", "b", { write: 1 })`, "option write is no function"},
		{`export const t = count("a", "b", { each: "c" })`, `there is no key column "c"`},
		{`export const t = rows("a", "b", { write: w })`, "rows are written as they are added"},
		{"export const u = count('a')\n" + `export const t = count("a", "b", { write: w })`, "some have write and some have not"},
		{`export const t = histograms("a", "b", "c", { write: w })`, "t.addEach takes"},
		{`export const t = histograms("a", "b", { write: () => { throw new Error("oh") } })`, "write: Error: oh (table t, key"},
	} {
		_, _, err := rowsOfTables(t, begin+tt.declared+end, src, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.declared, err, tt.want)
		}
	}
}
