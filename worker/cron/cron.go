// Package cron computes when a schedule is due: cron fields on the clock of a time zone, whose changes it knows.
package cron

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"heddle/domain/refusal"
)

// Schedule is a set of due times: five cron fields on the clock of a time zone.
//
// When that clock is changed, it behaves as Vixie cron does. A job with one fixed minute and hour runs
// once a day: at the first of two such times, and at the end of a gap that swallows its time, on the
// same day. A job with several (a list, range, step or star) runs at both of two such times, and not
// in a gap.
type Schedule struct {
	fields *cron.SpecSchedule // on a clock without changes
	zone   *time.Location
	fixed  bool
}

var cronFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// Parse reads cron fields, with names of months and days, 0 and 7 for Sunday, and leading
// zeros. An empty zone is UTC.
func Parse(expression, zone string) (Schedule, error) {
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return Schedule{}, refusal.New(refusal.Invalid,
			"the schedule %q has not the five fields minute, hour, day of month, month and day of week", expression)
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Schedule{}, refusal.New(refusal.Invalid,
			"there is no time zone %q; give an IANA name such as Europe/Berlin", zone)
	}
	fields[4] = sundays(fields[4])
	parsed, err := cronFields.Parse(strings.Join(fields, " "))
	if err != nil {
		return Schedule{}, refusal.New(refusal.Invalid, "the schedule %q can't be read: %v", expression, err)
	}
	spec := parsed.(*cron.SpecSchedule)
	spec.Location = time.UTC
	return Schedule{fields: spec, zone: location, fixed: single(fields[0]) && single(fields[1])}, nil
}

func single(field string) bool {
	_, err := strconv.Atoi(field)
	return err == nil
}

// sundays writes 0 for the common 7, which the parser does not accept: 5-7 becomes 5-6,0.
func sundays(field string) string {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		span, step, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		switch {
		case span == "7":
			parts[i] = "0"
		case ranged && to == "7" && !stepped:
			parts[i] = from + "-6,0"
			if from == "7" {
				parts[i] = "0"
			}
		case ranged && to == "7":
			parts[i] = stepsTo7(from, step, part)
		}
	}
	return strings.Join(parts, ",")
}

func stepsTo7(from, step, part string) string {
	first, err := strconv.Atoi(from)
	by, err2 := strconv.Atoi(step)
	if err != nil || err2 != nil || by < 1 || first < 0 {
		return part // the parser says what is wrong
	}
	var days []string
	for day := first; day <= 7; day += by {
		days = append(days, strconv.Itoa(day%7))
	}
	slices.Sort(days)
	return strings.Join(slices.Compact(days), ",")
}

// Next returns the first time after t at which the flow is due, zero if there is none within five years.
func (s Schedule) Next(t time.Time) time.Time {
	at := t.In(s.zone)
	wall := wallOf(at)
	for {
		_, offset := at.Zone()
		begin, end := at.ZoneBounds()
		due := s.fields.Next(wall)
		if due.IsZero() {
			return time.Time{}
		}
		instant := due.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || instant.Before(end) {
			if !s.fixed || !repeated(due, begin) {
				return instant
			}
			wall = due // its first time was before the clock was put back
			continue
		}
		if after := wallOf(end.In(s.zone)); s.fixed && due.Before(after) && due.YearDay() == after.YearDay() &&
			end.After(t) {
			return end
		}
		at = end.In(s.zone)
		wall = wallOf(at).Add(-time.Second)
	}
}

// wallOf returns the time that the clock shows, as if it were UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// repeated reports whether a clock that was put back at begin had shown a time before.
func repeated(wall, begin time.Time) bool {
	if begin.IsZero() {
		return false
	}
	before := begin.Add(-time.Second)
	return wall.Before(wallOf(before.In(begin.Location())).Add(time.Second))
}
