package rawlog

import "time"

// Submission is one HTTP POST (or its like from another source) as received:
// it is neither decoded nor unpacked nor checked.
type Submission struct {
	// Path is what followed /submit/telemetry/ in the request's URL, verbatim:
	// id[/reason/appName/appVersion/appUpdateChannel/appBuildID], percent signs
	// not decoded; or /namespace/type/version/id, which schema.ParsePath tells from
	// those. It may hold anything, at most MaxPathBytes of it.
	Path string
	// Body is the request's body byte for byte, gzip or not. A Reader
	// overwrites it at its next call.
	Body []byte
	// Time is when the request's head arrived, in UTC, in whole milliseconds.
	Time time.Time
	// Address is the client address that a v2 raw log carries (perhaps a list
	// separated by commas), or "". It is for looking up a country, never for storing.
	Address string
	// Country is the country that the client's address is in (two letters, or
	// "??"), if the server looks it up; else "".
	Country string
	// Request is what came with it, "" if that is not known.
	Request Request
	// Origin says where the submission lies.
	Origin Origin
}

// Origin is the place of a submission in a raw log. The zero Origin means that
// it is in none.
type Origin struct {
	Log    string // base name of the raw log
	Offset int64  // of the entry's first byte
}
