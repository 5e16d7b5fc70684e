package metadata

import (
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// Facts are what the server knows of a submission. Values that are "" are not known.
type Facts struct {
	Received                             time.Time // in UTC
	DocumentID, Namespace, Type, Version string
	// ClientID is the client's ID as the ping has it.
	ClientID []byte
	// Channel is the update channel as the ping has it.
	Channel string
	// Country is of two letters.
	Country string
	Request rawlog.Request
}

// headers are the headers that records have, in the order of their names.
var headers = [...]struct {
	name  string
	field rawlog.Field
}{
	{"date", rawlog.FieldDate},
	{"dnt", rawlog.FieldDNT},
	{"x_debug_id", rawlog.FieldDebugID},
	{"x_pingsender_version", rawlog.FieldPingSenderVersion},
	{"x_source_tags", rawlog.FieldSourceTags},
	{"x_telemetry_agent", rawlog.FieldTelemetryAgent},
}

// samples is how many samples clients are divided into.
const samples = 100

// timestampLayout has milliseconds, as raw logs have.
const timestampLayout = "2006-01-02T15:04:05.000Z"

// Append appends the JSON object of the facts to dst.
func Append(dst []byte, f *Facts) []byte {
	dst = append(dst, `{"submission_timestamp":"`...)
	dst = f.Received.AppendFormat(dst, timestampLayout)
	dst = append(dst, '"')

	dst = appendText(dst, "document_id", f.DocumentID)
	dst = appendText(dst, "namespace", f.Namespace)
	dst = appendText(dst, "document_type", f.Type)
	dst = appendText(dst, "document_version", f.Version)

	// The checksum is that of the ID as it is spelled, as in Mozilla's pipeline.
	if len(f.ClientID) > 0 {
		dst = append(dst, `,"sample_id":`...)
		dst = strconv.AppendUint(dst, uint64(crc32.ChecksumIEEE(f.ClientID)%samples), 10)
	}
	dst = appendText(dst, "normalized_channel", NormalizedChannel(f.Channel))

	date := f.Request.Get(rawlog.FieldDate)
	if sent, err := http.ParseTime(date); err == nil {
		dst = append(dst, `,"clock_skew_seconds":`...)
		dst = strconv.AppendInt(dst, int64(f.Received.Sub(sent)/time.Second), 10)
	}

	dst = append(dst, `,"header":{`...)
	for _, header := range &headers {
		dst = appendText(dst, header.name, f.Request.Get(header.field))
	}
	dst = append(dst, `},"user_agent":{`...)
	agent := ParseUserAgent(f.Request.Get(rawlog.FieldUserAgent))
	dst = appendText(dst, "browser", agent.Browser)
	dst = appendText(dst, "version", agent.Version)
	dst = appendText(dst, "os", agent.OS)
	dst = append(dst, `},"geo":{`...)
	dst = appendText(dst, "country", f.Country)
	return append(dst, "}}"...)
}

// appendText appends a member with a text to an object that is begun, unless the text is
// empty.
func appendText(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), name...), `":"`...)

	// Texts come from clients: any byte may be in them.
	const hex = "0123456789abcdef"
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	for i := range len(text) {
		switch char := text[i]; {
		case char == '"' || char == '\\':
			dst = append(dst, '\\', char)
		case char < ' ':
			dst = append(append(dst, `\u00`...), hex[char>>4], hex[char&15])
		default:
			dst = append(dst, char)
		}
	}
	return append(dst, '"')
}

// NormalizedChannel returns the channel without the suffixes that rebuilt browsers add,
// "Other" for one that is not known, and "" for "".
func NormalizedChannel(channel string) string {
	switch channel {
	case "", "release", "esr", "beta", "aurora", "nightly":
		return channel
	}
	switch {
	case strings.HasPrefix(channel, "nightly-cck-"):
		return "nightly"
	case strings.HasPrefix(channel, "beta"):
		return "beta"
	}
	return "Other"
}
