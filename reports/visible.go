package reports

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible writes the control characters of a text, and bytes that are no UTF-8, as \x00:
// keys are bytes, and neither terminals nor browsers show these. Line ends and tabs stay.
func Visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, invisible) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1, invisible(r) && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case invisible(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func invisible(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
