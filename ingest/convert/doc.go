// Package convert turns a submission, as received, into a record, as stored.
//
//	Submission
//	    │ 1 unpack           unpacker (body.go)            gunzip, UTF-8, one line
//	    ▼
//	document                 document.go                   where the members lie
//	    │ 2 plan             formats.go, formats_*.go      by the payload version
//	    ▼
//	plan                     plan.go                       what to copy and to write
//	    │ 3 resolve          resolver (definitions.go)     revision ─► definitions
//	    ▼
//	    │ 4 write            writer (write.go)             package histogram rewrites
//	    ▼
//	Record                                                 or Rejection, or Outage
//
// One ping, in steps; Converter.Convert and Converter.convert have them one after the
// other:
//
//  1. Unpack it (package inflate), at most so many bytes; what is not UTF-8 becomes
//     U+FFFD. Walk its members and note where they lie; nothing is decoded.
//     Everything is checked but the histograms, which are only skipped, or read ahead
//     (ahead.go, payload.go) because they are most of a ping.
//  2. Find its format by its namespace, and then by ver or version. The format makes a plan: an ordered list of
//     values to copy, fields to write and histograms to rewrite, with the dimensions
//     and the revision that is needed. It never writes.
//  3. Fetch the definitions of the revision. A ping without a revision may get one by
//     Options.Fallback.
//  4. Execute the plan: copy, write, rewrite the histograms, and check what was only
//     skipped. Then read the dimensions.
//  5. Append the metadata, for pings of today (received.go).
//
// A submission becomes one of three:
//
//	Record     converted; it may lack histograms, which are counted as Drop
//	Rejection  bad data, of one of the Class constants; it is quarantined
//	Outage     its definitions are not available now; it waits
//
// docs/conversion.md has the formats, every class, and the decisions.
//
// # To add …
//
// A payload version: a row in the table formats with a function that makes the plan;
// if records keep the member that says the version, a second row for the version that
// they get, because a record is converted again when it is imported; a row in
// docs/conversion.md; an example in TestEveryPayloadVersion, which fails without
// any of these; and the same in plain steps in the reference of reference_test.go,
// which FuzzConvert compares with.
//
// A member of metadata: see package metadata.
//
// A dimension of Glean pings: a row in gleanFields; TestClients has the dimensions of each
// kind of client.
//
// A type of unified pings: a row in unifiedTypes, and a row in docs/conversion.md;
// TestEveryUnifiedType fails without.
//
// A dimension: package schema says where it is declared. Here a classic ping has it
// as a member of info with the dimension's name. A row in applicationFields (or a
// set in planUnified) finds it in unified pings, and a row in firefoxOSFields in those
// of Firefox OS. TestEveryDimensionIsFilled fails for a payload version without it.
//
// A class of rejections: a Class constant, and a row in docs/conversion.md;
// TestEveryClassIsDocumented fails without. What a histogram is rejected for has its
// class in the table faults; TestEveryFaultHasAClass fails without.
package convert
