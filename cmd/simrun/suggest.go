package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// didYouMean is the question that an error ends with if a name is nearly one of those
// that there are, "" if it is not.
func didYouMean(name string, names []string) string {
	known := &cobra.Command{SuggestionsMinimumDistance: 2} // it knows which names are near
	for _, n := range names {
		known.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	near := known.SuggestionsFor(name)
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("did you mean %s? ", near[0])
}
