package datafile

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// json parses a JSON file.
func (p *parser) json() (Item, error) {
	if err := p.checkJSON(0, len(p.text)); err != nil {
		return Item{}, err
	}
	item, _ := p.jsonValue(0)
	return item, nil
}

// jsonLines parses a file with a JSON value in each line, as an array; empty lines are
// none.
func (p *parser) jsonLines() (Item, error) {
	items := []Item{}
	for start := 0; start < len(p.text); {
		end := len(p.text)
		if length := bytes.IndexByte(p.text[start:], '\n'); length >= 0 {
			end = start + length
		}

		if len(bytes.TrimSpace(p.text[start:end])) > 0 {
			if err := p.checkJSON(start, end); err != nil {
				return Item{}, err
			}
			item, _ := p.jsonValue(start)
			items = append(items, item)
		}
		start = end + 1
	}
	return p.array(items), nil
}

// checkJSON returns an error unless text[start:end] is one JSON value.
func (p *parser) checkJSON(start, end int) error {
	text := p.text[start:end]
	if len(bytes.TrimSpace(text)) == 0 {
		return p.errorAt(start, "the file is empty: JSON needs a value, such as {} or []")
	}

	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	switch {
	case ok:
		// The offset is behind the character that is wrong, or the end of the text.
		at := int(syntax.Offset)
		if strings.HasPrefix(syntax.Error(), "invalid") {
			at--
		}
		return p.errorAt(start+max(at, 0), "this is no JSON: %s", syntax.Error())
	case err != nil:
		return p.errorAt(start, "this is no JSON: %v", err)
	}
	return nil
}

// jsonValue returns the value that begins at or, after space, behind an offset of text
// that has been checked, and the offset behind it.
func (p *parser) jsonValue(at int) (item Item, end int) {
	at = jsonscan.Space(p.text, at)
	switch p.text[at] {
	case '{':
		return p.jsonObject(at)
	case '[':
		items := []Item{}
		elements := jsonscan.ElementsTrusted(p.text, at)
		for elements.Next() {
			element, end := p.jsonValue(elements.Start)
			elements.SetEnd(end)
			items = append(items, element)
		}
		return p.array(items), elements.After()
	case '"':
		end = jsonscan.StringTrusted(p.text, at)
		return p.string(string(jsonscan.Unquote(p.text[at+1 : end-1]))), end
	case 't':
		return Item{Scalar: p.scalars.ToValue(true)}, at + len("true")
	case 'f':
		return Item{Scalar: p.scalars.ToValue(false)}, at + len("false")
	case 'n':
		return Item{Scalar: p.scalars.ToValue(nil)}, at + len("null")
	}

	// Beyond float64 a number is infinite, as in JSON.parse.
	end = jsonscan.SkipTrusted(p.text, at)
	number, _ := jsonscan.Float(p.text[at:end])
	return Item{Scalar: p.scalars.ToValue(number)}, end
}

// maxWarnings bounds the warnings of a file.
const maxWarnings = 10

// jsonObject returns the object at an offset. A name that comes twice has its last
// value, at the first's place, as in JSON.parse.
func (p *parser) jsonObject(at int) (item Item, end int) {
	names := []string{}
	items := []Item{}
	var places map[string]int // of the names, once there are more than a few

	members := jsonscan.MembersTrusted(p.text, at)
	for members.Next() {
		name := string(members.Name())
		value, end := p.jsonValue(members.Start)
		members.SetEnd(end)

		if places == nil && len(names) > fewNames {
			places = newShape(names).at
		}
		earlier, ok := places[name]
		if places == nil {
			earlier = slices.Index(names, name)
			ok = earlier >= 0
		}
		if ok {
			items[earlier] = value
			if len(p.file.Warnings) < maxWarnings {
				p.file.Warnings = append(p.file.Warnings, p.errorAt(members.Start, "the name %q comes twice in this object: the last value counts", name))
			}
			continue
		}

		if places != nil {
			places[name] = len(names)
		}
		names = append(names, name)
		items = append(items, value)
	}

	return p.object(names, items), members.After()
}
