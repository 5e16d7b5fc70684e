package pattern

import (
	"fmt"
	"slices"
	"unicode/utf16"
)

// maxNesting bounds the groups and classes that stand inside each other, because
// libregexp's compiler calls itself for each and would use up the stack.
const maxNesting = 1000

// branch is one alternative of a group.
type branch struct{ group, alternative int }

// groupScanner walks over the groups of a pattern. It looks for two things that
// libregexp does not see: groups nested so deep that its compiler would use up the
// stack, and a name that two groups have which can both take part in a match.
type groupScanner struct {
	source []uint16
	sets   bool // the flag v: classes may stand in classes

	open    []branch // the alternatives that the scanner is in, outermost first
	groups  int
	classes int                   // classes that the scanner is in
	named   map[string][][]branch // where each name stands
}

// checkGroups returns an error that wraps ErrSyntax for a pattern whose groups nest
// too deep or have the same name twice in one alternative.
func checkGroups(source []uint16, sets bool) error {
	s := groupScanner{source: source, sets: sets, open: []branch{{}}, named: map[string][][]branch{}}

	// One walk over the pattern. What is wrong with it otherwise libregexp says.
	for i := 0; i < len(source); i++ {
		switch unit := source[i]; {
		case unit == '\\':
			i++
		case s.classes > 0:
			s.inClass(unit)
		case unit == '[':
			s.classes = 1
		case unit == '(':
			s.groups++
			if err := s.checkName(i); err != nil {
				return err
			}
			s.open = append(s.open, branch{group: s.groups})
		case unit == ')' && len(s.open) > 1:
			s.open = s.open[:len(s.open)-1]
		case unit == '|':
			s.open[len(s.open)-1].alternative++
		}

		if len(s.open)+s.classes > maxNesting {
			return fmt.Errorf("%w: more than %d groups inside each other", ErrSyntax, maxNesting)
		}
	}

	return nil
}

// inClass counts the classes that begin and end in a class.
func (s *groupScanner) inClass(unit uint16) {
	switch {
	case unit == ']':
		s.classes--
	case unit == '[' && s.sets:
		s.classes++
	}
}

// checkName looks whether the group at source[at] has a name that another group has
// already, other than in a different alternative of a common group.
func (s *groupScanner) checkName(at int) error {
	rest := s.source[at:]
	if len(rest) < 4 || rest[1] != '?' || rest[2] != '<' || rest[3] == '=' || rest[3] == '!' {
		return nil
	}
	end := slices.Index(rest, '>')
	if end < 0 {
		return nil // libregexp will say so
	}

	// The name may stand again where only one of the two groups can match.
	name := string(utf16.Decode(rest[3:end]))
	for _, other := range s.named[name] {
		if !exclusive(other, s.open) {
			return fmt.Errorf("%w: two groups with the name %s", ErrSyntax, name)
		}
	}
	s.named[name] = append(s.named[name], slices.Clone(s.open))

	return nil
}

// exclusive says whether only one of two places can take part in a match: they are
// in different alternatives of one group.
func exclusive(a, b []branch) bool {
	for i := range min(len(a), len(b)) {
		if a[i].group != b[i].group {
			return false
		}
		if a[i].alternative != b[i].alternative {
			return true
		}
	}

	return false
}
