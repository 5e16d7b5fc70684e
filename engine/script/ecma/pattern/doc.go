// Package pattern matches ECMAScript regular expressions: all flags of ES2024
// (d g i m s u v y), named groups, lookbehind, Unicode property escapes and the
// set notation of the v flag. goja itself chooses between two libraries with other
// dialects, by the pattern and by the text, and both give other matches than
// ECMAScript says.
//
// The work is done by libregexp, the matcher of QuickJS, in the Go translation
// modernc.org/libquickjs. Only this package imports it.
//
//		source, flags ─► Compile ─► Program (immutable, cached by the process)
//		                               │
//		            text (8 or 16 bit) ▼
//		                            Matcher.Match ─► the groups' places, in UTF-16 units
//
//	 1. Compile translates the pattern into libregexp's bytecode and copies that into
//	    Go memory, where it needs no release.
//	 2. A Matcher, one per goroutine, holds what libregexp needs while it matches: its
//	    allocator with a limit, and the function that it asks whether to stop. So a
//	    pattern that backtracks for ever can be interrupted, and cannot take all
//	    memory.
//
// Places are offsets in UTF-16 code units, as ECMAScript counts.
package pattern
