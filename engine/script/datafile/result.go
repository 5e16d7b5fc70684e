package datafile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// NewResult returns the rows of a job as a file: an array of objects. rows are Object
// data, one behind the other; undefined members are members. name is what messages call
// the job. Errors are datum.ErrMalformed.
func NewResult(name string, rows []byte) (*File, error) {
	sum := sha256.Sum256(rows)
	made := newParser(&File{ID: hex.EncodeToString(sum[:]), Name: name}, nil)

	var items []Item
	for len(rows) > 0 {
		row, rest, err := made.datum(rows)
		if err != nil {
			return nil, fmt.Errorf("result of %s: %w", name, err)
		}
		items = append(items, row)
		rows = rest
	}

	made.file.Root = made.array(items)
	return made.file, nil
}

// datum returns the value that encoded begins with, and what is behind it.
func (p *parser) datum(encoded []byte) (item Item, rest []byte, err error) {
	kind, token, rest, err := datum.Next(encoded)
	if err != nil {
		return item, nil, err
	}

	switch kind {
	case datum.Null:
		return Item{Scalar: goja.Null()}, rest, nil
	case datum.Undefined:
		return Item{Scalar: goja.Undefined()}, rest, nil
	case datum.False, datum.True:
		return Item{Scalar: p.scalars.ToValue(kind == datum.True)}, rest, nil
	case datum.Number:
		return Item{Scalar: p.scalars.ToValue(datum.Float(token))}, rest, nil
	case datum.String:
		return p.string(string(datum.Text(token))), rest, nil
	case datum.Array:
		items, rest, err := p.data(rest)
		return p.array(items), rest, err
	case datum.Object:
		return p.datumObject(rest)
	case datum.Histogram:
		// The runtime that reads it makes the histogram.
		whole, rest, err := datum.Skip(encoded)
		histogram := string(whole)
		return Item{Node: p.node(Node{File: p.file, Histogram: &histogram})}, rest, err
	}
	return item, nil, datum.ErrMalformed
}

// data returns the values up to an End, and what is behind that.
func (p *parser) data(left []byte) (items []Item, rest []byte, err error) {
	for len(left) > 0 && datum.Kind(left[0]) != datum.End {
		var item Item
		if item, left, err = p.datum(left); err != nil {
			return nil, nil, err
		}
		items = append(items, item)
	}
	if len(left) == 0 {
		return nil, nil, datum.ErrMalformed
	}
	return items, left[1:], nil
}

// datumObject returns the object whose names and values are in left, up to an End.
func (p *parser) datumObject(left []byte) (item Item, rest []byte, err error) {
	tokens, rest, err := p.data(left)
	if err != nil || len(tokens)%2 != 0 {
		return item, nil, datum.ErrMalformed
	}

	var names []string
	var items []Item
	for i := 0; i < len(tokens); i += 2 {
		if tokens[i].Scalar == nil {
			return item, nil, datum.ErrMalformed
		}
		names = append(names, tokens[i].Scalar.String())
		items = append(items, tokens[i+1])
	}
	return p.object(names, items), rest, nil
}
