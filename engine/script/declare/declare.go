package declare

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What scripts see of the host is declared here, once: types.d.ts, the
// reference in docs/scripts.md and a test against a running script come from it.

// declaration is an interface (or module) of what scripts see.
type declaration struct {
	name    string
	extends string
	doc     string
	members []hostMember
}

// hostMember is a method, property or exported function.
type hostMember struct {
	name    string
	aliases []string // the predecessor's spelling
	typ     string   // TypeScript, after the name: "(key: Key): void", ": string"
	doc     string
	example string
}

var contexts = []declaration{
	{"Context", "", "What every function gets as its last argument.", []hostMember{
		{"write", nil, "(key: Key, value: Value): void",
			"Emits a pair: to combine and reduce from map, to reduce from combine, a row of the output from reduce. combine writes its own key only.",
			`ctx.write([dims.appName, ping.info.OS], 1)`},
		{"counter", nil, "(name: string): Counter",
			"A number that the summary shows; for what should be looked at but is no result.", `ctx.counter("no OS").add()`},
	}},
	{"ReduceContext", "Context", "The ctx of setupReduce and reduce.", []hostMember{
		{"writeLine", []string{"writeline"}, "(text: string): void", "A line of the output that the script formats.", "ctx.writeLine(`# ${os}`)"},
		{"writeCSV", []string{"writecsv"}, "(cells: Value[]): void", "A row of cells; CSV where the output is text.", "ctx.writeCSV([os, counts.length])"},
		{"fieldSeparator", []string{"field_separator"}, ": string", "What stands between cells in TSV (a tab); set it in setupReduce.", `ctx.fieldSeparator = ","`},
		{"recordSeparator", []string{"record_separator"}, ": string", "What stands behind rows in TSV (a newline).", `ctx.recordSeparator = "\n\n"`},
	}},
	{"BoundHistogram", "", "What ping.histogram(name) gives. As a value it is its stored form.", []hostMember{
		{"name", nil, ": string", "Its name.", ""},
		{"kind", nil, ": string", "exponential, linear, boolean, flag, count or enumerated.", ""},
		{"bounds", nil, ": readonly number[]", "The lower bounds of the buckets.", ""},
		{"counts", nil, ": number[]", "The samples per bucket.", ""},
		{"sum", nil, ": number | undefined", "The sum of the samples; undefined if it was not sent.", ""},
		{"samples", nil, ": number", "The number of samples.", ""},
		{"percentile", nil, "(p: number): number", "The p-th percentile (0 to 100), linear within a bucket; NaN without samples.", `ctx.write(dims.appVersion, ping.histogram("GC_MS")?.percentile(95))`},
		{"add", nil, "(other: BoundHistogram): this", "Adds a histogram of the same layout to this one; another layout throws.", ""},
	}},
	{"Counter", "", "A counter of the job.", []hostMember{
		{"add", nil, "(n?: number): void", "Adds a whole number, 1 if there is none.", `ctx.counter("bytes").add(ping.length)`},
	}},
}

// ContextMembers are what a ctx has in some phase.
var ContextMembers = append(Members("Context"), Members("ReduceContext")...)

// Members returns the names, with the aliases, that an interface or module has.
func Members(name string) (names []string) {
	for _, d := range slices.Concat(contexts, modules) {
		if d.name != name {
			continue
		}
		for _, m := range d.members {
			names = append(append(names, m.name), m.aliases...)
		}
	}
	return names
}

// Modules returns the names that scripts may import.
func Modules() (names []string) {
	for _, m := range modules {
		names = append(names, m.name)
	}
	return names
}

var modules = []declaration{
	{"stats", "", "What jobs most often compute from the values of a key.", []hostMember{
		{"sum", nil, "(values: ArrayLike<number>): number", "The sum; 0 of none.", ""},
		{"mean", nil, "(values: ArrayLike<number>): number", "The arithmetic mean; NaN of none.", ""},
		{"median", nil, "(values: Iterable<number>): number", "The median; of an even number of values the mean of the two in the middle.", ""},
		{"quantile", nil, "(values: Iterable<number>, q: number): number", "The q-quantile (0 to 1), linear between neighbours; NaN of no values.", "quantile(times, 0.95)"},
		{"stddev", nil, "(values: number[]): number", "The standard deviation of a sample; NaN of fewer than two values.", ""},
		{"count", nil, "(values: Iterable<Value>): Record<string, number>", "How often each value occurs.", ""},
	}},
	{"csv", "", "Lines as RFC 4180 has them.", []hostMember{
		{"stringify", nil, "(cells: Iterable<Value>, separator?: string): string", "One line, without its end.", ""},
		{"parse", nil, "(text: string, separator?: string): string[][]", "The rows of a text.", ""},
	}},
	{"histogram", "", "Arithmetic on stored histograms.", []hostMember{
		{"sum", nil, "(histograms: ArrayLike<Histogram>): Histogram", "Adds up histograms of one layout. A sum of -1 is none, and stays only where nobody sent one.", ""},
		{"add", nil, "(total: Float64Array | undefined, h: Histogram): Float64Array", "Adds h to total, which an earlier call returned, and returns it; without a total a new one. For adding up in a global while mapping.", "total = add(total, h)"},
		{"counts", nil, "(h: Histogram): number[]", "The bucket counts.", ""},
		{"samples", nil, "(h: Histogram): number", "The number of samples.", ""},
		{"percentile", nil, "(h: Histogram, bounds: number[], p: number): number", "The p-th percentile (0 to 100), given the lower bounds of the buckets; NaN without samples.", ""},
		{"tail", nil, ": number", "How many sums follow the bucket counts.", ""},
	}},
}

const typesHead = `// What scripts see of tmrun, for editors and tsc. Generated from the declarations
// in engine/script/declare: change those.

declare namespace tm {
  /** What may be a key: it is sorted, and an array becomes columns. */
  type Key = string | number | boolean | null | readonly Key[]
  /** What may be a value. Of an object the members that are undefined are left out. */
  type Value = string | number | boolean | null | undefined | Date | readonly Value[] | { [name: string]: Value }
  /** Bucket counts, then sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi; a sum that was not sent is -1. */
  type Histogram = number[]

  /** The record's dimension values, in the schema's order and by name. */
  type Dims = readonly [string, string, string, string, string, string] & {
    readonly reason: string
    readonly appName: string
    readonly appUpdateChannel: string
    readonly appVersion: string
    readonly appBuildID: string
    readonly submission_date: string
  }

  /** The record's JSON, read lazily; string methods work on its text. It is valid during its own call. */
  interface Ping extends Pick<String, "length" | "indexOf" | "lastIndexOf" | "includes" | "match" | "search" | "slice" | "substring" | "split" | "startsWith" | "endsWith" | "replace"> {
    histograms: Histograms
    /** A histogram with the layout that the ping's revision gives it; undefined where the ping has none. */
    histogram(name: string): BoundHistogram | undefined
    /** Kind, lowest and highest bound that the ping's revision gives a histogram, such as "exponential 1 to 10000"; "unknown" where its definition is not at hand. */
    layout(name: string): string
    info: any
    [member: string]: any
  }
`

const typesTail = `
  type Map = (id: string, dims: Dims, ping: Ping, ctx: Context) => void
  type Combine = (key: any, values: any[], ctx: Context) => void
  type Reduce = (key: any, values: any[], ctx: ReduceContext) => void
  type MapFinished = (ctx: Context) => void
  type SetupReduce = (ctx: ReduceContext) => void

  /** A filter's dimension, as in its JSON form; they come in the schema's order, and those left out allow anything. */
  interface Dimension {
    field_name: "reason" | "appName" | "appUpdateChannel" | "appVersion" | "appBuildID" | "submission_date"
    allowed_values: string | string[] | { min?: string; max?: string } | { regex: string }
  }

  /** The functions of a filter: whether a partition, or a record, is taken. */
  type Accept = (dims: Dims) => boolean
  type Match = (id: string, dims: Dims, ping: Ping) => boolean
  /** What becomes of a record that is about to be published; nothing is "keep". */
  type Decision = "keep" | "drop" | { drop: string } | { quarantine: string } | void
  type Ingest = (id: string, dims: Dims, ping: Ping) => Decision

  /** A case of a test file. */
  interface Test {
    /** Records, or the name of a file of them: lines <id>\t<json>, or .jsonl of these objects. */
    records: { id?: string; dims?: Partial<Record<"reason" | "appName" | "appUpdateChannel" | "appVersion" | "appBuildID" | "submission_date", string>>; ping?: object }[] | string
    /** The rows of the output: arrays of cells, and strings of lines; or the name of a file with the output. */
    want?: (Value[] | string)[] | string
    /** What the error's text contains, if the job should fail. */
    throws?: string
    /** True where the output depends on the order of the records. */
    ordered?: boolean
  }
}

declare function test(name: string, test: tm.Test): void
`

// Types returns types.d.ts. The names of histograms, if any, are what editors
// complete after ping.histograms.
func Types(histograms []string) string {
	var b strings.Builder
	b.WriteString(typesHead)
	b.WriteString("\n  /** The ping's histograms by name. */\n  interface Histograms {\n")
	for _, name := range histograms {
		fmt.Fprintf(&b, "    %q?: Histogram\n", name)
	}
	b.WriteString("    [name: string]: Histogram | undefined\n  }\n")
	for _, d := range contexts {
		fmt.Fprintf(&b, "\n  /** %s */\n  interface %s ", d.doc, d.name)
		if d.extends != "" {
			fmt.Fprintf(&b, "extends %s ", d.extends)
		}
		b.WriteString("{\n")
		for _, m := range d.members {
			m.comment(&b, "    ")
			fmt.Fprintf(&b, "    %s%s\n", m.name, m.typ)
			for _, a := range m.aliases {
				fmt.Fprintf(&b, "    /** @deprecated the predecessor's spelling of %s */\n    %s%s\n", m.name, a, m.typ)
			}
		}
		b.WriteString("  }\n")
	}
	b.WriteString(typesTail)
	for _, d := range modules {
		fmt.Fprintf(&b, "\n/** %s */\ndeclare module %q {\n  import Value = tm.Value\n  import Histogram = tm.Histogram\n", d.doc, d.name)
		for _, m := range d.members {
			m.comment(&b, "  ")
			kind := "function"
			if strings.HasPrefix(m.typ, ":") {
				kind = "const"
			}
			fmt.Fprintf(&b, "  export %s %s%s\n", kind, m.name, m.typ)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func (m hostMember) comment(b *strings.Builder, indent string) {
	if m.example == "" {
		fmt.Fprintf(b, "%s/** %s */\n", indent, m.doc)
		return
	}
	fmt.Fprintf(b, "%[1]s/**\n%[1]s * %[2]s\n%[1]s * @example %[3]s\n%[1]s */\n", indent, m.doc, m.example)
}

// Reference returns the tables of docs/scripts.md.
func Reference() string {
	var b strings.Builder
	b.WriteString("| member of `ctx` | where | what |\n| --- | --- | --- |\n")
	where := map[string]string{"Context": "everywhere", "ReduceContext": "setupReduce, reduce"}
	for _, d := range contexts {
		if where[d.name] == "" {
			continue
		}
		for _, m := range d.members {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", m.markdown("ctx."), where[d.name], m.doc)
		}
	}
	b.WriteString("\n| import | function | what |\n| --- | --- | --- |\n")
	for _, d := range modules {
		for _, m := range d.members {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.name, m.markdown(""), m.doc)
		}
	}
	return b.String()
}

var (
	parameter  = regexp.MustCompile(`(\w+\??): [^,)]*`)
	resultType = regexp.MustCompile(`\)(: .*)?$`)
)

// markdown is the member without types.
func (m hostMember) markdown(object string) string {
	text := ""
	if strings.HasPrefix(m.typ, "(") {
		text = resultType.ReplaceAllString(parameter.ReplaceAllString(m.typ, "$1"), ")")
	}
	text = fmt.Sprintf("`%s%s%s`", object, m.name, text)
	for _, a := range m.aliases {
		text += fmt.Sprintf(" (`%s`)", a)
	}
	return text
}

var (
	mapFunction    = regexp.MustCompile(`(?m)^export function map\((\w+), (\w+), (\w+), (\w+)\)`)
	reduceFunction = regexp.MustCompile(`(?m)^export function (reduce|combine)\((\w+), (\w+), (\w+)\)`)
)

var (
	filterFunction = regexp.MustCompile(`(?m)^export function match\((\w+), (\w+), (\w+)\)`)
	filterConstant = regexp.MustCompile(`(?m)^export const dimensions = `)
)

// Annotate adds types to a script's functions: comments in JavaScript (ext
// ".js"), annotations in TypeScript.
func Annotate(text, ext string) string {
	const reference = "/// <reference path=\"./types.d.ts\" />\n"
	if ext == ".js" {
		text = mapFunction.ReplaceAllString(text, "/** @type {tm.Map} */\n$0")
		text = filterFunction.ReplaceAllString(text, "/** @type {tm.Match} */\n$0")
		text = filterConstant.ReplaceAllString(text, "/** @type {tm.Dimension[]} */\n$0")
		text = reduceFunction.ReplaceAllStringFunc(text, func(f string) string {
			name := reduceFunction.FindStringSubmatch(f)[1]
			return "/** @type {tm." + strings.ToUpper(name[:1]) + name[1:] + "} */\n" + f
		})
		return "// @ts-check\n" + reference + text
	}
	text = mapFunction.ReplaceAllString(text, "export function map($1: string, $2: tm.Dims, $3: tm.Ping, $4: tm.Context)")
	text = reduceFunction.ReplaceAllString(text, "export function $1($2: any, $3: any[], $4: tm.ReduceContext)")
	text = filterFunction.ReplaceAllString(text, "export function match($1: string, $2: tm.Dims, $3: tm.Ping)")
	text = filterConstant.ReplaceAllString(text, "export const dimensions: tm.Dimension[] = ")
	return reference + text
}
