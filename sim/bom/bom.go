// Package bom knows the mark with which some editors begin a text, and which is no part of it.
// Whoever reads text that people may have edited skips it.
package bom

import (
	"bufio"
	"strings"
)

// mark is U+FEFF, the byte order mark, in UTF-8.
const mark = "\ufeff"

// Skip returns a text without the mark at its beginning.
func Skip(text string) string { return strings.TrimPrefix(text, mark) }

// SkipIn skips the mark where a reader begins.
func SkipIn(in *bufio.Reader) {
	if head, _ := in.Peek(len(mark)); string(head) == mark {
		_, _ = in.Discard(len(mark))
	}
}
