// Package inflate unpacks a gzip body, which is in memory as a whole, into memory.
//
//	gzip member:  header ─► deflate blocks ─► CRC-32, length      (again, until src ends)
//	                          │
//	                          ├─ stored:   bytes as they are
//	                          ├─ fixed:    tables made once
//	                          └─ dynamic:  code lengths ─► build ─► tables
//	                                                                  │
//	                        fast: while neither src nor out end soon ◄┤
//	                        step: one symbol, every bit counted      ◄┘
//
// # The fence
//
// This package replaces github.com/klauspost/compress/gzip. Unpacking was the largest
// part of a conversion's time, and the decoders that Go has read through an io.Reader,
// byte by byte, into a window that is copied out.
//
// TestMalformed, TestBitFlips and FuzzGunzip compare it with compress/gzip and with klauspost's.
// BenchmarkUnpack in ingest/convert runs all three; the rows are in docs/BENCHMARKS.md.
// It stays as long as it is at least 1.8 times as fast as klauspost's; on 2026-11-28 it was
// 1.96 times as fast. It imports nothing of this repository, so that it can be replaced or
// copied as it is. There is no fallback to a library: what this package accepts or
// rejects is what a server accepts or rejects.
//
// The input is hostile. Whatever it is, this holds:
//
//   - Nothing is written outside out, and out is never longer than the limit, so
//     that a bomb costs what a body of that size costs. There is no unsafe
//     code: a mistake in what follows could stop a conversion, not harm memory.
//   - bits holds at least the n bits that are read ahead, n ≤ 63, and src[at] is the
//     first byte not counted in n. Above the n bits are 0 or the bits that src has
//     there, so that reading them again changes nothing.
//   - fast reads src and writes out only with inMargin and outMargin bytes before
//     it. It looks at more bits than are there only where they cannot decide.
//   - step never uses a bit that src does not have.
//
// # What is accepted
//
// What both compress/gzip and github.com/klauspost/compress/gzip accept, with the
// same result; the tests compare with both. In particular:
//
//   - A code must use up all its bit patterns, or be a single code of one bit, or be
//     empty (and fail when used). zlib would also take other incomplete codes of
//     distances if it has been built to.
//   - Distances reach back to the beginning of the member, at most 32,768 bytes.
//   - Members follow each other without anything between or behind them: zeros at
//     the end are no padding, as they are for the gzip program.
//   - A name or comment has at most 511 bytes. Reserved flags must not be set, which
//     compress/gzip does not check. A member that ends within its name is truncated,
//     which klauspost's package only notices in the first member.
package inflate
