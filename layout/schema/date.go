package schema

import (
	"fmt"
	"strings"
	"time"
)

// dateForm is the form of a Date for package time.
const dateForm = "20060102"

// Date is a submission date, YYYYMMDD, in UTC. Dates compare as strings. The
// zero value is no date.
type Date string

const (
	// NoDate stands for a clock that could not be read: a date in paths, but no day of
	// the calendar.
	NoDate Date = "00000000"
	// FirstDate is the first well-formed date that is not NoDate.
	FirstDate Date = "00000101"
)

// DateOf returns the date of t in UTC. A time whose year does not have four
// digits gives a Date that is not WellFormed.
func DateOf(t time.Time) Date { return Date(t.UTC().Format(dateForm)) }

// ParseDate reads YYYYMMDD, which must be a day of the calendar.
func ParseDate(text string) (Date, error) {
	if _, err := time.Parse(dateForm, text); err != nil {
		return "", fmt.Errorf("date %q: want YYYYMMDD", text)
	}

	return Date(text), nil
}

// WellFormed says whether d has eight digits, as dates in paths must. It need not
// be a day of the calendar, see NoDate.
func (d Date) WellFormed() bool {
	return len(d) == len(dateForm) && strings.Trim(string(d), "0123456789") == ""
}

// Time returns the date's first moment in UTC, or an error if d is not a day of
// the calendar.
func (d Date) Time() (time.Time, error) { return time.Parse(dateForm, string(d)) }

// AddDays returns the date that many days later; earlier if days is negative. A
// date that is not a day of the calendar is returned as it is.
func (d Date) AddDays(days int) Date {
	start, err := d.Time()
	if err != nil {
		return d
	}

	return DateOf(start.AddDate(0, 0, days))
}
