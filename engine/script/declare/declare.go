package declare

import (
	"slices"
	"strings"
)

// Kind is what a script is: it follows from what the script exports.
type Kind int

// The kinds.
const (
	Job    Kind = iota // map, combine and reduce over records
	Filter             // what selects records, for a job or at ingestion
)

// Export is something that a script may export for the host: a function that
// the host calls, or a constant that it reads.
type Export struct {
	Name    string   // also the phase in errors and in calls that failed
	Aliases []string // the predecessor's spelling
	Of      Kind
	Makes   bool // a script that exports it is of that kind

	Parameters []Parameter // of a function, in order; nil for a constant
	Result     string      // TypeScript: of a function what it returns, of a constant its type
	Called     string      // when a function is
	Doc        string      // what its result, or a constant, means; may be empty for a function
}

// Parameter is a parameter of a function that the host calls.
type Parameter struct {
	Name string
	Type string // TypeScript; a capital letter begins a type of namespace tm
}

// Constant reports whether the export is no function.
func (e Export) Constant() bool { return e.Parameters == nil }

// Names returns the name and the aliases, the name first.
func (e Export) Names() []string { return append([]string{e.Name}, e.Aliases...) }

// Signature returns how the export looks in a script: "map(id, dims, ping, ctx)",
// or the name of a constant.
func (e Export) Signature() string {
	if e.Constant() {
		return e.Name
	}

	var parameters []string
	for _, parameter := range e.Parameters {
		parameters = append(parameters, parameter.Name)
	}

	return e.Name + "(" + strings.Join(parameters, ", ") + ")"
}

// description says when a function is called and what its result means.
func (e Export) description() string {
	if e.Called == "" {
		return e.Doc
	}
	return strings.TrimSpace("Called " + e.Called + ". " + e.Doc)
}

// Position returns the index of the parameter of that name, -1 if it has none.
func (e Export) Position(parameter string) int {
	return slices.IndexFunc(e.Parameters, func(p Parameter) bool { return p.Name == parameter })
}

// Exports returns everything that a script may export for the host.
func Exports() []Export { return slices.Clone(exports) }

// Find returns the export with that name or alias; ok is false if it is not declared.
func Find(name string) (export Export, ok bool) {
	for _, export := range exports {
		if export.Name == name || slices.Contains(export.Aliases, name) {
			return export, true
		}
	}
	return Export{}, false
}

// Names returns the name and the aliases of an export, nil if it is not declared.
func Names(export string) []string {
	found, ok := Find(export)
	if !ok {
		return nil
	}
	return found.Names()
}

// Making returns the exports that make a script one of that kind.
func Making(kind Kind) (names []string) {
	for _, export := range exports {
		if export.Makes && export.Of == kind {
			names = append(names, export.Name)
		}
	}
	return names
}

// object is an interface or a module of what scripts see.
type object struct {
	name    string
	extends string // TypeScript
	doc     string
	members []member
}

// member is a method, a property or an exported function.
type member struct {
	name       string
	aliases    []string // the predecessor's spelling
	typ        string   // TypeScript, after the name: "(key: Key): void", ": string"
	doc        string
	example    string
	ofDocument bool // the ping's JSON has it, not the host
}

// method reports whether the member is a function; a generic one begins with "<".
func (m member) method() bool { return m.typ[0] == '(' || m.typ[0] == '<' }

func (m member) names() []string { return append([]string{m.name}, m.aliases...) }

// Members returns the names, with the aliases, that the host gives an object or a
// module; not those of the object that it extends.
func Members(of string) (names []string) {
	for _, m := range members(of) {
		if !m.ofDocument {
			names = append(names, m.names()...)
		}
	}
	return names
}

// MemberNames returns the name and the aliases of one of the members of an object.
func MemberNames(of, name string) []string {
	for _, m := range members(of) {
		if m.name == name {
			return m.names()
		}
	}
	return nil
}

// Methods returns those of Members that are functions.
func Methods(of string) (names []string) {
	for _, m := range members(of) {
		if m.method() {
			names = append(names, m.names()...)
		}
	}
	return names
}

func members(of string) []member {
	for _, o := range slices.Concat(objects, modules) {
		if o.name == of {
			return o.members
		}
	}
	return nil
}

// ContextMembers returns what a ctx has in any phase.
func ContextMembers() []string { return append(Members(Context), Members(ReduceContext)...) }

// Modules returns the names that scripts may import, sorted.
func Modules() (names []string) {
	for _, m := range modules {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}
