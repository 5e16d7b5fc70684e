package schemas

import (
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What the check of one ping may cost. Schemas are the operator's, the texts are strangers'.
const (
	// maxElements bounds the elements and members of a ping, by its commas. A main ping of
	// 30 kB has 1,500.
	maxElements = 300_000
	// maxSteps bounds how often a value is compared with a schema. That ping takes 2,000.
	maxSteps = 100_000
	// maxDepth bounds how deep in the ping a value is.
	maxDepth = 50
	// patternTimeout bounds one match of a regular expression. One that takes longer does
	// not match.
	patternTimeout = 100 * time.Millisecond
	// maxPatterns bounds all matches together.
	maxPatterns = time.Second
)

// exhausted is the value of the panic that ends a check whose budget is used up. The
// library has no other way to end one.
type exhausted struct{}

// budget is what is left for the check that runs now.
type budget struct {
	steps    int
	patterns time.Duration
}

// validate validates a document within the whole budget, and says whether that sufficed.
func (b *budget) validate(of *jsonschema.Schema, document any) (err error, ok bool) {
	*b = budget{maxSteps, maxPatterns}
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case exhausted:
			err, ok = nil, false
		default:
			panic(cause)
		}
	}()
	return of.Validate(document), true
}

// vocabulary has no keywords: it is how the library calls Validate for each step.
func (b *budget) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL:     "steps:",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) { return b, nil },
	}
}

// Validate implements jsonschema.SchemaExt. It counts a step; those of the inner values come first.
func (b *budget) Validate(at *jsonschema.ValidatorContext, _ any) {
	if b.steps--; b.steps < 0 || len(at.ValueLocation()) > maxDepth {
		panic(exhausted{})
	}
}

// pattern is a regular expression as JavaScript has them, with the look-aheads that Go's
// do not have.
type pattern struct {
	*regexp2.Regexp
	budget *budget
}

// MatchString implements jsonschema.Regexp.
func (p pattern) MatchString(text string) bool {
	start := time.Now()
	matched, err := p.Regexp.MatchString(text)
	if p.budget.patterns -= time.Since(start); p.budget.patterns < 0 {
		panic(exhausted{})
	}
	return err == nil && matched // an error is a timeout
}

func (b *budget) compilePattern(text string) (jsonschema.Regexp, error) {
	compiled, err := regexp2.Compile(text, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	compiled.MatchTimeout = patternTimeout
	return pattern{compiled, b}, nil
}
