package script_test

import (
	"strings"
	"testing"
)

// TestStatisticsOfMissingValues: no function of stats or histogram takes what is missing
// for a number, whether the values are those of a key or an array of the script.
func TestStatisticsOfMissingValues(t *testing.T) {
	const library = `
		import * as stats from "stats"
		import * as histogram from "histogram"
	`

	for _, missing := range []string{"undefined", "null", "ping.missing", `"7"`} {
		for _, call := range []string{
			"stats.sum(v)", "stats.mean(v)", "stats.median(v)", "stats.quantile(v, 0.5)", "stats.stddev(v)",
			"histogram.sum(v)", "histogram.add(undefined, v[1])", "histogram.samples([1, v[1], 0, 0, 0, 0, 0])",
			"histogram.percentile([1, v[1], 0, 0, 0, 0, 0], [0, 1], 50)", `ctx.counter("c").add(v[1])`,
		} {
			text := library + `export function map(id, dims, ping, ctx) { ctx.write("k", 2); ctx.write("k", ` + missing + `) }
				export function reduce(k, v, ctx) { ctx.write(k, ` + call + `) }`
			rows, _, err := job{text: text, records: []string{pingA}}.run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "TypeError") {
				t.Errorf("%s of %s: rows %q, error %v, want a TypeError", call, missing, rows, err)
			}
		}
	}
}

// TestStatisticsAtTheirLimits: what has no answer is NaN or an error.
func TestStatisticsAtTheirLimits(t *testing.T) {
	const library = `
		import * as stats from "stats"
		import * as histogram from "histogram"
	`

	for expr, want := range map[string]string{
		`stats.median([])`:                                                            "NaN",
		`stats.median([1, NaN, 2])`:                                                   "NaN",
		`stats.median(new Set([1, 2]))`:                                               "1.5",
		`stats.mean(new Float64Array([1, 2]))`:                                        "1.5",
		`stats.quantile([1], 95)`:                                                     "RangeError: quantile: 95 is not between 0 and 1",
		`stats.quantile([1], undefined)`:                                              "RangeError: quantile: undefined is not between 0 and 1",
		`stats.sum([1, , 2])`:                                                         "TypeError: sum: value 1 is undefined, not a number: write a value only where there is one, or filter the values first",
		`stats.count(["a", null])`:                                                    "TypeError: count: a value is null: write a value only where there is one, or filter the values first",
		`JSON.stringify(stats.count(["constructor", "__proto__"]))`:                   `{"constructor":1,"__proto__":1}`,
		`histogram.percentile([1, 2, 1, 0, 0, 0, 0, 0], [0, 1, 2], 50)`:               "1.5",
		`histogram.percentile([1, 2, 1, 0, 0, 0, 0, 0], [0, 1, 2], 50, "enumerated")`: "1",
		`histogram.percentile([1, 2, 1, 0, 0, 0, 0, 0], [0, 1, 2], 500)`:              "RangeError: percentile: 500 is not between 0 and 100",
		`histogram.percentile([1, 2, 1, 0, 0, 0, 0, 0], [0], 50)`:                     "RangeError: percentile: 8 numbers and 1 bounds do not belong together",
		`histogram.sum([[1, NaN]])`:                                                   "TypeError: histogram: value 0 holds something that is no number",
	} {
		text := library + `export function map(id, dims, ping, ctx) { ctx.write("k", 0) }
			export function reduce(k, v, ctx) { let s; try { s = String(` + expr + `) } catch (e) { s = String(e) }; ctx.writeLine(s) }`
		got, _, err := job{text: text, records: []string{pingA}}.run(t.Context())
		if err != nil || got != want+"\n" {
			t.Errorf("%s: got %q, %v, want %q", expr, got, err, want)
		}
	}
}
