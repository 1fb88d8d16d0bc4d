package plan

import (
	"encoding/hex"
	"strings"
)

// hexPrefix begins a key that is written in hexadecimal.
const hexPrefix = "0x"

// HexKey returns how a plan writes a key that is no text.
func HexKey(key []byte) string { return hexPrefix + hex.EncodeToString(key) }

// KeyBytes returns the key that a plan, or a fault of its schedule, writes so.
func KeyBytes(text string) string {
	if digits, ok := strings.CutPrefix(text, hexPrefix); ok {
		if key, err := hex.DecodeString(digits); err == nil {
			return string(key)
		}
	}
	return text
}

// validKey says whether a key that claims to be in hexadecimal is.
func validKey(text string) bool {
	digits, ok := strings.CutPrefix(text, hexPrefix)
	if !ok {
		return true
	}
	key, err := hex.DecodeString(digits)
	return err == nil && len(key) > 0
}
