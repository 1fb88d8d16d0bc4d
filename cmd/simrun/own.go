package main

import (
	"fmt"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"simrun/reports"
)

// refuseOwn returns an error for a recording of a system of one's own, whose plans this
// program cannot run, and says who does.
func refuseOwn(dir string, run *reports.Run) error {
	if run.Result == nil || !run.Result.Own {
		return nil
	}
	remedy := "its own tests do, of which the recording has no command"
	if run.Result.Command != "" {
		remedy = "run it again with " + run.Result.Command
	}
	return &reports.Error{
		File:    filepath.Join(dir, reports.FilePlan),
		Problem: fmt.Sprintf("this is a plan of %s, a system of its own, which simrun does not run", run.Result.Scenario),
		Remedy:  remedy,
	}
}

// refuseOwnPlan does so for the text of a plan.
func refuseOwnPlan(name string, text []byte) error {
	var head struct {
		System string `toml:"system"`
	}
	if err := toml.Unmarshal(text, &head); err != nil || head.System == "" {
		return nil // what is wrong with it is told by who reads it as a plan
	}
	return &reports.Error{
		File:    name,
		Problem: fmt.Sprintf("this is a plan of %s, a system of its own, which simrun does not run", head.System),
		Remedy:  fmt.Sprintf("run the test of %s with SIM_PLAN=%s", head.System, reports.ShellQuoted(name)),
	}
}
