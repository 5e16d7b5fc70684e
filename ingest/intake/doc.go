// Package intake watches the folders that raw logs come from, and hands each raw log
// to the worker.
//
//	raw/ of the data folder ─► RawFolder ──► worker.ConvertLog ─► published/
//	a spool folder ──────────► Spool ──────► worker.ImportFile ─► published/
//
// In come files, out go claims: a raw log that is claimed is in the hands of one
// worker of one process, which others leave alone. How a claim is made:
//
//	raw/<name>           the worker locks the name of the raw log in state/staging,
//	                     and the file, which its server locks while it writes it
//	SPOOL/<name>         renamed to .taken.<unix ns>.<name>, then locked
//
// The states of a raw log in raw/:
//
//	waiting    finished, or not locked, because its server crashed
//	claimed    being converted
//	failed     its conversion failed; it stays, and is tried again after a pause that
//	           doubles each time
//	gone       published and removed, or divided into other raw logs
//
// Backlog is what waits in raw/.
//
// # To add a place where raw logs come from
//
//  1. A file of this package: a type with Run(ctx), which watches the place until ctx
//     ends, its constructor New<type>, and an interface for the method of worker.Worker
//     that it needs. Raw logs that are not in the data folder are imported: ImportFile
//     publishes the same content once, whatever happens.
//  2. Its flags in cmd/tmserver/sources.go, with a build function, and a row of
//     serveParts in cmd/tmserver/serve_parts.go, after the raw logs.
//  3. A paragraph in docs/operating.md, "Other sources", that names the flags.
//
// TestEverySourceIsWired of tmserver fails for a type with Run that no part of serve
// makes, and for a flag that the document does not name.
package intake
