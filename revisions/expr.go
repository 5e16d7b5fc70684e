package revisions

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxExpr bounds the length of an expression, and so its nesting.
const maxExpr = 200

// evaluate computes an integer expression: decimal numbers, + - * /
// (rounding down) and parentheses. Overflow and division by zero are
// errors.
func evaluate(text string) (int64, error) {
	if len(text) > maxExpr {
		return 0, fmt.Errorf("expression of %d bytes, at most %d", len(text), maxExpr)
	}
	p := expr{rest: text}
	v, err := p.sum()
	if err == nil && p.peek() != 0 {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return 0, fmt.Errorf("expression %q: %w", text, err)
	}
	return v, nil
}

// expr is a recursive-descent parser over what is left of the text.
type expr struct{ rest string }

// peek returns the next byte that is not a space; 0 at the end.
func (p *expr) peek() byte {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

func (p *expr) sum() (int64, error) {
	v, err := p.product()
	for err == nil {
		op := p.peek()
		if op != '+' && op != '-' {
			return v, nil
		}
		p.rest = p.rest[1:]
		var w int64
		if w, err = p.product(); err == nil {
			v, err = apply(op, v, w)
		}
	}
	return 0, err
}

func (p *expr) product() (int64, error) {
	v, err := p.factor()
	for err == nil {
		op := p.peek()
		if op != '*' && op != '/' {
			return v, nil
		}
		p.rest = p.rest[1:]
		var w int64
		if w, err = p.factor(); err == nil {
			v, err = apply(op, v, w)
		}
	}
	return 0, err
}

func (p *expr) factor() (int64, error) {
	switch c := p.peek(); {
	case c == '(':
		p.rest = p.rest[1:]
		v, err := p.sum()
		if err == nil && p.peek() != ')' {
			return 0, errors.New("missing ')'")
		}
		if err == nil {
			p.rest = p.rest[1:]
		}
		return v, err
	case c == '-' || c == '+':
		p.rest = p.rest[1:]
		v, err := p.factor()
		if err == nil && c == '-' {
			return apply('-', 0, v)
		}
		return v, err
	case c >= '0' && c <= '9':
		var v int64
		for p.rest != "" && p.rest[0]-'0' <= 9 {
			if v > (math.MaxInt64-9)/10 {
				return 0, errOverflow
			}
			v = v*10 + int64(p.rest[0]-'0')
			p.rest = p.rest[1:]
		}
		return v, nil
	case c == 0:
		return 0, errors.New("unexpected end")
	}
	return 0, fmt.Errorf("unexpected %q", p.rest)
}

var errOverflow = errors.New("overflow")

func apply(op byte, v, w int64) (int64, error) {
	r := int64(0)
	switch op {
	case '+':
		if r = v + w; (r > v) != (w > 0) {
			return 0, errOverflow
		}
	case '-':
		if r = v - w; (r < v) != (w > 0) {
			return 0, errOverflow
		}
	case '*':
		if v != 0 {
			if r = v * w; r/v != w || v == -1 && w == math.MinInt64 {
				return 0, errOverflow
			}
		}
	case '/':
		if w == 0 {
			return 0, errors.New("division by zero")
		}
		if v == math.MinInt64 && w == -1 {
			return 0, errOverflow
		}
		if r = v / w; v%w != 0 && (v < 0) != (w < 0) {
			r--
		}
	}
	return r, nil
}
