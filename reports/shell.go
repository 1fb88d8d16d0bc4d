package reports

import (
	"fmt"
	"path/filepath"
	"strings"
)

// ShellQuoted makes a path or a knob one word of a shell's command line.
func ShellQuoted(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:,@=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// RecordAnew is the advice to record anew what a folder holds, with the command for it.
func RecordAnew(dir string) string {
	return fmt.Sprintf("record it anew: simrun run %s --out %s", ShellQuoted(filepath.Join(dir, FilePlan)), ShellQuoted(dir))
}
