// Package metadata writes the member "metadata" of records: what the server knows of a
// submission besides the ping.
//
//	Facts (path, headers, time of receipt, what the ping says of its client) ─► JSON
//
// Names are those of mozilla-pipeline-schemas:
//
//	{
//	  "submission_timestamp": "2026-11-28T10:38:58.123Z",  of receipt, UTC
//	  "document_id": "…", "namespace": "…",                of the path
//	  "document_type": "…", "document_version": "…",       of the path, or of the ping
//	  "sample_id": 18,               CRC-32 (IEEE) of the client ID modulo 100
//	  "normalized_channel": "esr",   release, esr, beta, aurora, nightly or Other
//	  "clock_skew_seconds": 2,       by how much the client's clock is behind ours
//	  "header": {"date": "…", "dnt": "…", "x_debug_id": "…", "x_pingsender_version": "…",
//	             "x_source_tags": "…", "x_telemetry_agent": "…"},
//	  "user_agent": {"browser": "Firefox", "version": "153", "os": "Linux"},
//	  "geo": {"country": "DE"}
//	}
//
// A member whose value is not known is missing; header, user_agent and geo are always
// there, and may be empty. The header User-Agent itself is not stored.
//
// # To add a header
//
// A rawlog.Field, see there; a row in headers here, by the name in lower case with "_";
// and its line above. TestAppend fails for a field that has neither a row nor a reason to
// have none.
package metadata
