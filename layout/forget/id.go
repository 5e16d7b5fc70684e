package forget

import (
	"encoding/hex"
)

// ID is the ID of a client, a profile or a group of profiles: a UUID.
type ID [16]byte

// uuidBytes is the length of a UUID as text.
const uuidBytes = 36

// ParseID reads a UUID as clients write it: with digits of either case, alone or in braces.
func ParseID(text []byte) (id ID, ok bool) {
	if len(text) == uuidBytes+2 && text[0] == '{' && text[uuidBytes+1] == '}' {
		text = text[1 : uuidBytes+1]
	}

	if len(text) != uuidBytes || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}

	// Two digits a byte, with dashes in front of the bytes 4, 6, 8 and 10.
	at := 0
	for i := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			at++ // the dash
		}

		high, low := digit(text[at]), digit(text[at+1])
		if high|low > 15 {
			return id, false
		}

		id[i] = high<<4 | low
		at += 2
	}
	return id, true
}

// digit returns the value of a hexadecimal digit, 255 for any other byte.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// String returns the ID as clients write it.
func (id ID) String() string {
	b := hex.AppendEncode(nil, id[:])
	return string(b[:8]) + "-" + string(b[8:12]) + "-" + string(b[12:16]) + "-" + string(b[16:20]) + "-" + string(b[20:])
}

// Canary is what Firefox has as its client ID once telemetry is turned off. It stands for no
// person.
var Canary = mustParse("c0ffeec0-ffee-c0ff-eec0-ffeec0ffeec0")

// nobody are IDs that many clients have, so that no request can be about one of them: the
// canaries of client, profile group, usage profile and its group, and what stands for no ID.
var nobody = map[ID]bool{
	Canary: true,
	mustParse("decafdec-afde-cafd-ecaf-decafdecafde"): true,
	mustParse("beefbeef-beef-beef-beef-beeefbeefbee"): true,
	mustParse("b0bacafe-b0ba-cafe-b0ba-cafeb0bacafe"): true,
	mustParse("00000000-0000-0000-0000-000000000000"): true,
	mustParse("ffffffff-ffff-ffff-ffff-ffffffffffff"): true,
}

// Nobody says that the ID stands for no client, so that it cannot be forgotten.
func (id ID) Nobody() bool { return nobody[id] }

// mustParse is ParseID for the IDs of this file.
func mustParse(text string) ID {
	id, ok := ParseID([]byte(text))
	if !ok {
		panic("forget: " + text) // a bug of this repository
	}
	return id
}
