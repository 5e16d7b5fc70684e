package declare

// The interfaces by name.
const (
	Context        = "Context"
	ReduceContext  = "ReduceContext"
	BoundHistogram = "BoundHistogram"
	Counter        = "Counter"
	Table          = "Table"
	TableOptions   = "TableOptions"
	Ping           = "Ping"
)

// objects are what scripts see beside modules, in the order of types.d.ts. The
// dimensions that dims has are those of layout/schema.
var objects = []object{
	{name: Context, doc: "What every function gets as its last argument.", members: []member{
		{name: "write", typ: "(key: Key, value: Value): void",
			doc:     "Emits a pair: to combine and reduce from map, to reduce from combine, a row of the output from reduce. combine writes its own key only.",
			example: `ctx.write([dims.appName, ping.info.OS], 1)`},
		{name: "counter", typ: "(name: string): Counter",
			doc:     "A number that the summary shows; for what should be looked at but is no result.",
			example: `ctx.counter("no OS").add()`},
	}},
	{name: ReduceContext, extends: Context, doc: "The ctx of setupReduce, reduce and reduceFinished.", members: []member{
		{name: "writeLine", aliases: []string{"writeline"}, typ: "(text: string): void",
			doc:     "A line of the output that the script formats.",
			example: "ctx.writeLine(`# ${os}`)"},
		{name: "writeRow", typ: "(cells: Value[]): void",
			doc:     "A row of cells, in every format.",
			example: "ctx.writeRow([os, counts.length])"},
		{name: "writeCSV", aliases: []string{"writecsv"}, typ: "(cells: Value[]): void",
			doc:     "The same; in TSV without names of columns, a line of CSV with CRLF.",
			example: "ctx.writeCSV([os, counts.length])"},
		{name: "fieldSeparator", aliases: []string{"field_separator"}, typ: ": string",
			doc:     "What stands between cells in TSV (a tab); set it in setupReduce.",
			example: `ctx.fieldSeparator = ","`},
		{name: "recordSeparator", aliases: []string{"record_separator"}, typ: ": string",
			doc:     "What stands behind rows in TSV (a newline).",
			example: `ctx.recordSeparator = "\n\n"`},
	}},
	{name: Ping, extends: pickString(), doc: "The record's JSON, read lazily; string methods work on its text. It is valid during its own call.", members: []member{
		{name: "histograms", typ: ": Histograms", ofDocument: true},
		{name: "histogram", typ: "(name: string, where?: { process?: string, key?: string, kind?: \"linear\" | \"exponential\", range?: [number, number], buckets?: number }): BoundHistogram | undefined",
			doc:     "A histogram with its layout: the one that the ping's revision gives it, that it says itself, or that Glean's timing and memory distributions have. A process other than parent, and the key of a keyed histogram or the label of a labeled one, go into where; and the kind, range and buckets that metrics.yaml gives a custom distribution of Glean, whose pings do not say them. undefined where the ping has none.",
			example: `ping.histogram("GC_MS", { process: "content" })`},
		{name: "scalar", typ: "(name: string, where?: { process?: string, key?: string }): any",
			doc:     "A scalar, or one key of a keyed scalar, of a process (parent); undefined where the ping has none.",
			example: `ping.scalar("browser.engagement.total_uri_count")`},
		{name: "metric", typ: "(name: string): any",
			doc:     "A metric of a Glean ping, whatever its type; undefined where the ping has none.",
			example: `ping.metric("browser.engagement.active_ticks")`},
		{name: "client", typ: ": string | undefined",
			doc: "The client's ID, wherever the ping has it."},
		{name: "environment", typ: ": any",
			doc:     "The environment of a unified ping; of others the same members as far as the ping has them: build, settings and system.os.",
			example: `ctx.write(ping.environment?.system?.os?.name, 1)`},
		{name: "events", typ: ": any[]",
			doc:     "The events of all processes as objects with timestamp, category, name and extra; those of unified pings also have process, object and value.",
			example: "for (const event of ping.events) ctx.write([event.category, event.name], 1)"},
		{name: "layout", typ: "(name: string): string",
			doc: `Kind, lowest and highest bound that the ping's revision gives a histogram, such as "exponential 1 to 10000"; "unknown" where its definition is not at hand.`},
		{name: "info", typ: ": any", ofDocument: true},
		{name: "[member: string]", typ: ": any", ofDocument: true},
	}},
	{name: BoundHistogram, doc: "What ping.histogram(name) returns. Written as a value it keeps its layout: combine and reduce get such a histogram again. In the output it is its stored form.", members: []member{
		{name: "name", typ: ": string",
			doc: "Its name."},
		{name: "kind", typ: ": string",
			doc: "exponential, linear, boolean, flag, count, enumerated or categorical; of Glean timing or memory."},
		{name: "bounds", typ: ": readonly number[]",
			doc: "The lower bounds of the buckets."},
		{name: "counts", typ: ": number[]",
			doc: "The samples per bucket."},
		{name: "numbers", typ: ": Histogram",
			doc: "Its stored form: the samples per bucket, then the sums."},
		{name: "sum", typ: ": number | undefined",
			doc: "The sum of the samples; undefined if it was not sent."},
		{name: "samples", typ: ": number",
			doc: "The number of samples."},
		{name: "percentile", typ: "(p: number): number",
			doc:     "The p-th percentile (0 to 100); NaN without samples. It is linear within a bucket of the kinds exponential and linear; in others a bucket is a value.",
			example: `ctx.write(dims.appVersion, ping.histogram("GC_MS")?.percentile(95))`},
		{name: "add", typ: "(other: BoundHistogram): this",
			doc: "Adds a histogram of the same layout to this one; another layout throws, and the error names both."},
	}},
	{name: Counter, doc: "A counter of the job.", members: []member{
		{name: "add", typ: "(n?: number): void",
			doc:     "Adds a whole number, 1 if there is none.",
			example: `ctx.counter("bytes").add(ping.length)`},
	}},
	{name: Table, doc: "What the functions of the module tables return. Values that are undefined, null, NaN or infinite are skipped, and the summary counts them; others of a wrong type throw.", members: []member{
		{name: "add", typ: "(...keysAndValue: any[]): void",
			doc:     "Adds a value to a key: the keys in the order of their columns, then the value. count takes no value; rows takes a cell for each column.",
			example: `uptime.add(dims.appUpdateChannel, ping.simpleMeasurements.uptime)`},
		{name: "addEach", typ: "(...keysObjectAndFilter: any[]): void",
			doc:     "Adds all members of an object: the last key column is the member's name, or the last two if the object holds objects. A filter on the names may follow: a regular expression, an array of names, or a function.",
			example: `all.addEach(dims.appUpdateChannel, ping.histograms, /^GC_/)`},
	}},
	{name: TableOptions, doc: "What may follow the names of a table's columns.", members: []member{
		{name: "of?", typ: ": number[]",
			doc: "Of quantiles: which, from 0 to 1; 0.25, 0.5 and 0.75."},
		{name: "size?", typ: ": number",
			doc: "Of top and sample: how many rows a key has at most; 10."},
		{name: "percentiles?", typ: ": number[]",
			doc: "Of histograms: which, from 0 to 100; 25, 50, 75 and 95."},
		{name: "mode?", typ: `: "linear" | "lower" | "geometric"`,
			doc: "Of histograms' percentiles: linear within the bucket, the lower bound of the bucket, or geometric within the buckets of exponential histograms. Buckets that are values are never parted."},
		{name: "show?", typ: ": string[]",
			doc: "Which results become columns, in this order. histograms has length and numbers, too, the stored form."},
		{name: "header?", typ: ": boolean",
			doc: "False: TSV and CSV begin without the names of the columns."},
		{name: "each?", typ: ": string",
			doc: "The key column that holds the names of members in addEach, if not the last one. addEach takes the others in their order."},
		{name: "write?", typ: ": (key: any[], rows: any[][], ctx: ReduceContext) => void",
			doc: "Writes the rows itself, as reduce does: called once for each value of the first key columns, with its rows, in the order of their keys. If one table of a script has it, all have, and write one output."},
		{name: "group?", typ: ": number",
			doc: "How many key columns write is called for; 1."},
	}},
}

// StringMembers are the members of String that editors complete on a ping. The
// others work too.
func StringMembers() []string {
	return []string{
		"length", "indexOf", "lastIndexOf", "includes", "match", "search", "slice", "substring", "split",
		"startsWith", "endsWith", "replace", "toString",
	}
}

// ConsoleMethods are the methods of console. types.d.ts leaves them to
// TypeScript's own libraries.
func ConsoleMethods() []string { return []string{"log", "debug", "info", "warn", "error"} }
