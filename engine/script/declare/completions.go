package declare

import "github.com/aitgithub/telemetry-server/layout/schema"

// Completion is a word that an editor offers.
type Completion struct {
	Name string `json:"name"`
	Text string `json:"text"` // what is written, if it is more than the name
	Type string `json:"type"` // TypeScript, after the name
	Doc  string `json:"doc"`
}

// CompletionSet is what an editor offers in a script.
type CompletionSet struct {
	// Exports are what a script may export, as it is written behind "export".
	Exports []Completion `json:"exports"`
	// Objects has the members of ctx, ping and dims.
	Objects map[string][]Completion `json:"objects"`
	// Modules has what can be imported, by the name of the module.
	Modules map[string][]Completion `json:"modules"`
}

// Completions returns what an editor offers, from the same declarations as types.d.ts.
func Completions() CompletionSet {
	set := CompletionSet{Objects: map[string][]Completion{}, Modules: map[string][]Completion{}}
	for _, export := range exports {
		text := "const " + export.Name + " = "
		if !export.Constant() {
			text = "function " + export.Signature() + " {}"
		}
		set.Exports = append(set.Exports, Completion{export.Name, text, export.Result, export.description()})
	}

	set.Objects["ctx"] = append(completions(members(Context)), completions(members(ReduceContext))...)
	set.Objects["ping"] = completions(members(Ping))
	for _, name := range schema.DimNames {
		set.Objects["dims"] = append(set.Objects["dims"], Completion{Name: name, Type: ": string"})
	}
	for _, module := range modules {
		set.Modules[module.name] = completions(module.members)
	}
	return set
}

func completions(of []member) (all []Completion) {
	for _, m := range of {
		all = append(all, Completion{Name: m.name, Type: m.typ, Doc: m.doc})
	}
	return all
}
