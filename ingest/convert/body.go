package convert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/inflate"
)

// unpacker turns bodies into text, in buffers that it uses again and again.
type unpacker struct {
	gz     inflate.Decoder
	zstd   *zstd.Decoder // nil until a body needs it
	text   []byte        // unpacked
	tidied []byte
}

// errTooLong is the error for a body that unpacks to more than the limit.
var errTooLong = errors.New("too long")

// Unpack returns the text of a body as a Converter does. Its memory is new or the
// body's. The error is a *Rejection.
func Unpack(body []byte, limit int) ([]byte, error) {
	text, err := new(unpacker).unpack(body, limit)
	if err == errTooLong {
		err = unpacksTooLong(limit)
	}
	return text, err
}

// unpacksTooLong returns the Rejection in the place of errTooLong.
func unpacksTooLong(limit int) *Rejection {
	return reject(ClassCorrupt, fmt.Sprintf("unpacks to more than %d bytes", limit))
}

// unpack returns the text of a body: the body itself, or what it unpacks to if
// it begins like gzip or zstd. It never holds more than limit bytes. The result is valid
// until the next call. The error is a *Rejection or errTooLong.
func (u *unpacker) unpack(body []byte, limit int) ([]byte, error) {
	if len(body) == 0 {
		return nil, reject(ClassEmpty, "Found empty data")
	}
	if isZlib(body) {
		return nil, reject(ClassCorrupt, "zlib, where gzip or plain JSON is meant")
	}

	if bytes.HasPrefix(body, zstdMagic) {
		return u.unzstd(body, limit)
	}

	// What does not begin like gzip is plain text, or rejected later as not JSON.
	if !isGzip(body) {
		return body, nil
	}

	text, err := u.gz.Gunzip(u.text, body, limit)
	u.text = text
	switch {
	case errors.Is(err, inflate.ErrTooLong):
		return nil, errTooLong
	case err != nil:
		return nil, reject(ClassCorrupt, "gzip: "+err.Error())
	case len(text) == 0:
		return nil, reject(ClassEmpty, "Found empty data")
	}
	return text, nil
}

// textSum returns the CRC-32 (IEEE) and the length of the text that body unpacks to.
func textSum(body, text []byte) (sum [8]byte) {
	const trailerBytes = 8 // of gzip: the CRC-32 and the length
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	if isGzip(body) && len(body) > trailerBytes && bytes.Equal(body[len(body)-4:], length) {
		// The sum was checked while it was unpacked. Members in front of this one, if there
		// are any, are empty.
		return [8]byte(body[len(body)-trailerBytes:])
	}
	binary.LittleEndian.PutUint32(sum[:], crc32.ChecksumIEEE(text))
	copy(sum[4:], length)
	return sum
}

// isGzip says whether body begins like gzip.
func isGzip(body []byte) bool { return len(body) > 1 && body[0] == 0x1f && body[1] == 0x8b }

// isZlib says whether body begins like zlib without a dictionary (RFC 1950), which
// some clients send instead of gzip. A body that begins with "8" may be a number.
func isZlib(body []byte) bool {
	return len(body) > 1 && body[0]&0x8f == 8 && body[0] != '8' && body[1]&0x20 == 0 && (int(body[0])<<8|int(body[1]))%31 == 0
}

// tidy returns text as UTF-8, with U+FFFD for each byte that is not. If text has line
// ends, which a record must not have, the whitespace between tokens goes.
func (u *unpacker) tidy(text []byte) []byte {
	if !utf8.Valid(text) {
		text = bytes.Map(func(r rune) rune { return r }, text) // one U+FFFD for every bad byte
	}
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return text
	}

	// Strings stay as they are, and so text that is not JSON does not become JSON. A
	// space stays where two tokens would become one.
	out := slices.Grow(u.tidied[:0], len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '"':
			end := jsonscan.StringTrusted(text, i)
			out = append(out, text[i:end]...)
			i = end
		case ' ', '\n', '\r', '\t':
			i = jsonscan.Indent(text, i)
			if len(out) > 0 && i < len(text) && word(out[len(out)-1]) && word(text[i]) {
				out = append(out, ' ')
			}
		default:
			out = append(out, c)
			i++
		}
	}
	u.tidied = out
	return out
}

// word says whether c may be part of a number or a literal.
func word(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '+' || c == '.'
}
