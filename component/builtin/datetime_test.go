package builtin

import (
	"testing"
	"testing/synctest"
)

func TestDateTime(t *testing.T) {
	d := func(v any, more ...any) map[string]any { return in(append([]any{"dateTimeInput", v}, more...)...) }
	synctest.Test(t, func(t *testing.T) {
		try(t, "datetime", []row{
			{"adjustDateTime", d("2026-01-31T12:00:00Z", "daysInput", "7", "hoursInput", "-12", "minutesInput", "",
				"secondsInput", "1.5"), "2026-02-07T00:00:01.500Z", ""},
			{"adjustDateTime", d("never"), nil, `dateTimeInput: "never" is no date`},
			{"adjustDateTime", d("2026-01-01", "daysInput", "1e6"), nil, "250 years"},
			{"convertToISOString", d("2026-01-01T12:00:00+02:00"), "2026-01-01T10:00:00.000Z", ""},
			{"convertToISOString", d(0.5), "1970-01-01T00:00:00.500Z", ""},
			{"convertToLocalISOString", d("2026-07-01T12:00:00Z", "timezoneInput", "Europe/Berlin"),
				"2026-07-01T14:00:00.000+02:00", ""},
			{"convertToLocalISOString", d("2026-07-01", "timezoneInput", "Middle/Earth"), nil,
				"timezoneInput: there is no time zone"},
			{"convertToEpoch", d("1970-01-01T00:00:01.5Z"), 1500.0, ""},
			{"convertToEpoch", d("1970-01-01T00:00:01.5Z", "displayEpochInSeconds", "true"), 1.0, ""},
			{"convertFromEpoch", in("epochInput", "1500"), "1970-01-01T00:00:01.500Z", ""},
			{"convertFromEpoch", in("epochInput", 2.0, "epochInSeconds", true), "1970-01-01T00:00:02.000Z", ""},
			{"convertFromEpoch", in("epochInput", 1e11, "epochInSeconds", true), "5138-11-16T09:46:40.000Z", ""},
			{"convertFromEpoch", in("epochInput", 1e300), nil, "epochInput"},
			{"formatDateTime", d("2026-01-02T15:04:05.006Z", "timezoneInput", "etc/UTC"),
				"2026-01-02T15:04:05.006+00:00", ""},
			{"formatDateTime", d("2026-01-02T15:04:05Z", "formatInput", "DD.MM.YYYY hh:mm A, ok"),
				"02.01.2026 03:04 PM, ok", ""},
			{"formatDateTime",
				d("2026-01-02T15:04:05Z", "formatInput", "dddd, MMMM D, YY [at] h:m a; ddd d/M H:s yyyy-MM-dd"),
				"Friday, January 2, 26 at 3:4 pm; Fri d/1 15:5 2026-01-02", ""},
			{"getCurrentDateTime", nil, "2000-01-01T00:00:00.000Z", ""},
			{"getCurrentDateTime", in("displayEpochInSeconds", "true"), 946684800.0, ""},
		})
	})
}
