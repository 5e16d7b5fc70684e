// Package kafka takes submissions from a Kafka topic and appends them to the raw
// log, from where they go the way of those that came by HTTP.
//
//	        1 poll           2 read              3 append          4 commit
//	topic ─► records ─► key, value or envelope ─► rawlog.Log ─► offsets of the group
//	                          │                  (durable)
//	                          └─► counted: skipped, too_large
//
// One round, in steps:
//
//  1. Poll at most pollRecords messages. Until the round is over no partition is
//     taken away (a rebalance waits).
//  2. Make a submission of every message. What is no submission is counted under
//     its class and never stops a partition; see the table below.
//  3. Append all of them to the raw log as one unit: one write, one sync. If the
//     disk refuses, go back to where the round began, let rebalances happen, and
//     fetch the same messages again after a pause.
//  4. Commit the offsets behind the messages of the round.
//
// Every message reaches the raw log at least once. A process killed between 3 and
// 4, or a commit that a broker's death swallowed, delivers the messages of the
// last round again. Both copies have the same ID and body, and (where the message
// states it) the same time, so that conversion drops the second one as a repeat:
// layout.Data.DropRepeats, `--drop-repeats DAYS`. With that off both are stored.
//
// # Classes of messages
//
//	appended      in the raw log; what it is worth is for the Converter to say
//	skipped       a tombstone (no value), or an operation other than
//	              CREATE_UPDATE: nothing to store
//	missing_id    no key, or an envelope without ID
//	bad_envelope  the value is no Bagheera envelope
//	too_large     ID or body over its limit: discarded, as over HTTP
//
// Messages of class missing_id and bad_envelope go into the raw log with the path
// kafka/<topic>/<partition>/<offset>, and so into the quarantine, byte for byte.
// An ID with control characters is appended as it is; the Converter quarantines it.
//
// To add a format: a constant in message.go, its name in ParseFormat, and a case
// in Source.read.
package kafka
