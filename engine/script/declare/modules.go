package declare

// modules are what scripts import by a bare name; the files are in bundle/lib.
var modules = []object{
	{name: "stats", doc: "What jobs most often compute from the values of a key. What is no number throws, undefined and null too; NaN makes the result NaN.", members: []member{
		{name: "sum", typ: "(values: ArrayLike<number>): number",
			doc: "The sum; 0 of none."},
		{name: "mean", typ: "(values: ArrayLike<number>): number",
			doc: "The arithmetic mean; NaN of none."},
		{name: "median", typ: "(values: Iterable<number>): number",
			doc: "The median; of an even number of values the mean of the two in the middle."},
		{name: "quantile", typ: "(values: Iterable<number>, q: number): number",
			doc:     "The q-quantile (0 to 1), linear between neighbours; NaN of no values.",
			example: "quantile(times, 0.95)"},
		{name: "stddev", typ: "(values: number[]): number",
			doc: "The standard deviation of a sample; NaN of fewer than two values."},
		{name: "count", typ: "(values: Iterable<Value>): Record<string, number>",
			doc: "How often each value occurs; undefined and null throw."},
	}},
	{name: "data", doc: "Look-ups in data files that a script imports.", members: []member{
		{name: "index", typ: "<Row>(rows: readonly Row[], ...columns: string[]): { readonly [value: string]: any }",
			doc:     "The elements of an imported array by the value of a column; by several columns, objects inside of objects. It is made once for all tasks. Two elements with the same values throw.",
			example: `index(releases, "version")[dims.appVersion]?.date`},
	}},
	{name: "csv", doc: "Lines as RFC 4180 has them.", members: []member{
		{name: "stringify", typ: "(cells: Iterable<Value>, separator?: string): string",
			doc: "One line, without its end."},
		{name: "parse", typ: "(text: string, separator?: string): string[][]",
			doc: "The rows of a text."},
	}},
	{name: "histogram", doc: "Arithmetic on stored histograms.", members: []member{
		{name: "sum", typ: "<H extends Histogram | tm.BoundHistogram>(histograms: ArrayLike<H>): H",
			doc: "Adds up histograms of one layout. Those of ping.histogram(name) become one that has kind, bounds and percentile(p); of different layouts, the error names both. A -1 says that a sum was not sent: the result has it only where every histogram has."},
		{name: "add", typ: "<H extends Histogram | tm.BoundHistogram>(total: (H extends Histogram ? Float64Array : H) | undefined, h: H): H extends Histogram ? Float64Array : H",
			doc:     "Adds h to total, which an earlier call returned, and returns it; without a total a new one. For adding up in a global while mapping.",
			example: "total = add(total, h)"},
		{name: "counts", typ: "(h: Histogram | tm.BoundHistogram): number[]",
			doc: "The bucket counts."},
		{name: "samples", typ: "(h: Histogram | tm.BoundHistogram): number",
			doc: "The number of samples."},
		{name: "percentile", typ: "(h: Histogram | tm.BoundHistogram, bounds: readonly number[], p: number, kind?: string): number",
			doc: "The p-th percentile (0 to 100), given the lower bounds of the buckets; linear within a bucket, unless the kind is another than exponential and linear; NaN without samples."},
		{name: "tail", typ: ": number",
			doc: "How many sums follow the bucket counts."},
	}},
}
