// Package declare is the one table of what scripts export and of what they see.
// It needs no JavaScript.
//
//	exports.go   functions that the host calls and constants that it reads: names,
//	             aliases, parameters, of jobs and of filters
//	objects.go   ctx, ping, histogram, counter, console
//	modules.go   what can be imported
//	     │
//	     ├─► bundle    which globals of a plain script are exports; import advice
//	     ├─► script    which exports to call, and the phase in errors
//	     ├─► lint      which parameter is ctx, which dims, and what they have
//	     ├─► suggest   what a wrong name may have meant (through the others)
//	     ├─► Types     scripts/types.d.ts, also beside a new script
//	     ├─► Annotate  the types in a new script
//	     └─► Reference the tables of docs/scripts.md
//
// Tests in script and value walk running scripts and compare them with the table.
//
// To add a script function, or a filter export:
//
//  1. Declare it in exports. Until 2 is done, TestDeclaredFunctionsAreCalled (or
//     TestDeclaredConstantsAreRead) in package script fails.
//  2. Call it with host.function, or read it with host.export: of jobs in
//     script/mapper.go and reducer.go, of filters in script/filter.go.
//  3. If its calls take a record, or a key with its values, wrap its errors with
//     recordCall or keyCall, and name it in Job.Replay. The same test fails without.
//  4. If it takes ctx, let it report what it sees in TestContextsAreDeclared,
//     which fails without that.
//  5. Change cacheVersion (script/job.go) if map tasks now write something else.
//  6. UPDATE_SCRIPTS=1 go test ./engine/script/declare rewrites types.d.ts and
//     the reference; TestDeclarationsAreCurrent fails without.
//
// To add a member to ctx, to a ping, to a histogram, or to a module:
//
//  1. Declare it in objects or modules.
//  2. Implement it: of ctx in script/context.go, of a ping in pingMethods and of a
//     histogram in histogramProperties or histogramProto (package value), of a
//     module in bundle/lib/NAME.js. A part that Go does goes to hostFunctions
//     (package value).
//  3. As 5 and 6 above.
//
// If either of 1 and 2 is missing, TestContextsAreDeclared, TestPingIsDeclared,
// TestHistogramIsDeclared or TestModulesAreDeclared fails.
package declare
