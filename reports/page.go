package reports

// pageParts are the files that are for looking at and for other tools.
func pageParts(run *Run) []part {
	return nil
}
