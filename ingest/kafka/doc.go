// Package kafka consumes submissions from a Kafka topic and appends them to the raw
// log. From there on they are treated like those that came by HTTP.
//
//	        1 poll           2 read              3 append          4 commit
//	topic ─► messages ─► key, value or envelope ─► rawlog.Log ─► offsets of the group
//	                          │                  (durable)
//	                          └─► counted: skipped
//
// One round, in steps:
//
//  1. Poll at most pollRecords messages. A rebalance waits until the round is over, so
//     the Kafka partitions stay assigned to this member.
//  2. Make a submission of every message. A message that is not a submission is
//     counted under its class and never stops a Kafka partition; see the table below.
//  3. Append all of them to the raw log as one batch: one write, one sync. If the
//     disk fails, go back to where the round began, let rebalances happen, and
//     fetch the same messages again after a pause.
//  4. Commit the offsets behind the messages of the round.
//
// Every message reaches the raw log at least once. If the process is killed between 3
// and 4, or a broker dies before it has stored the commit, the messages of the last
// round are delivered again. Both copies have the same ID and body, and (where the
// message states it) the same time, so that conversion drops the second one as a
// repeat if `--drop-repeats DAYS` is set. Without it both are stored.
//
// # Classes of messages
//
//	appended      in the raw log; conversion finds out whether it is a good one
//	skipped       a tombstone (no value), or an operation other than
//	              CREATE_UPDATE: nothing to store
//	missing_id    no key, or an envelope without ID
//	bad_envelope  the value is not a Bagheera envelope
//	too_large     ID or body over its limit, which is not that of HTTP
//
// Messages of class missing_id and bad_envelope go into the raw log with the path
// kafka/<topic>/<Kafka partition>/<offset>, and so into the quarantine, byte for byte.
// One of class too_large goes there under a path that also has its lengths and its ID,
// see rawlog.TooLarge; what no entry of a raw log has room for is cut to its beginning.
// An ID with control characters is appended as it is; the converter rejects it.
//
// # To add a message format
//
//  1. A constant in message.go before numFormats, with its name in formatNames.
//  2. A case in Source.read.
//  3. An example in TestEveryFormatIsNamedAndRead, which fails without any of these.
//  4. The name in the help of --kafka-format, cmd/tmserver/sources.go.
package kafka
