package measures

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Fields are what values are chosen and grouped by, beside the measure.
var Fields = []string{"reason", "application", "channel", "version", "build", "date", "os", "process", "key"}

// dimensionOf says which dimension a field is.
var dimensionOf = map[string]int{
	"reason": schema.Reason, "application": schema.AppName, "channel": schema.Channel,
	"version": schema.Version, "build": schema.BuildID, "date": schema.SubmissionDate,
}

// Query asks for the sums of one measure.
type Query struct {
	Measure string
	// Where has, by field, the values that are chosen; a field without any is not
	// restricted.
	Where map[string][]string
	// From and To are the first and the last submission date; "" is no bound.
	From, To string
	// By and Across are fields: there is a group for each pair of their values; "" is
	// none.
	By, Across string
}

// Result is the answer.
type Result struct {
	Measure string `json:"measure"`
	Kind    string `json:"kind"`
	// Groups come in the order of By, then of Across.
	Groups []Sum `json:"groups"`
	// Bounds has the lower bounds of the buckets of each bucketing that is not labels.
	Bounds map[string][]int `json:"bounds"`
	// Choices has, by field, the values in these dates, whatever Where chooses.
	Choices map[string][]Choice `json:"choices"`
	// LeftOut counts groups beyond maxSums.
	LeftOut int `json:"leftOut,omitempty"`
	// Anonymous says that pings name no client: they are not in the shares.
	Anonymous int64 `json:"anonymous,omitempty"`
}

// Choice is a value of a field.
type Choice struct {
	Value string `json:"value"`
	Pings uint64 `json:"pings"`
}

// Sum is the sum of one group and bucketing. Buckets without samples are left out.
type Sum struct {
	By        string    `json:"by"`
	Across    string    `json:"across"`
	Bucketing string    `json:"bucketing"`
	Pings     uint64    `json:"pings"`
	Clients   float64   `json:"clients"` // votes: of each client one a day and partition
	Sum       float64   `json:"sum"`
	Summed    float64   `json:"summed"` // samples of those that have a sum
	Buckets   []int     `json:"buckets,omitempty"`
	Labels    []string  `json:"labels,omitempty"` // instead of Buckets
	Counts    []float64 `json:"counts"`
	Shares    []float64 `json:"shares"` // of the clients

	dense  []float64
	votes  []uint64
	voters uint64
	labels map[string]int
}

// maxSums bounds the groups of a Result, and maxChoices the values of one field.
const (
	maxSums    = 3_000
	maxChoices = 500
)

// Validate checks the fields. The error says which one is wrong.
func (q *Query) Validate() error {
	for _, field := range []string{q.By, q.Across} {
		if field != "" && !slices.Contains(Fields, field) {
			return fmt.Errorf("%q is no field: there are %s", field, strings.Join(Fields, ", "))
		}
	}

	for field := range q.Where {
		if !slices.Contains(Fields, field) {
			return fmt.Errorf("%q is no field: there are %s", field, strings.Join(Fields, ", "))
		}
	}

	for _, date := range []string{q.From, q.To} {
		if date != "" && !schema.Date(date).WellFormed() {
			return fmt.Errorf("%q is no date such as 20260131", date)
		}
	}
	return nil
}

// Query returns the sums of a measure. It has no groups for one that is not there.
func (s *Store) Query(q Query) (*Result, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}

	s.files.RLock()
	defer s.files.RUnlock()

	result := &Result{Measure: q.Measure, Bounds: map[string][]int{}, Choices: map[string][]Choice{}, Groups: []Sum{}}
	a := answer{q: q, result: result, sums: map[[3]string]*Sum{}, choices: map[string]map[string]uint64{}}
	for _, field := range Fields {
		a.choices[field] = map[string]uint64{}
	}

	// Dates are compared as text, which is their order; the newest day's kind counts.
	for _, date := range slices.Sorted(maps.Keys(s.days)) {
		if date < q.From || q.To != "" && date > q.To {
			continue
		}

		day := s.days[date]
		block, err := day.block(s.data.Root(), q.Measure)
		for i := range block.Cells {
			err = errors.Join(err, a.add(day, &block, &block.Cells[i]))
		}

		if err != nil {
			return nil, fmt.Errorf("measures of %s: %w", date, err)
		}

		for _, m := range day.Measures {
			if m.Name == q.Measure {
				result.Kind = m.Kind
				result.Anonymous += day.Anonymous
			}
		}
	}

	a.finish()
	return result, nil
}

// answer is a Result in the making.
type answer struct {
	q       Query
	result  *Result
	sums    map[[3]string]*Sum
	choices map[string]map[string]uint64
}

// fieldOf returns a group's value of a field; "" for no field.
func fieldOf(field string, dims *schema.Dims, group *Group) string {
	switch field {
	case "":
		return ""
	case "os":
		return group.OS
	case "process":
		return group.Process
	case "key":
		return group.Key
	}
	return dims[dimensionOf[field]]
}

func (a *answer) add(day *Day, block *block, cell *storedCell) error {
	// Choices count what Where leaves out, too: they list what may be selected instead.
	dims := &day.Partitions[cell.Partition]
	selected := true
	for _, field := range Fields {
		has := fieldOf(field, dims, &cell.Group)
		a.choices[field][has] += cell.Pings
		if want := a.q.Where[field]; len(want) > 0 && !slices.Contains(want, has) {
			selected = false
		}
	}

	if !selected {
		return nil
	}

	key := [3]string{fieldOf(a.q.By, dims, &cell.Group), fieldOf(a.q.Across, dims, &cell.Group), cell.Group.Bucketing}
	sum := a.sums[key]
	if sum == nil {
		sum = &Sum{By: key[0], Across: key[1], Bucketing: key[2]}
		a.sums[key] = sum
	}

	if bounds := block.Bounds[key[2]]; cell.Labels == nil {
		a.result.Bounds[key[2]] = bounds
	}

	return sum.add(cell)
}

// add adds a cell of the same bucketing.
func (s *Sum) add(cell *storedCell) error {
	s.Pings += cell.Pings
	s.voters += cell.Votes
	s.Sum += cell.Sum
	s.Summed += cell.Samples
	if cell.Labels == nil && s.dense == nil {
		s.dense = make([]float64, cell.Buckets)
		s.votes = make([]uint64, cell.Buckets)
	}
	return cell.each(func(b bucket) {
		at := b.at
		if cell.Labels != nil {
			at = s.labelled(cell.Labels[at])
		}
		s.dense[at] += b.count
		s.votes[at] += b.share
	})
}

func (s *Sum) labelled(label string) int {
	at, ok := s.labels[label]
	if !ok {
		if s.labels == nil {
			s.labels = map[string]int{}
		}
		at = len(s.dense)
		s.labels[label] = at
		s.dense = append(s.dense, 0)
		s.votes = append(s.votes, 0)
		s.Labels = append(s.Labels, label)
	}
	return at
}

// finish brings everything into its order.
func (a *answer) finish() {
	// Of too many groups, those with the most pings stay.
	sums := slices.Collect(maps.Values(a.sums))
	if len(sums) > maxSums {
		// Maps have no order, and results must be the same each time.
		slices.SortFunc(sums, func(x, y *Sum) int { return cmp.Compare(y.Pings, x.Pings) })
		a.result.LeftOut = len(sums) - maxSums
		sums = sums[:maxSums]
	}
	slices.SortFunc(sums, func(x, y *Sum) int {
		return cmp.Or(cmp.Compare(x.By, y.By), cmp.Compare(x.Across, y.Across), cmp.Compare(x.Bucketing, y.Bucketing))
	})

	// Empty buckets are left out, labels are all there.
	for _, sum := range sums {
		sum.Clients = float64(sum.voters) / vote
		sum.Counts = []float64{}
		sum.Shares = []float64{}
		for i, count := range sum.dense {
			if count == 0 && sum.Labels == nil {
				continue
			}
			if sum.Labels == nil {
				sum.Buckets = append(sum.Buckets, i)
			}
			sum.Counts = append(sum.Counts, count)
			sum.Shares = append(sum.Shares, float64(sum.votes[i])/vote)
		}
		a.result.Groups = append(a.result.Groups, *sum)
	}

	// The most frequent values come first.
	for field, counted := range a.choices {
		list := []Choice{}
		for value, pings := range counted {
			list = append(list, Choice{value, pings})
		}
		slices.SortFunc(list, func(x, y Choice) int { return cmp.Or(cmp.Compare(y.Pings, x.Pings), cmp.Compare(x.Value, y.Value)) })
		a.result.Choices[field] = list[:min(len(list), maxChoices)]
	}
}
