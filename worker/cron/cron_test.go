package cron

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// Random schedules, most of them close to changes of clocks, as npm croner has them: testdata/cron
// holds the program that asked it.
func TestScheduleAsCroner(t *testing.T) {
	text, err := os.ReadFile("testdata/cron/croner.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Cron, Zone string
		From       int64
		Next       []int64
	}
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) < 1000 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		s, err := Parse(c.Cron, c.Zone)
		if err != nil {
			t.Errorf("%s: %v", c.Cron, err)
			continue
		}
		at := time.Unix(c.From, 0)
		for i, want := range c.Next {
			next := s.Next(at)
			if next.Unix() != want {
				t.Errorf("%q in %s: time %d after %s is %s, want %s", c.Cron, c.Zone, i, at.In(s.zone), next.In(s.zone),
					time.Unix(want, 0).In(s.zone))
				break
			}
			at = next
		}
	}
}

func TestScheduleRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"": "five fields", "* * * *": "five fields", "* * * * * *": "five fields", "60 * * * *": "can't be read",
		"* 24 * * *": "can't be read",
		"* * 0 * *":  "can't be read", "* * * 13 *": "can't be read", "* * * * 8": "can't be read",
		"x * * * *":   "can't be read",
		"*/0 * * * *": "can't be read", "* * * * x-7/2": "can't be read", "@daily": "five fields",
	} {
		if _, err := Parse(expression, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v", expression, err)
		}
	}
	for _, zone := range []string{"Mars/Olympus", "Local", "../etc"} {
		if _, err := Parse("* * * * *", zone); err == nil || !strings.Contains(err.Error(), "no time zone") {
			t.Errorf("zone %q gives %v", zone, err)
		}
	}
	s, err := Parse("0 0 30 2 *", "")
	if err != nil || !s.Next(time.Now()).IsZero() {
		t.Errorf("the 30th of February comes %s, %v", s.Next(time.Now()), err)
	}
}

func TestScheduleSundays(t *testing.T) {
	for field, want := range map[string]string{"7": "0", "5-7": "5-6,0", "0,7": "0,0", "1-7/3": "0,1,4",
		"1-7/2": "0,1,3,5", "7-7": "0", "MON-FRI": "MON-FRI", "*/7": "*/7"} {
		if got := sundays(field); got != want {
			t.Errorf("%s becomes %s, want %s", field, got, want)
		}
	}
}

// What reads as a schedule has times that come one after another, each on its minute, or none.
func FuzzSchedule(f *testing.F) {
	for _, cron := range []string{"* * * * *", "0 2,14 * * 1-7/2", "*/5 0-23 L * *", "61 * * * *", "0 25 * * *",
		"@daily", "0 0 31 2 *", "1-99999999999999999999 * * * *", "*/0 * * * *"} {
		for _, zone := range []string{"", "Europe/Berlin", "../etc/passwd", "Local"} {
			f.Add(cron, zone, int64(1_700_000_000))
		}
	}
	f.Fuzz(func(t *testing.T, cron, zone string, from int64) {
		if len(cron) > 200 {
			return
		}
		s, err := Parse(cron, zone)
		if err != nil {
			return
		}
		at := time.Unix(from%4_000_000_000, 0)
		for range 3 {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) || next.Nanosecond() != 0 {
				t.Fatalf("%q in %q: after %s comes %s", cron, zone, at, next)
			}
			at = next
		}
	})
}
