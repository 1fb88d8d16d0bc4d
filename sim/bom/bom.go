// Package bom knows the mark with which some editors begin a text, and which is no part of it.
// Whoever reads TOML skips it: the format has no place for it.
package bom

import "strings"

// mark is U+FEFF, the byte order mark, in UTF-8.
const mark = "\ufeff"

// Skip returns a text without the mark at its beginning.
func Skip(text string) string { return strings.TrimPrefix(text, mark) }
