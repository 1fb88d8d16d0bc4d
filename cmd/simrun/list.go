package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"simrun/scenarios"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the scenarios",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			width := 0
			for _, name := range scenarios.Names() {
				width = max(width, len(name))
			}
			for _, name := range scenarios.Names() {
				s, err := scenarios.Find(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-*s  %s\n", width, s.Name, s.About)
			}
			return nil
		},
	}
}
