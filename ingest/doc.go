// Package ingest takes submissions in (HTTP, files), makes them durable in a raw
// log, converts them, and hands records to package layout.
//
// FORMAT.md specifies the raw log, which AppendFrame writes and FrameReader
// reads.
package ingest
