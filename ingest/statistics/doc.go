// Package statistics stores what became of each raw log: counts that the published
// segments do not tell.
//
//	worker ─► Attach ─► state/stats/<source>.json ─► Merge ─► state/stats/statistics.bolt
//	                                  └───────────────┬──────────────────┘
//	                                             All, Find
//
// In comes one RawLog for each conversion, out come all of them, each raw log once,
// under the name of its source.
//
// # Exactly once
//
// The statistics of a raw log are a file that the commit of the raw log itself puts in
// place, together with the segments: a kill leaves both or neither. From there they
// move in one direction, and each step may be repeated:
//
//	state/stats/<source>.json           as the commit left it
//	state/stats/merging/<source>.json   moved by Merge; a raw log that is converted
//	                                    again meanwhile makes a new file, and neither
//	                                    is lost
//	state/stats/statistics.bolt         in the database, by source
//
// Merge writes the database durably before it removes a file. All reads in the same
// direction and returns the first RawLog of a source: it misses none, whatever Merge
// does meanwhile, and the newest one counts. Nothing is doubled, because the source is
// the key everywhere.
//
// The version before this one wrote files of a day, state/stats/<YYYYMMDD>.jsonl.zst.
// All reads them, and Merge moves them into the database before anything else.
//
// # Damage
//
// A file that cannot be read, the database too, is set aside beside itself, and the log
// says so: the others are counted and merged. What was in the database is lost.
//
// # To add a count
//
// A field of RawLog, with omitempty; where the worker fills it in (worker.statistics);
// where tmserver stats adds it up (statsReport.addConversions). TestEveryCountIsReported
// of tmserver fails for a field that the report does not show.
package statistics
