package forget

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// Table says which submissions are deletion requests. It is a document:
//
//	{"requests": [{"namespace": "my-app", "type": "forget-me",
//	               "ids": [["metrics", "uuid", "*"]], "reaches": ["my-app"]}]}
//
// The most special row counts that fits: one of the namespace before one of "*".
type Table struct {
	Requests []Row `json:"requests"`
}

// Row is one kind of deletion request.
type Row struct {
	Namespace string `json:"namespace"` // "*": any
	Type      string `json:"type"`
	// IDs are the paths of the IDs in the ping; a last "*" stands for every member.
	IDs [][]string `json:"ids"`
	// Reaches are the namespaces whose records are forgotten; none: all.
	Reaches []string `json:"reaches,omitempty"`
}

//go:embed deletion.json
var builtIn []byte

// DefaultTable returns the deletion requests of Firefox and Glean.
func DefaultTable() *Table {
	var t Table
	if err := json.Unmarshal(builtIn, &t); err != nil {
		panic("forget: deletion.json: " + err.Error()) // a bug of this repository
	}
	return &t
}

// ParseTable reads the document of a table, whose rows come before the built-in ones.
func ParseTable(doc []byte) (*Table, error) {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.DisallowUnknownFields()

	var t Table
	if err := decoder.Decode(&t); err != nil {
		return nil, err
	}

	for i, row := range t.Requests {
		if row.Namespace == "" || row.Type == "" || len(row.IDs) == 0 {
			return nil, fmt.Errorf("request %d: want namespace, type and ids", i)
		}
		for _, path := range row.IDs {
			if len(path) == 0 || slices.Contains(path[:len(path)-1], "*") {
				return nil, fmt.Errorf("request %d: path %q: want names, and * as the last one only", i, path)
			}
		}
	}

	// Find returns the first of several that fit, so the built-in rows come last.
	t.Requests = append(t.Requests, DefaultTable().Requests...)
	return &t, nil
}

// Find returns the row of a namespace and type, nil if such a ping is no request.
func (t *Table) Find(namespace, typeName string) *Row {
	var general *Row
	for i := range t.Requests {
		row := &t.Requests[i]
		if row.Type != typeName {
			continue
		}

		if row.Namespace == namespace {
			return row
		}

		// A later row may have the namespace itself.
		if row.Namespace == "*" && general == nil {
			general = row
		}
	}

	return general
}

// Read returns the IDs that a request names, without those that stand for no client. text is JSON.
func (r *Row) Read(text []byte) (ids []ID) {
	r.each(text, func(value []byte) {
		if found := AppendValue(nil, value); len(found) > 0 && !found[0].Nobody() && !slices.Contains(ids, found[0]) {
			ids = append(ids, found[0])
		}
	})
	return ids
}

// Redact returns the text of a request with null in the place of every ID, so that it says
// that somebody was forgotten, and not who. An ID stands for nothing else, so this holds
// wherever the request has it, even as a name.
func (r *Row) Redact(text []byte) []byte {
	// The IDs are collected first, because the same one may stand elsewhere in the text.
	ids := map[ID]bool{}
	r.each(text, func(value []byte) {
		for _, id := range AppendValue(nil, value) {
			ids[id] = true
		}
	})

	if len(ids) == 0 {
		return text
	}

	// Only strings can be IDs; all other bytes are copied.
	redacted := make([]byte, 0, len(text))
	for at := 0; at < len(text); {
		if text[at] != '"' {
			redacted = append(redacted, text[at])
			at++
			continue
		}

		end := jsonscan.StringTrusted(text, at)
		found := AppendValue(nil, text[at:end])
		behind := jsonscan.Space(text, end)

		switch {
		case len(found) == 0 || !ids[found[0]]:
			redacted = append(redacted, text[at:end]...)
		// A name of a member must be a string.
		case behind < len(text) && text[behind] == ':':
			redacted = append(redacted, `"forgotten"`...)
		default:
			redacted = append(redacted, "null"...)
		}

		at = end
	}
	return redacted
}

// each calls do with the value at each path, of members that come twice with each.
func (r *Row) each(text []byte, do func(value []byte)) {
	if jsonscan.Valid(text) != nil {
		return
	}
	for _, path := range r.IDs {
		walk(text, path, do)
	}
}

func walk(value []byte, path []string, do func([]byte)) {
	if len(path) == 0 {
		do(value)
		return
	}

	at := jsonscan.Space(value, 0)
	if at == len(value) || value[at] != '{' {
		return
	}

	// A name may come twice: all its values count.
	for it := jsonscan.MembersTrusted(value, at); it.Next(); {
		if path[0] == "*" || jsonscan.Is(it.Key, path[0]) {
			walk(it.Value(), path[1:], do)
		}
	}
}
