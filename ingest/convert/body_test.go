package convert

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/klauspost/compress/zstd"
)

// TestUnpack shows what becomes of bodies that are gzip, or begin so. What gzip is
// damaged is the tests' of package inflate.
func TestUnpack(t *testing.T) {
	const limit = 1000
	packed := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(text))
		w.Close()
		return b.String()
	}
	text := strings.Repeat("0123456789", limit/10)
	whole := packed(text)
	squeezed := func(text string) string {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(w.EncodeAll([]byte(text), nil))
	}
	bombs := strings.Repeat(squeezed(strings.Repeat("0", 1<<20)), 100)
	tests := []struct{ name, body, want, class, message string }{
		{"plain", `{"ver":1}`, `{"ver":1}`, "", ""},
		{"one magic byte", "\x1f", "\x1f", "", ""},
		{"as long as may be", whole, text, "", ""},
		{"members", packed("ab") + packed("") + packed("cd"), "abcd", "", ""},
		{"empty", "", "", ClassEmpty, "Found empty data"},
		{"empty member", packed(""), "", ClassEmpty, "Found empty data"},
		{"too long", packed(text + "0"), "", ClassCorrupt, "unpacks to more than 1000 bytes"},
		{"bomb", packed(strings.Repeat("0", 1<<24)), "", ClassCorrupt, "unpacks to more than 1000 bytes"},
		{"both members too long", whole + packed("0"), "", ClassCorrupt, "unpacks to more than 1000 bytes"},
		{"magic alone", "\x1f\x8b", "", ClassCorrupt, "gzip: unexpected EOF"},
		{"cut", whole[:len(whole)-1], "", ClassCorrupt, "gzip: unexpected EOF"},
		{"another kind", "\x1f\x8b\x07" + whole[3:], "", ClassCorrupt, "gzip: invalid header"},
		{"garbage behind", whole + "garbage behind", "", ClassCorrupt, "gzip: invalid header"},
		{"no block", whole[:10] + "\xff" + whole[11:], "", ClassCorrupt, "gzip: corrupt input"},
		{"checksum", whole[:len(whole)-8] + "crc!" + whole[len(whole)-4:], "", ClassCorrupt, "gzip: invalid checksum"},
		{"zstd", squeezed(text), text, "", ""},
		{"zstd frames", squeezed("ab") + squeezed("cd"), "abcd", "", ""},
		{"zstd bombs", bombs, "", ClassCorrupt, "unpacks to more than 1000 bytes"},
		{"zstd, too long", squeezed(text + "0"), "", ClassCorrupt, "unpacks to more than 1000 bytes"},
		{"zstd of nothing", squeezed("") + string(zstdMagic) + "\x20\x00\x01\x00\x00", "", ClassEmpty, "Found empty data"},
		{"zstd, cut", squeezed(text)[:10], "", ClassCorrupt, "zstd: unexpected EOF"},
		{"zstd, garbage behind", squeezed(text[:9]) + "garbage", "", ClassCorrupt, "zstd: invalid input: magic number mismatch"},
		{"zstd magic alone", string(zstdMagic), "", ClassCorrupt, "zstd: unexpected EOF"},
		{"length", whole[:len(whole)-4] + "len!", "", ClassCorrupt, "gzip: invalid checksum"},
	}
	for _, body := range []string{text, whole, packed("") + whole, packed(text[:7]) + packed(text[7:]), squeezed(text)} {
		unpacked, err := Unpack([]byte(body), limit)
		if got, want := textSum([]byte(body), unpacked), textSum(nil, []byte(text)); err != nil || got != want {
			t.Errorf("%.20q: sum %x, want %x", body, got, want)
		}
	}

	var u unpacker // one for all: none may leave anything to the next
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := u.unpack([]byte(tt.body), limit)
			if err == errTooLong {
				err = unpacksTooLong(limit)
			}
			if string(got) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			bad, _ := errors.AsType[*Rejection](err)
			if bad == nil {
				bad = new(Rejection)
			}
			if bad.Class != tt.class || bad.Message != tt.message {
				t.Errorf("got %v, want %s: %s", err, tt.class, tt.message)
			}
		})
	}
}

// TestContentEncodingIsNamed: a body in an encoding that is not unpacked is rejected with
// its name. What can be read is read, whatever the header says.
func TestContentEncodingIsNamed(t *testing.T) {
	brotli := "\x8b\x05\x80{\"ver\":1}\x03"
	tests := []struct{ coding, body, class, message string }{
		{"br", brotli, ClassCorrupt, `Content-Encoding is "br", where gzip, zstd or plain JSON is meant`},
		{"gzip, BR", brotli, ClassCorrupt, `Content-Encoding is "gzip, BR", where gzip, zstd or plain JSON is meant`},
		{"deflate", "x\x9c\xabV*K-R\xb22\xac\x05\x00", ClassCorrupt, `Content-Encoding is "deflate", where gzip, zstd or plain JSON is meant`},
		{"br", "x\x9c\xabV*K-R\xb22\xac\x05\x00", ClassCorrupt, `Content-Encoding is "br", where gzip, zstd or plain JSON is meant`},
		{"\x1b[2J", brotli, ClassCorrupt, `Content-Encoding is "\x1b[2J", where gzip, zstd or plain JSON is meant`},
		{"gzip", "{", ClassConversion, "JSONDecodeError: "},
		{"identity", "{", ClassConversion, "JSONDecodeError: "},
		{"", "{", ClassConversion, "JSONDecodeError: "},
		{"br", `{"ver": 1, "info": {"reason": "idle-daily"}}`, "", ""},
	}
	for _, tt := range tests {
		request := rawlog.AppendField(nil, rawlog.FieldContentEncoding, tt.coding)
		sub := rawlog.Submission{Path: "id", Body: []byte(tt.body), Request: rawlog.Request(request)}
		_, err := New(nil, DefaultOptions()).Convert(t.Context(), &sub)

		rejection, _ := errors.AsType[*Rejection](err)
		if rejection == nil {
			rejection = &Rejection{}
		}
		if rejection.Class != tt.class || !strings.HasPrefix(rejection.Message, tt.message) || err != nil && tt.class == "" {
			t.Errorf("%q %.10q: %v, want %s: %s", tt.coding, tt.body, err, tt.class, tt.message)
		}
	}
}
