// Package reports writes what a run produced, reads it back, and tells it to
// people.
//
//	folder, err := reports.Create("out/bank-7", "")
//	err = folder.SavePlan(text)
//	stream, err := folder.HistoryStream() // give it to a history.Recorder
//	...
//	err = folder.Save(&reports.Run{Plan: text, History: h, Result: r})
//	err = reports.WriteText(os.Stdout, run, reports.TextOptions{Folder: folder.Path()})
//
// Load reads such a folder, strictly. Its files are
//
//	plan.toml       what was run, unless it had no plan
//	history.jsonl   every operation of every client, in the order of return
//	result.json     Result: verdict, findings, statistics, timeline
//	trace.json      the trace hash and its checkpoints
//	report.html     a page that needs nothing but itself
//	history.edn     the history for Jepsen's checkers
//	linear-*.html   porcupine's own page, where it ran
//
// Every byte is a function of the plan and the program, whose version stands in
// the result: two runs of one seed write equal folders. What is not, such as the
// time that the run took, is told in the terminal only.
package reports
