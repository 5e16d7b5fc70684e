package schema

import _ "embed"

//go:embed telemetry_schema.json
var defaultText []byte

// Default returns the dimensions of a data folder without a schema file: the
// values that the predecessor allowed at the end of its life.
func Default() *Schema {
	builtIn, err := ParseSchema(defaultText)
	if err != nil {
		panic("the built-in schema: " + err.Error())
	}

	return builtIn
}
