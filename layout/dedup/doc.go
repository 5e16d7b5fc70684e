// Package dedup finds what was submitted more than once. It has two answers, because
// there are two reasons:
//
//	a client sends the same ping again    Repeats   while records are published
//	a document is submitted in versions   Latest    when a job reads them
//
// # Repeats
//
// In come submissions in the order of a raw log; out goes whether each was received
// within some days before or after, by the times of receipt in the raw logs. So the
// order in which raw logs come does not matter: of two receipts that are so near each
// other, one is stored. (Of a chain of receipts, which ones are stored depends on the
// order, but never two that are so near, and none is dropped without one.)
//
//  1. Repeats.Recorder opens the index, a bbolt file, for one raw log.
//  2. Recorder.Repeated hashes ID and body, and looks for the hash under every day
//     around the receipt and among what other raw logs of this process have found new.
//     What is new is a claim; many claims of one raw log move from memory to a file
//     (claims.go), so that a raw log may have any number of submissions.
//  3. Just before the records are committed, Record writes what was new. If the commit
//     then fails, Undo removes it again.
//
// An entry of the index names the raw log that it came from, so converting the same
// raw log again, after a crash, does not find itself. One that goes on under other names
// is forgotten first (Forget).
//
// A day that is too old for the newest one stays until 30 days have passed, by the
// clock, in which no raw log added to it: so long an old backlog finds its neighbours.
//
// # Latest
//
// In come the ID indexes of segments; out go, for each segment, the records that a
// later one of the same document replaces.
//
//  1. Each record becomes an entry of 40 bytes. When they exceed the memory, they are
//     spread over files by document.
//  2. Each set of entries is sorted: the last entry of a document is its latest record.
//     All others are marked.
//
// Shared marks, in the same way, the records of documents that have several. Compaction
// compares their lines (Lines).
//
// # To add a kind of document
//
// Say in kindOf which reasons belong together, and which of them replaces the others;
// TestLatest of package layout has the same rule as a map.
package dedup
