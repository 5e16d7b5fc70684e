package declare

import "slices"

// The exports by name.
const (
	Map            = "map"
	Combine        = "combine"
	Reduce         = "reduce"
	MapFinished    = "mapFinished"
	SetupReduce    = "setupReduce"
	ReduceFinished = "reduceFinished"
	Columns        = "columns"

	Title       = "title"
	Description = "description"
	Schedule    = "schedule"
	Live        = "live"
	JobFilter   = "filter"
	Chart       = "chart"
	Alert       = "alert"

	Dimensions     = "dimensions"
	Accept         = "accept"
	Match          = "match"
	Ingest         = "ingest"
	IncludeInvalid = "includeInvalid"
)

// Parameters that several functions have.
var (
	record = []Parameter{{"id", "string"}, {"dims", "Dims"}, {"ping", "Ping"}}
	group  = []Parameter{{"key", "any"}, {"values", "any[]"}}
)

// with returns the parameters with a ctx of that type behind them.
func with(context string, parameters ...Parameter) []Parameter {
	return append(slices.Clone(parameters), Parameter{"ctx", context})
}

// exports are what a script may export for the host, in the order of the
// reference.
var exports = []Export{
	{Name: Map, Of: Job, Makes: true, Parameters: with(Context, record...), Result: "void",
		Called: "once per record; the only one that must be there"},
	{Name: Combine, Of: Job, Parameters: with(Context, group...), Result: "void",
		Called: "where values of one key come together in a task, 0 to n times"},
	{Name: Reduce, Of: Job, Parameters: with(ReduceContext, group...), Result: "void",
		Called: "once per key, keys in order, values in the order of the input"},
	{Name: MapFinished, Aliases: []string{"map_finished"}, Of: Job, Parameters: with(Context), Result: "void",
		Called: "after the last record of a task"},
	{Name: SetupReduce, Aliases: []string{"setup_reduce"}, Of: Job, Parameters: with(ReduceContext), Result: "void",
		Called: "before the first key"},
	{Name: ReduceFinished, Aliases: []string{"reduce_finished"}, Of: Job, Parameters: with(ReduceContext), Result: "void",
		Called: "once, after the last key of the whole job: one reducer then sees all keys in order, so that globals may hold what reduce has collected"},
	{Name: Columns, Of: Job, Result: "string[]",
		Doc: "The names of the output's columns."},
	{Name: Title, Of: Job, Result: "string",
		Doc: "What the page of a server calls the script."},
	{Name: Description, Of: Job, Result: "string",
		Doc: "A sentence below the title."},
	{Name: Schedule, Of: Job, Result: "string",
		Doc: "When a server with the script in its folder runs it, in UTC: a cron expression of five fields, or `@hourly`, `@daily`, `@weekly`, `@monthly`."},
	{Name: Live, Of: Job, Result: "boolean",
		Doc: "True: a server with the script in its folder runs it whenever it has published records, and keeps the newest results."},
	{Name: JobFilter, Of: Job, Result: "object",
		Doc: "A filter document, which a server uses when no other filter is chosen."},
	{Name: Chart, Of: Job, Result: "object",
		Doc: "How the page of a server draws the rows."},
	{Name: Alert, Of: Job, Parameters: []Parameter{{"rows", "Record<string, any>[]"}, {"previous", "Record<string, any>[] | null"}}, Result: "boolean | string | { message: string } | void",
		Called: "after each run on a server with the script in its folder, with its rows and those of the run before",
		Doc:    "What it returns, a message or true, is what the server warns of. It may be an object that declares a rule instead: `above` and `below` for each row, `distance` from the result a week before."},

	{Name: Dimensions, Of: Filter, Makes: true, Result: "Dimension[]",
		Doc: "The same list as in JSON: prunes folders before they are listed."},
	{Name: Accept, Of: Filter, Makes: true, Parameters: record[1:2], Result: "boolean",
		Called: "once per partition", Doc: "False skips its segments."},
	{Name: Match, Of: Filter, Makes: true, Parameters: record, Result: "boolean",
		Called: "once per record", Doc: "False skips it."},
	{Name: Ingest, Of: Filter, Makes: true, Parameters: record, Result: "Decision",
		Called: "once per record that match takes", Doc: "A job skips it unless the decision is to keep."},
	{Name: IncludeInvalid, Aliases: []string{"include_invalid"}, Of: Filter, Result: "boolean",
		Doc: "True selects quarantined records too."},
}
