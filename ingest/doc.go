// Package ingest takes submissions in (HTTP, files), makes them durable in a raw
// log, converts them, and hands records to package layout.
//
//	            1 Handler          2 Log                 3 Worker
//	HTTP POST ─► limit, frame ─► batch, write, sync ─► read, convert ─► layout.Writer ─► published/
//	            ◄── status ◄──── durable                  │
//	                                                      └─► invalid/ (with the reason)
//
// One submission, in steps:
//
//  1. The handler refuses what is over a limit, reads the body straight into a
//     frame and computes its sum.
//  2. The frame joins the batch that gathers while the disk is busy with the one
//     before. The committer writes the batch with one call and syncs once.
//  3. Everybody who waits for that batch is answered.
//  4. After 500 MiB or 5 minutes the raw log is cut to its size, synced and
//     renamed to ….finished; a worker converts it, publishes its records, and
//     removes it. FORMAT.md specifies it.
//
// Kafka (package kafka) enters at step 2; raw logs from elsewhere (tmserver import,
// Spool) at step 4, by ConvertFrames. While clients wait for the disk the workers
// rest most of the time: what is in a raw log can wait.
//
// A raw log is locked (flock) while its server lives. One that is neither locked
// nor finished was left by a crash, and is converted as it is.
//
// Shutdown runs in the direction of the flow: stop accepting, wait for the
// handlers, finish the raw log, finish the conversion and publish, close.
//
// # Status table
//
//	POST /submit/telemetry/<id>[/<reason>/<app>/<version>/<channel>/<build>]
//	  200 OK                    durable: in the raw log and synced
//	  202 Accepted              body or path over its limit; discarded, and not
//	                            an error, because a client would try it again
//	  400 Bad Request           the body ended before its announced length, or
//	                            is not what its framing says
//	  404 Not Found             another path, or another number of parts
//	  405 Method Not Allowed    another method
//	  411 Length Required       neither length nor chunked, or nothing in it
//	  500 Internal Server Error the disk failed; the submission may be sent again
//	  503 Service Unavailable   shutting down, or the memory for bodies in flight
//	                            is used up; Retry-After says when to come back
//	  507 Insufficient Storage  the disk is full, or down to the reserve; goes away
//	                            by itself when there is space
//	POST /submit/telemetry/batch, /submit/telemetry/batch_dims
//	  200, 202, 411, 5xx        as above; 200 when all of it is durable
//	  400 Bad Request           a field is wrong, and which; nothing is stored
//	POST /validate/telemetry/<id>[/…]
//	  200 OK                    a JSON document: the record as it would be stored
//	  400 Bad Request           a JSON document: the class and the reason for
//	                            which it would be quarantined
//	  202, 404, 411, 503        as above; nothing is stored
//	GET /status, /telemetry_schema, /histograms/<repo…>/<revision>,
//	    /histogram_buckets?revision=<URL>
//	  200 OK                    a JSON document
//	  400 Bad Request           no revision was given
//	  404 Not Found             no such revision, or no such page
//	  503 Service Unavailable   the revision server does not answer
//
// # To add …
//
// A source: something that calls Log.Append and tells its sender only afterwards,
// as package kafka does; start it in tmserver's openSources.
//
// An answer: a row in the table above, a variable in status.go, and a case in
// TestHandlerStatusTable.
//
// A raw log version: a picture in FORMAT.md, parseHeader, and cases in
// TestFrameReader; only the newest is written.
package ingest
