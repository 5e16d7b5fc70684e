package kafka

import (
	"errors"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of BagheeraMessage.
const (
	fieldID        = 3 // string
	fieldPayload   = 5 // bytes
	fieldTimestamp = 6 // sint64, milliseconds since 1970 UTC
	fieldOperation = 7 // enum: 0 CREATE_UPDATE, 1 DELETE
	fieldPartition = 9 // repeated string: what followed the ID in the URL
)

const createUpdate = 0

var errEnvelope = errors.New("not a Bagheera envelope")

// envelope is a decoded BagheeraMessage; payload is a part of the message. The
// namespace (the topic), the client's address and the API version are left out.
type envelope struct {
	id        string
	payload   []byte
	millis    int64 // 0: not stated
	operation uint64
	partition []string
}

// path is what followed /submit/<namespace>/ in the request's URL.
func (e *envelope) path() string {
	return strings.Join(append([]string{e.id}, e.partition...), "/")
}

// parseEnvelope decodes b. Unknown fields are skipped; of a field that comes twice
// the last counts. The error is errEnvelope.
func parseEnvelope(b []byte) (e envelope, err error) {
	// Field by field, in any order.
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return e, errEnvelope
		}

		b = b[n:]

		n = protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 {
			return e, errEnvelope
		}

		value := b[:n]
		b = b[n:]

		// A field of the wrong type is damage; one that we do not need is skipped.
		switch num {
		case fieldID, fieldPayload, fieldPartition:
			if typ != protowire.BytesType {
				return e, errEnvelope
			}
			v, _ := protowire.ConsumeBytes(value)
			switch num {
			case fieldID:
				e.id = string(v)
			case fieldPayload:
				e.payload = v
			default:
				e.partition = append(e.partition, string(v))
			}
		case fieldTimestamp, fieldOperation:
			if typ != protowire.VarintType {
				return e, errEnvelope
			}
			v, _ := protowire.ConsumeVarint(value)
			if num == fieldTimestamp {
				e.millis = protowire.DecodeZigZag(v)
			} else {
				e.operation = v
			}
		}
	}

	return e, nil
}
