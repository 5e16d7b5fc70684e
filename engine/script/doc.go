// Package script runs JavaScript jobs and filters in goja. Compile makes an
// immutable Script, once; every task runs it in a runtime (host) of its own.
//
//	text ──► bundle ──► Script ──► host: one runtime, one task
//	                                │  ▲
//	            value: pings, keys, values cross
//	                                ▼  │
//	       Job: mapper, reducer · FilterScript: accept, match · IngestFilter: ingest
//
// A host:
//
//  1. newHost makes a runtime with its limits, without files, network, clock or
//     random numbers, and runs the script's top level.
//  2. Each call goes through guard, so that the watchdog sees how old it is and a
//     Go panic becomes an error. A call that is too old is interrupted.
//  3. What a call throws becomes an *Error in the script's own words and places,
//     with the call, so that Replay can make it again.
//  4. close ends the watchdog. No host is used twice.
//
// The files: host (with functions, watchdog, limits), context and counters and
// console (what scripts see), mapper and reducer (of a Job), filter and ingest
// (with decision), errors and advice, call and replay, testcase, profile.
//
// The parts: declare is the table of what scripts export and see, bundle compiles,
// datafile parses the
// data files that scripts import, ecma completes goja, value crosses, lint checks before a script runs, suggest
// finds what a wrong name may have meant, reload compiles a folder again as it
// changes.
//
// To add a script function, a filter export, or something that scripts see: the
// recipes are in package declare.
package script
