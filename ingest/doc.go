// Package ingest receives submissions over HTTP and answers when they are durable.
//
//	            1 handler          2 rawlog.Log          3 worker
//	HTTP POST ─► limit, encode ─► batch, write, sync ─► read, convert ─► layout.Writer ─► published/
//	            ◄── status ◄──── durable                  │
//	                                                      └─► invalid/ (with the reason)
//
// One submission, in steps:
//
//  1. The handler answers at once if a limit is exceeded. Otherwise it reads the body
//     into an entry of the raw log and computes the entry's sum. A connection of
//     FewerReads has read the body together with the head.
//  2. Package rawlog makes the entry durable, together with those that came at the
//     same time.
//  3. The handler answers.
//  4. After 500 MiB or 5 minutes the raw log is finished. Package worker converts it
//     with package convert, publishes its records, and removes it.
//
// Kafka (package kafka) enters at step 2; raw logs from elsewhere (tmserver import,
// intake.Spool) at step 4.
//
// Shutdown runs in the direction of the flow: stop accepting, wait for the
// handlers, finish the raw log, finish the conversion and publish, close.
//
// # Status table
//
//	POST, PUT /submit/<namespace>/<type>/<version>/<id>
//	  200 OK                    durable: in the raw log and synced, whatever it holds
//	  400 Bad Request           the body ended before its announced length, or
//	                            is not what its framing says
//	  404 Not Found             another path
//	  405 Method Not Allowed    another method
//	  411 Length Required       neither length nor chunked, or nothing in it
//	  413 Content Too Large     body over its limit; its first 4 KiB are quarantined
//	  414 URI Too Long          path over its limit
//	  429 Too Many Requests     its address, or its namespace, has more than its share;
//	                            Retry-After says when to come back. Only where
//	                            limits of requests are set, or through proxies
//	  500 Internal Server Error the disk failed; the submission may be sent again
//	  503 Service Unavailable   shutting down, or the memory for bodies in flight
//	                            is used up; Retry-After says when to come back
//	  507 Insufficient Storage  the disk is full, or down to the reserve; goes away
//	                            by itself when there is space
//	POST, PUT /submit/telemetry/<id>[/<reason>/<app>/<version>/<channel>/<build>]
//	  200, 4xx, 5xx             as above, but neither 413 nor 414
//	  202 Accepted              body or path over its limit; discarded, and not
//	                            an error, because a client would try it again
//	POST /submit/telemetry/batch, /submit/telemetry/batch_dims, /submit/batch
//	  200, 202, 411, 5xx        as above; 200 when all of it is durable
//	  400 Bad Request           a field is wrong, and which; nothing is stored
//	OPTIONS /submit/…
//	  204 No Content            a page of any origin may submit
//	POST, PUT /validate/…
//	  200 OK                    a JSON document: the record as it would be stored
//	  400 Bad Request           a JSON document: the class and the reason for
//	                            which it would be quarantined
//	  202, 404, 411, 413, 414, 503
//	                            as for /submit/…; nothing is stored
//	GET /__heartbeat__
//	  200 OK                    a submission could be stored now
//	  503 Service Unavailable   shutting down
//	  507 Insufficient Storage  the disk is full, or down to the reserve
//	GET /__lbheartbeat__, /__version__
//	  200 OK                    the process runs; what it was built from
//	GET /livez
//	  200 OK                    the process answers
//	GET /readyz
//	  200 OK                    submissions are taken, and converted
//	  503 Service Unavailable   one line: shutting down, the disk refuses, or
//	                            conversion is stuck
//	GET /status, /telemetry_schema, /histograms/<repo…>/<revision>,
//	    /histogram_buckets?revision=<URL>
//	  200 OK                    a JSON document
//	  400 Bad Request           no revision was given
//	  404 Not Found             no such revision, or no such page
//	  503 Service Unavailable   the definitions are not cached, or the revision
//	                            server does not answer; of /status: a submission
//	                            would not be taken now, and "status" says why
//	anything that is no such request, answered before it gets here
//	  400 Bad Request           it is not HTTP
//	  417 Expectation Failed    it expects something else than 100-continue
//	  431 Request Header Fields Too Large
//	                            its head is longer than 32 KiB, path included
//	  501 Not Implemented       its body is neither plain nor chunked
//	  505 HTTP Version Not Supported
//	                            it is not of HTTP/1 or HTTP/2
//
// # To add …
//
// An endpoint of the public address: a row in endpoints, a method of handler in the
// handler_*.go of its subject, and its paragraph in the status table above and in
// docs/operating.md. TestEndpointsAreDocumented fails if a paragraph is missing,
// cmd's TestStatusTableInDocs if the two tables differ. Metrics and the
// request log need nothing: they count by status code.
//
// An endpoint of the admin address: see the documentation of cmd/tmserver.
//
// An answer: a row in the table above, a variable in status.go, and a case in
// TestHandlerStatusTable. TestEveryAnswerIsInTheTable fails without the row.
//
// A source: something that calls rawlog.Log.Append and acknowledges to its sender
// only after that has returned nil, as package kafka does. Its part of the server is
// built as buildKafka in cmd/tmserver/sources.go, and is a row in serve_parts.go.
package ingest
