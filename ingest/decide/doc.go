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
// A Kind and the fields of Outcome that belong to it; then its case in Converter,
// in worker.publication.add, in quarantine.replay.add and in cmd_convert_lines.go of
// tmserver. TestEveryKindIsHandled of the worker fails for a Kind without a case.
package decide
