// Package layout is the data folder: dimensions and their schema, partitions and
// their safe paths, segments, and how they are published, listed and read.
//
// In come records (Dims, document ID, JSON) from package ingest; out go blocks
// of whole `<id>\t<json>\n` lines to package engine.
package layout
