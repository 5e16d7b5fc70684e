// Package revisions knows the histogram definitions of every source revision.
//
// In goes the revision URL of a ping; out comes a Spec, the parsed
// Histograms.json of that revision, whose Definitions know their bucket bounds.
//
//	info.revision ─► ParseURL ─► Ref ─► Cache.Spec ─► Spec.Lookup(name) ─► Definition.Bounds
//	                                       │ memory ─► disk ─► HTTP
//
// How Cache.Spec finds a Spec:
//
//  1. In memory, by Ref; also the memory of a failure, until it expires.
//  2. On disk, <dir>/<repo>/<revision>/Histograms.json. A file that does not
//     parse counts as missing and is replaced.
//  3. From the server, <server>/<repo>/raw-file/<revision>/<definitionsPath>: one
//     request per revision at a time; its C++ constants replaced, saved atomically.
//
// Revisions with the same text share one Spec.
//
// A ping may not name its revision. Sync asks hgweb when the definitions, and the
// product's version, changed in the repository of each release channel, and keeps
// that as an index in the cache's folder. History.Find looks a build up there.
//
// To add a histogram kind: a Kind with its name and type code, and its
// parameters in (*Definition).resolve.
package revisions
