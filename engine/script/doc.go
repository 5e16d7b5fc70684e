// Package script runs JavaScript jobs and filters in goja. Compile makes an
// immutable Script, once; every task runs it in a runtime (host) of its own.
//
//	text ──► bundle ──► Script ──► host: one runtime, one task
//	                                │  ▲
//	            value: pings, keys, values cross
//	                                ▼  │
//	       engine.Job: NewMapper, NewReducer · Filter: Accept, match
//
// A host:
//
//  1. newHost makes a runtime with its limits, without files, network, clock or
//     random numbers, and runs the script's top level.
//  2. Each call goes through guard, so that the watchdog sees how old it is and a
//     Go panic becomes an error. A call that is too old is interrupted.
//  3. What a call throws becomes an *Error in the script's own words and places,
//     with the call, so that it can be made again.
//  4. close ends the watchdog. No host is used twice.
//
// The parts: bundle compiles, value crosses, declare says what scripts see, lint
// checks, suggest finds what was meant.
package script
