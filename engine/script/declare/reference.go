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
	}
}

// exportTable lists what scripts of a kind may export.
func exportTable(kind Kind) string {
	var b strings.Builder
	b.WriteString("| export | what |\n| --- | --- |\n")
	for _, e := range exports {
		if e.Of != kind {
			continue
		}
		fmt.Fprintf(&b, "| `%s`%s | %s |\n", e.Signature(), inParentheses(e.Aliases), e.description())
	}

	return b.String()
}

// contextTable lists the members of ctx, with the functions that see them.
func contextTable() string {
	var b strings.Builder
	b.WriteString("| member of `ctx` | where | what |\n| --- | --- | --- |\n")
	for _, o := range objects {
		where := contextFunctions(o.name)
		if where == "" {
			continue
		}
		for _, m := range o.members {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", m.markdown("ctx."), where, m.doc)
		}
	}

	return b.String()
}

// memberTable lists what the host gives an object that scripts know by the title.
func memberTable(of, title, prefix string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| member of `%s` | what |\n| --- | --- |\n", title)
	for _, m := range members(of) {
		if !m.ofDocument {
			fmt.Fprintf(&b, "| %s | %s |\n", m.markdown(prefix), m.doc)
		}
	}

	return b.String()
}

// contextFunctions names the functions whose ctx has the members of an
// interface: "everywhere" for the one that the others extend, "" for an
// interface that is no ctx.
func contextFunctions(of string) string {
	if of == Context {
		return "everywhere"
	}

	var functions []string
	for _, e := range exports {
		if slices.Contains(e.Parameters, Parameter{"ctx", of}) {
			functions = append(functions, e.Name)
		}
	}

	return strings.Join(functions, ", ")
}

// moduleTable lists what can be imported.
func moduleTable() string {
	var b strings.Builder
	b.WriteString("| import | function | what |\n| --- | --- | --- |\n")
	for _, o := range modules {
		for _, m := range o.members {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.name, m.markdown(""), m.doc)
		}
	}

	return b.String()
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
