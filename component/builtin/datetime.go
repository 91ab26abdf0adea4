package builtin

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// The keys of actions and inputs that occur in definitions are as there; others follow the labels in the same
// manner.
func init() {
	register(component.Component{
		Key: "datetime", Label: "Date/time", Category: "Data",
		Description: "Works with dates and times: ISO 8601 text, in UTC if it names no zone, or a number of seconds since 1970, from 100000000000 on of milliseconds.",
		Actions: []component.Action{
			component.NewAction("adjustDateTime", "Adjust date/time",
				"Moves a date by seconds, minutes, hours and days, which may be negative. The result is ISO text in UTC; a day has 24 hours.", pure(adjustDateTime)),
			component.NewAction("convertToISOString", "Convert date/time to ISO string",
				"Gives ISO text in UTC of a date.", pure(func(budget *value.Budget, in zonedInputs) (any, error) {
					at, err := in.time(budget)
					return at.UTC().Format(isoMillis), err
				})),
			component.NewAction("convertToLocalISOString", "Convert date/time to local ISO string",
				"Gives ISO text of a date in a time zone, with its offset.",
				pure(func(budget *value.Budget, in zonedInputs) (any, error) {
					at, err := in.time(budget)
					return at.Format("2006-01-02T15:04:05.000Z07:00"), err
				})),
			component.NewAction("convertToEpoch", "Convert date to epoch",
				"Gives the milliseconds, or seconds, from 1970 to a date.",
				pure(func(budget *value.Budget, in epochInputs) (any, error) {
					at, err := timeOf("dateTimeInput", unquoted(budget, in.DateTime))
					return epoch(at, in.Seconds), err
				})),
			component.NewAction("convertFromEpoch", "Convert epoch timestamp to date",
				"Gives ISO text in UTC of milliseconds, or seconds, since 1970.", pure(convertFromEpoch)),
			component.NewAction("formatDateTime", "Format date/time",
				"Writes a date by a pattern: YYYY or YY year, MM or M month, MMMM or MMM its English name, DD or D day, dddd or ddd weekday, HH or H hour to 24, hh or h hour to 12, A or a AM or PM, mm or m minute, ss or s second, SSS milliseconds, Z offset; what is in [brackets], and all else, as it is.", pure(formatDateTime)),
			component.NewAction("getCurrentDateTime", "Get current date/time",
				"Gives the time as ISO text in UTC, or the seconds since 1970.", getCurrentDateTime),
		},
	})
}

type adjustInputs struct {
	DateTime any     `key:"dateTimeInput" label:"Date/time" required:"true" doc:"The date."`
	Seconds  float64 `key:"secondsInput" label:"Seconds" default:"0" doc:"Seconds to add."`
	Minutes  float64 `key:"minutesInput" label:"Minutes" default:"0" doc:"Minutes to add."`
	Hours    float64 `key:"hoursInput" label:"Hours" default:"0" doc:"Hours to add."`
	Days     float64 `key:"daysInput" label:"Days" default:"0" doc:"Days to add."`
}

type zonedInputs struct {
	DateTime any    `key:"dateTimeInput" label:"Date/time" required:"true" doc:"The date."`
	Zone     string `key:"timezoneInput" label:"Time zone" default:"UTC" doc:"An IANA time zone, such as Europe/Berlin."`
}

type formatInputs struct {
	zonedInputs
	Format string `key:"formatInput" label:"Format" default:"YYYY-MM-DDTHH:mm:ss.SSSZ" doc:"The pattern."`
}

type epochInputs struct {
	DateTime any  `key:"dateTimeInput" label:"Date/time" required:"true" doc:"The date."`
	Seconds  bool `key:"displayEpochInSeconds" label:"Display epoch in seconds" default:"false" doc:"Give seconds instead of milliseconds."`
}

type fromEpochInputs struct {
	Epoch   float64 `key:"epochInput" label:"Epoch timestamp" required:"true" doc:"Milliseconds, or seconds, since 1970."`
	Seconds bool    `key:"epochInSeconds" label:"Epoch timestamp in seconds" default:"false" doc:"Whether it is in seconds."`
}

type currentInputs struct {
	Seconds bool `key:"displayEpochInSeconds" label:"Display epoch in seconds" default:"false" doc:"Give the seconds since 1970 instead."`
}

func (in zonedInputs) time(budget *value.Budget) (time.Time, error) {
	at, err := timeOf("dateTimeInput", unquoted(budget, in.DateTime))
	if err != nil {
		return at, err
	}
	name := in.Zone
	if strings.EqualFold(name, "etc/UTC") || strings.EqualFold(name, "local") { // the server's own zone is not exposed
		name = "UTC"
	}
	zone, err := time.UTC, error(nil)
	if name != "UTC" {
		zone, err = time.LoadLocation(name[:min(len(name), longestTime)]) // no zone's name is longer
	}
	if err != nil {
		return at, refusal.ForField(refusal.Invalid, "timezoneInput", "there is no time zone %q", excerpt(in.Zone, 40))
	}
	return at.In(zone), nil
}

func adjustDateTime(budget *value.Budget, in adjustInputs) (any, error) {
	at, err := timeOf("dateTimeInput", unquoted(budget, in.DateTime))
	if err != nil {
		return nil, err
	}
	seconds := in.Seconds + 60*(in.Minutes+60*(in.Hours+24*in.Days))
	if math.Abs(seconds) > 8e9 { // about 250 years, the range of a duration
		return nil, refusal.ForField(refusal.Invalid, "daysInput", "a date can be moved by 250 years at most")
	}
	return at.Add(time.Duration(seconds * float64(time.Second))).Format(isoMillis), nil
}

func epoch(at time.Time, seconds bool) any {
	if seconds {
		return float64(at.Unix())
	}
	return float64(at.UnixMilli())
}

func convertFromEpoch(_ *value.Budget, in fromEpochInputs) (any, error) {
	seconds := in.Epoch
	if !in.Seconds {
		seconds /= 1000
	}
	at, err := sinceEpoch("epochInput", seconds)
	return at.Format(isoMillis), err
}

func formatDateTime(budget *value.Budget, in formatInputs) (any, error) {
	if len(in.Format) > longestPattern {
		return nil, refusal.ForField(refusal.Invalid, "formatInput",
			"Format may have %d bytes, not %d", longestPattern, len(in.Format))
	}
	at, err := in.time(budget)
	if err != nil {
		return nil, err
	}
	return datePattern.ReplaceAllStringFunc(in.Format, func(word string) string {
		switch word {
		case "SSS":
			return at.Format(".000")[1:]
		case "H":
			return strconv.Itoa(at.Hour())
		}
		if layout, known := dateLayouts[word]; known {
			return at.Format(layout)
		}
		return word[1 : len(word)-1] // in brackets
	}), nil
}

// longestPattern is far more than a date needs.
const longestPattern = 1000

// datePattern matches the words of a pattern. Of words with a common beginning, the longer ones come first.
var datePattern = regexp.MustCompile(
	`\[[^\]]*\]|YYYY|yyyy|YY|yy|MMMM|MMM|MM|M|DD|dddd|ddd|dd|D|HH|H|hh|h|mm|m|ss|SSS|s|A|a|Z`)

var dateLayouts = map[string]string{
	"YYYY": "2006", "yyyy": "2006", "YY": "06", "yy": "06", "MMMM": "January", "MMM": "Jan", "MM": "01", "M": "1",
	"DD": "02", "dd": "02", "D": "2", "dddd": "Monday", "ddd": "Mon", "HH": "15", "hh": "03", "h": "3", "mm": "04",
	"m": "4", "ss": "05", "s": "5", "A": "PM", "a": "pm", "Z": "-07:00",
}

func getCurrentDateTime(_ context.Context, _ component.Step, in currentInputs) (component.Result, error) {
	if in.Seconds {
		return component.Result{Data: epoch(time.Now(), true)}, nil
	}
	return component.Result{Data: time.Now().UTC().Format(isoMillis)}, nil
}
