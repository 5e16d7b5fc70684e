// Package ingest takes submissions in (HTTP, files), makes them durable in a raw
// log, converts them, and hands records to package layout.
package ingest
