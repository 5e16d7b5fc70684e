// Package decide decides what becomes of a submission.
//
//	submission ─► convert.Converter ─► Decider (the ingest filter) ─► Outcome
//
// In comes a submission, out comes an Outcome, in steps:
//
//  1. The converter makes a record of it. One that it rejects is Quarantined; one
//     whose histogram definitions are not available now is Waiting.
//  2. The ingest filter, if there is one, decides about the record: keep, drop or
//     quarantine. A filter that fails on a record quarantines it.
//  3. A record that the filter keeps is Published, in the partition that its
//     dimensions and the schema give.
//
// A Conversion has the same filter and the same options from the first submission of
// a raw log to its last. The worker uses it for raw logs, package quarantine for
// submissions that are tried again, and tmserver convert for lines.
//
// # To add an outcome
//
//  1. A Kind, the fields of Outcome that belong to it, and where Converter returns it.
//  2. Its case in add of worker/publication.go, in apply of quarantine/replay.go, and in
//     tmserver convert --stdin.
//
// The first two panic for a Kind that they do not know: TestEveryKindIsHandled of each
// package fails. Lines of a Kind without a case count as rejected.
package decide
