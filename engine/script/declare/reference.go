package declare

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Reference returns the tables of docs/scripts.md by their names there.
func Reference() map[string]string {
	return map[string]string{
		"functions": exportTable(Job),
		"filters":   exportTable(Filter),
		"ping":      memberTable(Ping, "ping", "ping.") + "\n" + memberTable(BoundHistogram, "ping.histogram(name)", ""),
		"ctx":       contextTable(),
		"modules":   moduleTable(),
		"tables":    memberTable(Table, "table", "table.") + "\n" + memberTable(TableOptions, "options", ""),
	}
}

// exportTable lists what scripts of a kind may export.
func exportTable(kind Kind) string {
	var table strings.Builder
	table.WriteString("| export | what |\n| --- | --- |\n")
	for _, export := range exports {
		if export.Of != kind {
			continue
		}
		fmt.Fprintf(&table, "| `%s`%s | %s |\n", export.Signature(), inParentheses(export.Aliases), export.description())
	}

	return table.String()
}

// contextTable lists the members of ctx, with the functions that see them.
func contextTable() string {
	var table strings.Builder
	table.WriteString("| member of `ctx` | where | what |\n| --- | --- | --- |\n")
	for _, context := range objects {
		where := contextFunctions(context.name)
		if where == "" {
			continue
		}
		for _, m := range context.members {
			fmt.Fprintf(&table, "| %s | %s | %s |\n", m.markdown("ctx."), where, m.doc)
		}
	}

	return table.String()
}

// memberTable lists what the host gives an object that scripts know by the title.
func memberTable(of, title, prefix string) string {
	var table strings.Builder
	fmt.Fprintf(&table, "| member of `%s` | what |\n| --- | --- |\n", title)
	for _, m := range members(of) {
		if !m.ofDocument {
			fmt.Fprintf(&table, "| %s | %s |\n", m.markdown(prefix), m.doc)
		}
	}

	return table.String()
}

// contextFunctions names the functions whose ctx has the members of an
// interface: "everywhere" for the one that the others extend, "" for an
// interface that is no ctx.
func contextFunctions(of string) string {
	if of == Context {
		return "everywhere"
	}

	var functions []string
	// A function sees the members of the interface that its ctx is of.
	for _, export := range exports {
		if slices.Contains(export.Parameters, Parameter{"ctx", of}) {
			functions = append(functions, export.Name)
		}
	}

	return strings.Join(functions, ", ")
}

// moduleTable lists what can be imported.
func moduleTable() string {
	var table strings.Builder
	table.WriteString("| import | function | what |\n| --- | --- | --- |\n")
	for _, module := range modules {
		for _, m := range module.members {
			fmt.Fprintf(&table, "| `%s` | %s | %s |\n", module.name, m.markdown(""), m.doc)
		}
	}

	return table.String()
}

var (
	parameter  = regexp.MustCompile(`(\w+\??): [^,)]*`)
	resultType = regexp.MustCompile(`\)(: .*)?$`)
)

// markdown returns the member without types.
func (m member) markdown(object string) string {
	parameters := ""
	if m.method() {
		parameters = resultType.ReplaceAllString(parameter.ReplaceAllString(m.typ, "$1"), ")")
	}
	return fmt.Sprintf("`%s%s%s`%s", object, m.name, parameters, inParentheses(m.aliases))
}

// inParentheses returns " (`alias`)" for each alias.
func inParentheses(aliases []string) (text string) {
	for _, alias := range aliases {
		text += fmt.Sprintf(" (`%s`)", alias)
	}
	return text
}
