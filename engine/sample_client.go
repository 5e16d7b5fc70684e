package engine

import (
	"hash/crc32"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/columns"
)

// sampleID is where a record says the sample of its client. Records from before it was
// stored say only the client.
var sampleID = []string{"metadata", "sample_id"}

// clientIDs are where records have the ID of their client, the first one that is there
// counts: unified pings, Glean's, classic ones.
var clientIDs = [][]string{{"clientId"}, {"client_id"}, {"client_info", "client_id"}, {"clientID"}}

// clientSample returns the sample that a record's client belongs to, from 0 to 99: the
// CRC-32 of the client's ID modulo 100, as Mozilla's pipeline has it. known is false for
// a record without a client.
func clientSample(record *Record) (sample int, known bool, err error) {
	text, err := record.member(sampleID)
	if err != nil {
		return 0, false, err
	}
	if stored, ok := jsonscan.Int(text); ok && stored >= 0 && stored < 100 {
		return int(stored), true, nil
	}

	for _, path := range clientIDs {
		text, err := record.member(path)
		if err != nil {
			return 0, false, err
		}
		if len(text) > 2 && text[0] == '"' {
			id := jsonscan.Unquote(text[1 : len(text)-1])
			return int(crc32.ChecksumIEEE(id) % 100), true, nil
		}
	}
	return 0, false, nil
}

// member returns the text of a value in the record, nil if it is not there or the record
// is no JSON. Of a row it reads the columns on the way only.
func (r *Record) member(path []string) ([]byte, error) {
	if r.group != nil {
		return r.memberOfRow(path)
	}

	text, err := r.Text()
	for _, name := range path {
		text = memberOf(text, name)
	}
	return text, err
}

func (r *Record) memberOfRow(path []string) ([]byte, error) {
	node := int32(0)
	for depth, name := range path {
		node = r.group.Child(node, name)
		if node < 0 {
			return nil, nil
		}

		kind, text, err := r.group.Kind(r.row, node)
		if err != nil {
			return nil, err
		}
		switch kind {
		case columns.Absent:
			return nil, nil
		case columns.Text:
			// An object that is not parted is the text of all that is in it.
			for _, name := range path[depth+1:] {
				text = memberOf(text, name)
			}
			return text, nil
		}
	}
	return nil, nil // an object
}

// memberOf returns the value of a member of an object: the last one of that name, as in
// JavaScript. It is nil if the text has none.
func memberOf(text []byte, name string) (value []byte) {
	it := jsonscan.Members(text, 0)
	for it.Next() {
		if jsonscan.Is(it.Key, name) {
			value = it.Value()
		}
	}
	if it.Err() != nil {
		return nil
	}
	return value
}
