package declare

import (
	"fmt"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

const typesHead = `// What scripts see of tmrun, for editors and tsc. Generated from the declarations
// in engine/script/declare: change those.

declare namespace tm {
  /** What may be a key: it is sorted, and an array becomes columns. */
  type Key = string | number | boolean | null | readonly Key[]
  /** What may be a value. Of an object the members that are undefined are left out. */
  type Value = string | number | boolean | null | undefined | Date | BoundHistogram | readonly Value[] | { [name: string]: Value }
  /** Bucket counts, then sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi; a sum that was not sent is -1. */
  type Histogram = number[]
  /** What declares a table: the name of a column or, at the end, options. */
  type Column = string | TableOptions
`

// typesTail takes the union of the dimensions' names, twice.
const typesTail = `
  /** A filter's dimension, as in its JSON form; they come in the schema's order, and those left out allow anything. */
  interface Dimension {
    field_name: %[1]s
    allowed_values: string | string[] | { min?: string; max?: string } | { regex: string }
  }

  /** What becomes of a record that is about to be published; nothing is "keep". */
  type Decision = "keep" | "drop" | { drop: string } | { quarantine: string } | void

  /** A case of a test file. */
  interface Test {
    /** Records, or the name of a file of them: lines <id>\t<json>, or .jsonl of these objects. */
    records: { id?: string; dims?: Partial<Record<%[1]s, string>>; ping?: object }[] | string
    /** The histogram definitions that the pings have, of whatever revision they are: as in Histograms.json, or the name of such a file. */
    definitions?: { [histogram: string]: object } | string
    /** The rows of the output: arrays of cells, and strings of lines; or the name of a file with the output. */
    want?: (Value[] | string)[] | string
    /** What the error's text contains, if the job should fail. */
    throws?: string
    /** True where the output depends on the order of the records. */
    ordered?: boolean
  }
}

declare function test(name: string, test: tm.Test): void

/** The rows of another job, by the names of its columns: import rows from "job:./first.js". */
declare module "job:*" {
  const rows: readonly any[]
  export default rows
}

/** A table: its rows, by the names in its first line. All cells are strings. */
declare module "*.csv" {
  const rows: readonly { readonly [column: string]: string }[]
  export default rows
}

/** A table as tmrun writes it, with a line of names: see *.csv. */
declare module "*.tsv" {
  const rows: readonly { readonly [column: string]: string }[]
  export default rows
}

/** The values of a file with a JSON value in each line. */
declare module "*.jsonl" {
  const values: readonly any[]
  export default values
}

/** See *.jsonl. */
declare module "*.ndjson" {
  const values: readonly any[]
  export default values
}
`

// Types returns types.d.ts. The names of histograms, if any, are what editors
// complete after ping.histograms.
func Types(histograms []string) string {
	var text strings.Builder
	text.WriteString(typesHead)

	writeDims(&text)
	text.WriteString("\n  /** The ping's histograms by name. */\n  interface Histograms {\n")
	for _, name := range histograms {
		fmt.Fprintf(&text, "    %q?: Histogram\n", name)
	}

	text.WriteString("    [name: string]: Histogram | undefined\n  }\n")

	for _, declared := range objects {
		declared.write(&text)
	}

	// A function has a named type, for @type comments; constants have types of TypeScript.
	for _, export := range exports {
		if !export.Constant() {
			export.write(&text)
		}
	}

	fmt.Fprintf(&text, typesTail, union(schema.DimNames[:]))

	for _, module := range modules {
		module.writeModule(&text)
	}

	return text.String()
}

// writeDims writes the type of dims.
func writeDims(text *strings.Builder) {
	elements := strings.TrimSuffix(strings.Repeat("string, ", len(schema.DimNames)), ", ")
	fmt.Fprintf(text, "\n  /** The record's dimension values, in the schema's order and by name. */\n  type Dims = readonly [%s] & {\n", elements)
	for _, name := range schema.DimNames {
		fmt.Fprintf(text, "    readonly %s: string\n", name)
	}
	text.WriteString("  }\n")
}

// write writes an interface.
func (o object) write(text *strings.Builder) {
	fmt.Fprintf(text, "\n  /** %s */\n  interface %s ", o.doc, o.name)
	if o.extends != "" {
		fmt.Fprintf(text, "extends %s ", o.extends)
	}

	text.WriteString("{\n")

	for _, m := range o.members {
		m.comment(text, "    ")
		fmt.Fprintf(text, "    %s%s\n", m.name, m.typ)
		for _, alias := range m.aliases {
			fmt.Fprintf(text, "    /** @deprecated the predecessor's spelling of %s */\n    %s%s\n", m.name, alias, m.typ)
		}
	}

	text.WriteString("  }\n")
}

// write writes the type of a function.
func (e Export) write(text *strings.Builder) {
	var parameters []string
	for _, parameter := range e.Parameters {
		parameters = append(parameters, parameter.Name+": "+parameter.Type)
	}
	fmt.Fprintf(text, "\n  /** %s */\n  type %s = (%s) => %s\n", e.description(), e.typeName(), strings.Join(parameters, ", "), e.Result)
}

// typeName returns the name of a function's type: map is of type Map.
func (e Export) typeName() string { return strings.ToUpper(e.Name[:1]) + e.Name[1:] }

// writeModule writes a module.
func (o object) writeModule(text *strings.Builder) {
	fmt.Fprintf(text, "\n/** %s */\ndeclare module %q {\n  import Value = tm.Value\n  import Histogram = tm.Histogram\n", o.doc, o.name)
	for _, m := range o.members {
		m.comment(text, "  ")
		kind := "const"
		if m.method() {
			kind = "function"
		}
		fmt.Fprintf(text, "  export %s %s%s\n", kind, m.name, m.typ)
	}

	text.WriteString("}\n")
}

// comment writes the doc comment of a member, if it has one.
func (m member) comment(text *strings.Builder, indent string) {
	switch {
	case m.doc == "":
	case m.example == "":
		fmt.Fprintf(text, "%s/** %s */\n", indent, m.doc)
	default:
		fmt.Fprintf(text, "%[1]s/**\n%[1]s * %[2]s\n%[1]s * @example %[3]s\n%[1]s */\n", indent, m.doc, m.example)
	}
}

// union returns the type of these strings: "a" | "b".
func union(names []string) string { return `"` + strings.Join(names, `" | "`) + `"` }

// pickString returns the type that has the members of String which StringMembers
// names.
func pickString() string { return "Pick<String, " + union(StringMembers()) + ">" }
