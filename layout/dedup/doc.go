// Package dedup finds what was submitted more than once. It has two answers, because
// there are two reasons:
//
//	a client sends the same bytes again   Repeats   while records are published
//	a document is submitted in versions   Latest    when a job reads them
//
// # Repeats
//
// In come submissions in the order of a raw log; out goes whether each was received
// before in one of the last days.
//
//  1. Repeats.Recorder opens the index, a bbolt file, for one raw log.
//  2. Recorder.Repeated hashes ID and body, and looks for the hash under every day
//     that counts and among what other raw logs of this process have found new.
//  3. Just before the records are committed, Record writes what was new. If the commit
//     then fails, Undo removes it again.
//
// An entry of the index names the raw log that it came from, so converting the same
// raw log again, after a crash, does not find itself.
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
// # To add a kind of document
//
// Say in kindOf which reasons belong together, and which of them replaces the others;
// TestLatest of package layout has the same rule as a map.
package dedup
