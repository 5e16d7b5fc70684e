// Package lint finds what is wrong with a script before it runs. In goes its
// text; out come findings in the order of the source.
//
//  1. The script is compiled, and its top level runs: errors of these are the only
//     finding.
//  2. It must be a filter that can be read, or have a map.
//  3. The syntax tree of the script alone is walked. The checker follows which
//     function the walk is in, how that calls its ctx and dims, and which names are
//     local; it shows every node to each of the checks.
//
// To add a check: write a method and name it in checks; then add a script that it
// finds something in to TestCheck, which fails if a check has found nothing, and
// run TestShippedScriptsAreClean.
package lint
