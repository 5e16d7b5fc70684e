// Package value is where values cross between JavaScript and the engine. It knows
// nothing of jobs and filters.
//
// Into a script go lazy views: of a ping's JSON, parsed as far as the script
// reads; of the values of a key, decoded as it reads on; of a histogram, bound to
// its definition. Out of it come data as package datum encodes them. The table of
// what becomes what is in cross.go.
//
//	Ping ──► lazy: object (members, backward), array, scalars
//	  │         histogram, with its definition from a revision
//	ValuesOf ──► the values of a key      SetDims ──► dims
//	EncodeKey, EncodeValue ◄── what a script writes
//
// For each record:
//
//  1. NextPing makes the views of the ping before stale: the bytes behind them are
//     reused, and a view that a script kept throws.
//  2. Ping returns a view of the whole text. Nothing is parsed yet.
//  3. The first member that a script reads is looked up from the end of the text,
//     where info stands; if it is not near, all members are indexed.
//  4. What a script sets or deletes is kept beside the text.
//
// To add a method to pings, a property or a method to histograms, or a host
// function for a library module: pingMethods, histogramProperties,
// histogramProto or hostFunctions; and package declare, whose recipe names the
// tests that fail otherwise.
package value
