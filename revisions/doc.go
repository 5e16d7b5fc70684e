// Package revisions knows the histogram definitions of every source revision.
//
// In comes the revision URL of a ping. Out goes a Spec: the parsed Histograms.json
// of that revision, whose Definitions know their bucket bounds.
//
//	info.revision ─► ParseURL ─► Ref ─► Cache.Spec ─► Spec.Lookup(name) ─► Definition.Bounds
//	                                       │ memory ─► disk ─► HTTP
//
// How Cache.Spec finds a Spec:
//
//  1. In memory, by Ref. A failure is cached there too, until it expires.
//  2. On disk, <dir>/<repo>/<revision>/Histograms.json. A file that does not
//     parse counts as missing and is replaced.
//  3. From the server, <server>/<repo>/raw-file/<revision>/<definitionsPath>: one
//     request per revision at a time. The C++ constants in the text are replaced by
//     numbers, and the text is saved atomically.
//
// Requests have a budget per minute (Options.FetchesPerMinute), because clients may name
// any revision; one beyond it is unavailable for now. Local never sends a request.
//
// Revisions with the same text share one Spec.
//
// A ping may lack its revision. Sync asks hgweb when the definitions, and the
// product's version, changed in the repository of each release channel, and writes
// that to an index in the cache's folder. History.Find looks up a build there.
// FORMAT.md specifies the folder, the index and the archives of Export.
//
// # To add …
//
// A histogram kind: a Kind with its name, its type code, its parameters in
// (*rawDefinition).bucketing and its bounds in NewDefinition.
// TestEveryKindIsReadAndSent fails if one of them is missing.
//
// A constant of Histograms.json: a row of replacements, and a case of
// sizeWasReplaced if its value is not the same in all revisions.
// TestBoundsEqualThePredecessors fails for a definition that cannot be used.
package revisions
