package cli

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// manual is the hidden command that prints the program's manual page. Packages for
// Debian contain the page, so it is made from the grammar and never written by hand.
type manual struct{}

func (manual) Help() string {
	return `Prints the manual page in the format of man(7), from the same texts as --help.

EXIT STATUS: 0 done.`
}

func (manual) Run(kctx *kong.Context, st *State) error {
	_, err := io.WriteString(st.Stdout, manualPage(kctx.Model))
	return err
}

// manualPage returns the page of section 1 for a program. The same program gives the
// same bytes: there is no date in it.
func manualPage(app *kong.Application) string {
	var page strings.Builder
	name := roffText(app.Name)
	fmt.Fprintf(&page, ".TH %s 1 \"\" \"%s\" \"User Commands\"\n", strings.ToUpper(name), roffText(Version()))
	fmt.Fprintf(&page, ".SH NAME\n%s \\- %s\n", name, roffText(strings.TrimSuffix(app.Help, ".")))
	fmt.Fprintf(&page, ".SH SYNOPSIS\n.B %s\n.I command\n[flags]\n", name)

	page.WriteString(".SH OPTIONS\n")
	roffFlags(&page, app.Flags)

	// A section for each command that can be run, in the order of --help.
	page.WriteString(".SH COMMANDS\n")
	for _, command := range app.Leaves(true) {
		fmt.Fprintf(&page, ".SS \"%s\"\n%s\n", roffText(command.Summary()), roffText(command.Help))
		roffDetail(&page, command.Detail)
		roffArguments(&page, command.Positional)
		roffFlags(&page, command.Flags)
	}

	page.WriteString(".SH EXIT STATUS\n")
	for _, row := range exitCodes {
		fmt.Fprintf(&page, ".TP\n.B %d\n%s\n", row.code, roffText(row.meaning))
	}
	return page.String()
}

// exitCodes is the table that README has too.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{ExitOK, "done"},
	{ExitFailed, "failed"},
	{ExitUsage, "usage or configuration"},
	{ExitRejected, "done, but some input was rejected"},
	{ExitCorrupt, "corrupt data"},
	{ExitScript, "error in a script"},
	{ExitLimit, "a limit was hit"},
	{ExitInterrupted, "interrupted"},
}

// roffDetail writes the long help of a command: paragraphs, and indented lines as they
// are.
func roffDetail(page *strings.Builder, text string) {
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		page.WriteString(".PP\n")
		asIs := false
		for line := range strings.SplitSeq(paragraph, "\n") {
			indented := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
			if indented != asIs {
				page.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			}
			asIs = indented
			page.WriteString(roffText(line) + "\n")
		}

		if asIs {
			page.WriteString(".fi\n")
		}
	}
}

func roffArguments(page *strings.Builder, arguments []*kong.Positional) {
	for _, argument := range arguments {
		fmt.Fprintf(page, ".TP\n.I %s\n%s\n", roffText(argument.Summary()), roffText(helpText(argument)))
	}
}

func roffFlags(page *strings.Builder, flags []*kong.Flag) {
	for _, flag := range flags {
		if flag.Hidden {
			continue
		}

		spelled := flag.String()
		page.WriteString(".TP\n.B \"" + roffText(spelled) + "\"\n" + roffText(helpText(flag.Value)) + "\n")
	}
}

// roffSpecial is what man(7) would take for something else than text.
var roffSpecial = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `"`, `\(dq`)

// roffControl is how a line begins that man(7) takes for a request.
var roffControl = regexp.MustCompile(`(?m)^([.'])`)

// roffText escapes text.
func roffText(text string) string {
	return roffControl.ReplaceAllString(roffSpecial.Replace(text), `\&$1`)
}
