// Package convert turns a submission, as received, into a record, as stored.
//
//	            1 unpack             2 index            3 judge           4 write
//	Submission ─► gunzip, UTF-8 ─► where members lie ─► format, revision, ─► Record
//	                    │                   │           dimensions              │
//	                    └───────────────────┴──► Rejection (class, message) ◄───┘
//	                                             Outage (later)
//
// One ping, in steps:
//
//  1. Unpack it (package inflate), at most so many bytes; what is not UTF-8 becomes U+FFFD.
//  2. Walk its members and note where they lie. Nothing is decoded.
//  3. Tell its format, take revision and dimensions from its info, and ask for the
//     revision's histogram definitions.
//  4. Copy member by member; check and rewrite each histogram on the way.
//
// What becomes of a submission is one of three:
//
//	Record   converted; it may lack histograms, which are counted as Drop
//	Rejection  bad data, of one of the Class constants: kept in quarantine
//	Outage   its definitions cannot be had now: it waits
//
// docs/conversion.md has the formats, every class, and the decisions.
//
// # To add …
//
// A format of pings: a case in Converter.payload, a row in docs/conversion.md, and
// the same in plain steps in the reference of reference_test.go, which
// FuzzConvert compares with.
//
// A class of bad submissions: a Class constant, a row in docs/conversion.md, and a
// case in TestConvertRejects.
package convert
