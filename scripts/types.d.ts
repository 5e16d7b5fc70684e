// What scripts see of tmrun, for editors and tsc. Generated from the declarations
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

  /** The record's dimension values, in the schema's order and by name. */
  type Dims = readonly [string, string, string, string, string, string] & {
    readonly reason: string
    readonly appName: string
    readonly appUpdateChannel: string
    readonly appVersion: string
    readonly appBuildID: string
    readonly submission_date: string
  }

  /** The ping's histograms by name. */
  interface Histograms {
    [name: string]: Histogram | undefined
  }

  /** What every function gets as its last argument. */
  interface Context {
    /**
     * Emits a pair: to combine and reduce from map, to reduce from combine, a row of the output from reduce. combine writes its own key only.
     * @example ctx.write([dims.appName, ping.info.OS], 1)
     */
    write(key: Key, value: Value): void
    /**
     * A number that the summary shows; for what should be looked at but is no result.
     * @example ctx.counter("no OS").add()
     */
    counter(name: string): Counter
  }

  /** The ctx of setupReduce, reduce and reduceFinished. */
  interface ReduceContext extends Context {
    /**
     * A line of the output that the script formats.
     * @example ctx.writeLine(`# ${os}`)
     */
    writeLine(text: string): void
    /** @deprecated the predecessor's spelling of writeLine */
    writeline(text: string): void
    /**
     * A row of cells, in every format.
     * @example ctx.writeRow([os, counts.length])
     */
    writeRow(cells: Value[]): void
    /**
     * The same; in TSV without names of columns, a line of CSV with CRLF.
     * @example ctx.writeCSV([os, counts.length])
     */
    writeCSV(cells: Value[]): void
    /** @deprecated the predecessor's spelling of writeCSV */
    writecsv(cells: Value[]): void
    /**
     * What stands between cells in TSV (a tab); set it in setupReduce.
     * @example ctx.fieldSeparator = ","
     */
    fieldSeparator: string
    /** @deprecated the predecessor's spelling of fieldSeparator */
    field_separator: string
    /**
     * What stands behind rows in TSV (a newline).
     * @example ctx.recordSeparator = "\n\n"
     */
    recordSeparator: string
    /** @deprecated the predecessor's spelling of recordSeparator */
    record_separator: string
  }

  /** The record's JSON, read lazily; string methods work on its text. It is valid during its own call. */
  interface Ping extends Pick<String, "length" | "indexOf" | "lastIndexOf" | "includes" | "match" | "search" | "slice" | "substring" | "split" | "startsWith" | "endsWith" | "replace" | "toString"> {
    histograms: Histograms
    /**
     * A histogram with its layout: the one that the ping's revision gives it, that it says itself, or that Glean's timing and memory distributions have. A process other than parent, and the key of a keyed histogram or the label of a labeled one, go into where; and the kind, range and buckets that metrics.yaml gives a custom distribution of Glean, whose pings do not say them. undefined where the ping has none.
     * @example ping.histogram("GC_MS", { process: "content" })
     */
    histogram(name: string, where?: { process?: string, key?: string, kind?: "linear" | "exponential", range?: [number, number], buckets?: number }): BoundHistogram | undefined
    /**
     * A scalar, or one key of a keyed scalar, of a process (parent); undefined where the ping has none.
     * @example ping.scalar("browser.engagement.total_uri_count")
     */
    scalar(name: string, where?: { process?: string, key?: string }): any
    /**
     * A metric of a Glean ping, whatever its type; undefined where the ping has none.
     * @example ping.metric("browser.engagement.active_ticks")
     */
    metric(name: string): any
    /** The client's ID, wherever the ping has it. */
    client: string | undefined
    /**
     * The environment of a unified ping; of others the same members as far as the ping has them: build, settings and system.os.
     * @example ctx.write(ping.environment?.system?.os?.name, 1)
     */
    environment: any
    /**
     * The events of all processes as objects with timestamp, category, name and extra; those of unified pings also have process, object and value.
     * @example for (const event of ping.events) ctx.write([event.category, event.name], 1)
     */
    events: any[]
    /** Kind, lowest and highest bound that the ping's revision gives a histogram, such as "exponential 1 to 10000"; "unknown" where its definition is not at hand. */
    layout(name: string): string
    info: any
    [member: string]: any
  }

  /** What ping.histogram(name) returns. Written as a value it keeps its layout: combine and reduce get such a histogram again. In the output it is its stored form. */
  interface BoundHistogram {
    /** Its name. */
    name: string
    /** exponential, linear, boolean, flag, count, enumerated or categorical; of Glean timing or memory. */
    kind: string
    /** The lower bounds of the buckets. */
    bounds: readonly number[]
    /** The samples per bucket. */
    counts: number[]
    /** Its stored form: the samples per bucket, then the sums. */
    numbers: Histogram
    /** The sum of the samples; undefined if it was not sent. */
    sum: number | undefined
    /** The number of samples. */
    samples: number
    /**
     * The p-th percentile (0 to 100); NaN without samples. It is linear within a bucket of the kinds exponential and linear; in others a bucket is a value.
     * @example ctx.write(dims.appVersion, ping.histogram("GC_MS")?.percentile(95))
     */
    percentile(p: number): number
    /** Adds a histogram of the same layout to this one; another layout throws, and the error names both. */
    add(other: BoundHistogram): this
  }

  /** A counter of the job. */
  interface Counter {
    /**
     * Adds a whole number, 1 if there is none.
     * @example ctx.counter("bytes").add(ping.length)
     */
    add(n?: number): void
  }

  /** What the functions of the module tables return. Values that are undefined, null, NaN or infinite are skipped, and the summary counts them; others of a wrong type throw. */
  interface Table {
    /**
     * Adds a value to a key: the keys in the order of their columns, then the value. count takes no value; rows takes a cell for each column.
     * @example uptime.add(dims.appUpdateChannel, ping.simpleMeasurements.uptime)
     */
    add(...keysAndValue: any[]): void
    /**
     * Adds all members of an object: the last key column is the member's name, or the last two if the object holds objects. A filter on the names may follow: a regular expression, an array of names, or a function.
     * @example all.addEach(dims.appUpdateChannel, ping.histograms, /^GC_/)
     */
    addEach(...keysObjectAndFilter: any[]): void
  }

  /** What may follow the names of a table's columns. */
  interface TableOptions {
    /** Of quantiles: which, from 0 to 1; 0.25, 0.5 and 0.75. */
    of?: number[]
    /** Of top and sample: how many rows a key has at most; 10. */
    size?: number
    /** Of histograms: which, from 0 to 100; 25, 50, 75 and 95. */
    percentiles?: number[]
    /** Of histograms' percentiles: linear within the bucket, the lower bound of the bucket, or geometric within the buckets of exponential histograms. Buckets that are values are never parted. */
    mode?: "linear" | "lower" | "geometric"
    /** Which results become columns, in this order. histograms has length and numbers, too, the stored form. */
    show?: string[]
    /** False: TSV and CSV begin without the names of the columns. */
    header?: boolean
    /** The key column that holds the names of members in addEach, if not the last one. addEach takes the others in their order. */
    each?: string
    /** Writes the rows itself, as reduce does: called once for each value of the first key columns, with its rows, in the order of their keys. If one table of a script has it, all have, and write one output. */
    write?: (key: any[], rows: any[][], ctx: ReduceContext) => void
    /** How many key columns write is called for; 1. */
    group?: number
  }

  /** Called once per record; the only one that must be there. */
  type Map = (id: string, dims: Dims, ping: Ping, ctx: Context) => void

  /** Called where values of one key come together in a task, 0 to n times. */
  type Combine = (key: any, values: any[], ctx: Context) => void

  /** Called once per key, keys in order, values in the order of the input. */
  type Reduce = (key: any, values: any[], ctx: ReduceContext) => void

  /** Called after the last record of a task. */
  type MapFinished = (ctx: Context) => void

  /** Called before the first key. */
  type SetupReduce = (ctx: ReduceContext) => void

  /** Called once, after the last key of the whole job: one reducer then sees all keys in order, so that globals may hold what reduce has collected. */
  type ReduceFinished = (ctx: ReduceContext) => void

  /** Called after each run on a server with the script in its folder, with its rows and those of the run before. What it returns, a message or true, is what the server warns of. It may be an object that declares a rule instead: `above` and `below` for each row, `distance` from the result a week before. */
  type Alert = (rows: Record<string, any>[], previous: Record<string, any>[] | null) => boolean | string | { message: string } | void

  /** Called once per partition. False skips its segments. */
  type Accept = (dims: Dims) => boolean

  /** Called once per record. False skips it. */
  type Match = (id: string, dims: Dims, ping: Ping) => boolean

  /** Called once per record that match takes. A job skips it unless the decision is to keep. */
  type Ingest = (id: string, dims: Dims, ping: Ping) => Decision

  /** A filter's dimension, as in its JSON form; they come in the schema's order, and those left out allow anything. */
  interface Dimension {
    field_name: "reason" | "appName" | "appUpdateChannel" | "appVersion" | "appBuildID" | "submission_date"
    allowed_values: string | string[] | { min?: string; max?: string } | { regex: string }
  }

  /** What becomes of a record that is about to be published; nothing is "keep". */
  type Decision = "keep" | "drop" | { drop: string } | { quarantine: string } | void

  /** A case of a test file. */
  interface Test {
    /** Records, or the name of a file of them: lines <id>\t<json>, or .jsonl of these objects. */
    records: { id?: string; dims?: Partial<Record<"reason" | "appName" | "appUpdateChannel" | "appVersion" | "appBuildID" | "submission_date", string>>; ping?: object }[] | string
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

/** What jobs most often compute from the values of a key. What is no number throws, undefined and null too; NaN makes the result NaN. */
declare module "stats" {
  import Value = tm.Value
  import Histogram = tm.Histogram
  /** The sum; 0 of none. */
  export function sum(values: ArrayLike<number>): number
  /** The arithmetic mean; NaN of none. */
  export function mean(values: ArrayLike<number>): number
  /** The median; of an even number of values the mean of the two in the middle. */
  export function median(values: Iterable<number>): number
  /**
   * The q-quantile (0 to 1), linear between neighbours; NaN of no values.
   * @example quantile(times, 0.95)
   */
  export function quantile(values: Iterable<number>, q: number): number
  /** The standard deviation of a sample; NaN of fewer than two values. */
  export function stddev(values: number[]): number
  /** How often each value occurs; undefined and null throw. */
  export function count(values: Iterable<Value>): Record<string, number>
}

/** Look-ups in data files that a script imports. */
declare module "data" {
  import Value = tm.Value
  import Histogram = tm.Histogram
  /**
   * The elements of an imported array by the value of a column; by several columns, objects inside of objects. It is made once for all tasks. Two elements with the same values throw.
   * @example index(releases, "version")[dims.appVersion]?.date
   */
  export function index<Row>(rows: readonly Row[], ...columns: string[]): { readonly [value: string]: any }
}

/** Lines as RFC 4180 has them. */
declare module "csv" {
  import Value = tm.Value
  import Histogram = tm.Histogram
  /** One line, without its end. */
  export function stringify(cells: Iterable<Value>, separator?: string): string
  /** The rows of a text. */
  export function parse(text: string, separator?: string): string[][]
}

/** What build IDs, versions and channels of Mozilla's applications mean. */
declare module "firefox" {
  import Value = tm.Value
  import Histogram = tm.Histogram
  /**
   * The time that a build ID, or a submission date, stands for, in UTC (before 2016 build machines wrote the time of California); undefined for what is no build ID.
   * @example parseBuildID(dims.appBuildID)?.getUTCFullYear()
   */
  export function parseBuildID(id: string): Date | undefined
  /**
   * How many days old a build was on a submission date, with fractions; undefined if one of the two is no date.
   * @example buildAge(dims.appBuildID, dims.submission_date)
   */
  export function buildAge(buildID: string, date: string): number | undefined
  /**
   * Negative if version a comes before b, 0 if they are the same, else positive: 9.0, 28.0a1, 28.0b1, 28.0, 28.0.1. Text that is not a version, such as OTHER, comes before all versions; what is no string throws.
   * @example versions.sort(compareVersions)
   */
  export function compareVersions(a: string, b: string): number
  /** The first number of a version, 28 of 28.0a1; undefined for what is no version. */
  export function majorVersion(version: string): number | undefined
  /** The channel that a version is made for: nightly (a1), aurora (a2), beta (b1), esr, release; undefined for what is no version. Pings of beta builds mostly say 28.0: where there is an update channel, trust that. */
  export function channelOfVersion(version: string): "nightly" | "aurora" | "beta" | "esr" | "release" | undefined
  /** An update channel without what partners add to it, beta of beta-cck-example: release, esr, beta, aurora, nightly; OTHER for all else. */
  export function normalizeChannel(channel: string): string
}

/** Arithmetic on stored histograms. */
declare module "histogram" {
  import Value = tm.Value
  import Histogram = tm.Histogram
  /** Adds up histograms of one layout. Those of ping.histogram(name) become one that has kind, bounds and percentile(p); of different layouts, the error names both. A -1 says that a sum was not sent: the result has it only where every histogram has. */
  export function sum<H extends Histogram | tm.BoundHistogram>(histograms: ArrayLike<H>): H
  /**
   * Adds h to total, which an earlier call returned, and returns it; without a total a new one. For adding up in a global while mapping.
   * @example total = add(total, h)
   */
  export function add<H extends Histogram | tm.BoundHistogram>(total: (H extends Histogram ? Float64Array : H) | undefined, h: H): H extends Histogram ? Float64Array : H
  /** The bucket counts. */
  export function counts(h: Histogram | tm.BoundHistogram): number[]
  /** The number of samples. */
  export function samples(h: Histogram | tm.BoundHistogram): number
  /** The p-th percentile (0 to 100), given the lower bounds of the buckets; linear within a bucket, unless the kind is another than exponential and linear; NaN without samples. */
  export function percentile(h: Histogram | tm.BoundHistogram, bounds: readonly number[], p: number, kind?: string): number
  /** How many sums follow the bucket counts. */
  export const tail: number
}

/** Aggregations that a script exports and map adds to; combining and merging happen in Go. Each function takes the names of its key columns, then options. */
declare module "tables" {
  import Value = tm.Value
  import Histogram = tm.Histogram
  /**
   * How many were added: count.
   * @example export const systems = count("os")
   */
  export function count(...columns: tm.Column[]): tm.Table
  /** The exact sum of numbers: sum. */
  export function sum(...columns: tm.Column[]): tm.Table
  /** Number, mean and standard deviation of numbers: n, mean, stddev. */
  export function mean(...columns: tm.Column[]): tm.Table
  /** The least number: min. */
  export function min(...columns: tm.Column[]): tm.Table
  /** The greatest number: max. */
  export function max(...columns: tm.Column[]): tm.Table
  /**
   * Quantiles of numbers, those that the option of names: n, p25, p50, p75.
   * @example export const uptime = quantiles("channel", { of: [0.5, 0.95] })
   */
  export function quantiles(...columns: tm.Column[]): tm.Table
  /** How many different values there were: distinct. */
  export function distinct(...columns: tm.Column[]): tm.Table
  /** The most frequent values, as many as the option size says (10): a row for each with value, count. */
  export function top(...columns: tm.Column[]): tm.Table
  /** The values of some documents, always the same ones, as many as the option size says (10): a row for each with id, value. */
  export function sample(...columns: tm.Column[]): tm.Table
  /**
   * Histograms added up, a row for each bucketing: bucketing, pings, samples, sum, mean, percentiles, buckets.
   * @example export const all = histograms("channel", "histogram", { percentiles: [50, 95] })
   */
  export function histograms(...columns: tm.Column[]): tm.Table
  /**
   * Every row that was added, in the order of the input.
   * @example export const pings = rows("id", "os", "uptime")
   */
  export function rows(...columns: tm.Column[]): tm.Table
}
