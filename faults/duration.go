package faults

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that stands as text in plans and scenario files:
// "1.5s", "800ms".
type Duration time.Duration

// String is the shortest text that ParseDuration understands.
func (d Duration) String() string { return FormatDuration(time.Duration(d)) }

// MarshalText makes a Duration a string in TOML.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// FormatDuration prints a duration in ASCII and without trailing zero units:
// 1m, 20us.
func FormatDuration(d time.Duration) string {
	text := strings.Replace(d.String(), "µs", "us", 1)
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// ParseDuration is time.ParseDuration with an error that names the remedy.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("invalid duration %q: write a number and a unit, such as 1.5s, 800ms, 20us", text)
	}
	return d, nil
}
