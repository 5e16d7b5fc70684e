package rawlog

import (
	"encoding/binary"
	"unicode/utf8"
)

// Request is what came with a submission besides its path and body: fields of the HTTP
// request, encoded as an entry holds them (FORMAT.md). The empty Request says that
// nothing is known, as for submissions from raw logs before version 4. AppendField
// makes one.
type Request string

// Field names a part of a Request. The numbers are on disk.
type Field uint8

// The fields of a Request, all optional.
const (
	FieldMethod            Field = iota + 1 // POST or PUT
	FieldQuery                              // behind the "?" of the target
	FieldDate                               // the headers, by name
	FieldUserAgent                          // it is reduced when the submission is converted
	FieldTelemetryAgent                     // X-Telemetry-Agent
	FieldDebugID                            // X-Debug-ID
	FieldSourceTags                         // X-Source-Tags
	FieldPingSenderVersion                  // X-PingSender-Version
	FieldDNT                                // DNT
	FieldContentEncoding                    // Content-Encoding
	NumFields                               // one more than the last field
)

const (
	// MaxFieldBytes bounds the value of one field. Pub/Sub, behind which Mozilla's own
	// edge stands, has the same bound.
	MaxFieldBytes = 1024
	// fieldOverhead is what a field adds to its value: its number and length.
	fieldOverhead = 3
	// MaxRequestBytes bounds an encoded Request; longer means damage.
	MaxRequestBytes = (int(NumFields) - 1) * (fieldOverhead + MaxFieldBytes)
)

// headerNames are the canonical names of the headers that are fields.
var headerNames = [NumFields]string{
	FieldDate:              "Date",
	FieldUserAgent:         "User-Agent",
	FieldTelemetryAgent:    "X-Telemetry-Agent",
	FieldDebugID:           "X-Debug-Id",
	FieldSourceTags:        "X-Source-Tags",
	FieldPingSenderVersion: "X-Pingsender-Version",
	FieldDNT:               "Dnt",
	FieldContentEncoding:   "Content-Encoding",
}

// Header returns the canonical name of the header that the field is, "" if it is not a header.
func (f Field) Header() string { return headerNames[f] }

// AppendField appends a field with a value, of which the first MaxFieldBytes count, to
// an encoded Request. An empty value is no field. Each field may be appended once.
func AppendField(request []byte, field Field, value string) []byte {
	if value == "" {
		return request
	}

	// A character that is cut in two would not be UTF-8.
	if len(value) > MaxFieldBytes {
		value = value[:MaxFieldBytes]
		for !utf8.RuneStart(value[len(value)-1]) {
			value = value[:len(value)-1]
		}
		if r, _ := utf8.DecodeLastRuneInString(value); r == utf8.RuneError {
			value = value[:len(value)-1]
		}
	}

	request = append(request, byte(field))
	request = binary.LittleEndian.AppendUint16(request, uint16(len(value)))
	return append(request, value...)
}

// Get returns the value of a field, "" if the request does not have it.
func (r Request) Get(field Field) string {
	for len(r) >= fieldOverhead {
		end := fieldOverhead + int(r[1]) + int(r[2])<<8
		if end > len(r) {
			return ""
		}
		if Field(r[0]) == field {
			return string(r[fieldOverhead:end])
		}
		r = r[end:]
	}
	return ""
}
