package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"simrun/checker"
	"simrun/reports"
	"simrun/sim/bom"
	"simrun/sim/history"
	"simrun/sim/history/jepsen"
)

func checkCommand() *cobra.Command {
	var (
		limit       time.Duration
		edn         string
		consistency string
	)
	cmd := &cobra.Command{
		Use:   "check HISTORY",
		Short: "Check a history file, without the simulator",
		Long: `check reads a history and runs every checker that applies to it. It knows
  history.jsonl    as this program writes it, or the folder of a run
  *.edn, *.json    Jepsen histories of registers, mutexes, key-value stores, banks, and of
                   transactions (docs/history.md)
  *.log, *.txt     the text forms of porcupine's test data
A run finds more than its history shows. Given a folder, check also prints what the run
itself found, if that is worse, and the exit status is that of the worse verdict. If the
folder does not say what the run found, the verdict is UNKNOWN. A history.jsonl that was
cut off, because its run was killed, is checked as far as possible; the result is
VIOLATION or UNKNOWN, never OK. It is UNKNOWN without any operation, or if the files of a
folder are not of one run.`,
		Example: "  simrun check out/bank-7/history.jsonl\n  simrun check append.edn --consistency strict-serializable",
		Args:    one("one history"),
		RunE:    func(cmd *cobra.Command, args []string) error { return check(cmd, args[0], limit, edn, consistency) },
	}
	cmd.Flags().DurationVar(&limit, "limit", time.Minute, "real time that the search for a linearization may take")
	cmd.Flags().StringVar(&edn, "edn", "", "also write the history in Jepsen's form to this file")
	cmd.Flags().StringVar(&consistency, "consistency", "", "what transactions were promised, in the place of what the history says: "+
		"snapshot-isolation, serializable or strict-serializable")
	return cmd
}

// promised sets the level of isolation that a history is to be judged by.
func promised(h *history.History, level string) error {
	switch level {
	case "":
	case "snapshot-isolation":
		h.Consistency = history.SnapshotIsolation
	case string(history.Serializable), string(history.StrictSerializable):
		h.Consistency = history.Consistency(level)
	default:
		return fmt.Errorf("--consistency %q is unknown; write snapshot-isolation, serializable or strict-serializable", level)
	}
	return nil
}

func check(cmd *cobra.Command, file string, limit time.Duration, edn, consistency string) error {
	if limit <= 0 {
		return fmt.Errorf("--limit %v leaves no time to search; give a positive duration such as 1m", limit)
	}
	folder := ""
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		if err := settle(cmd.ErrOrStderr(), file); err != nil {
			return err
		}
		folder, file = file, filepath.Join(file, reports.FileHistory)
	} else if filepath.Base(file) == reports.FileHistory {
		if err := reports.Complete(filepath.Dir(file)); err != nil {
			return err
		}
	}
	h, err := jepsen.Open(file)
	cut := isCut(h, err)
	if err != nil && !cut {
		return noHistory(file, err)
	}
	if err := promised(h, consistency); err != nil {
		return err
	}
	if edn != "" {
		if err := exportEDN(edn, file, h); err != nil {
			return err
		}
	}
	judge := checker.History
	if cut {
		judge = judgeCut
	}
	results := judge(h, checker.Options{Timeout: limit})
	for _, r := range results {
		printResult(cmd.OutOrStdout(), r)
	}
	verdict := checker.Of(results)
	fmt.Fprintln(cmd.OutOrStdout(), verdict)
	if folder == "" {
		return verdictStatus(verdict)
	}
	return verdictStatus(checker.Merge(verdict, recordedVerdict(cmd, folder, h, verdict, cut)))
}

// recordedVerdict returns the verdict of the run in a folder, and prints it if it is
// worse than that of its history: a run finds more than clients can see, so a folder
// that does not say what was found is not OK, and neither is one with the files of several
// runs. The trace is not needed for that. A run that was killed left no result; its cut
// history says so.
func recordedVerdict(cmd *cobra.Command, folder string, h *history.History, ofHistory checker.Verdict, cut bool) checker.Verdict {
	r, err := reports.LoadVerdict(folder)
	killed := cut && errors.Is(err, fs.ErrNotExist)
	mixed := (&reports.Run{Plan: planText(folder), History: h, Result: r}).OneRun(folder, !cut)
	unknown := func(problem string, err error) checker.Verdict {
		fmt.Fprintf(cmd.OutOrStdout(), "the run itself: %v, %s: %v; to judge the history alone: simrun check %s\n",
			checker.Unknown, problem, err, reports.ShellQuoted(filepath.Join(folder, reports.FileHistory)))
		return checker.Unknown
	}
	switch {
	case err != nil && !killed:
		return unknown("its verdict cannot be read", err)
	case mixed != nil:
		return unknown("which one it was is not clear", mixed)
	case killed:
		return checker.Unknown
	case checker.Merge(ofHistory, r.Verdict) == ofHistory:
		return r.Verdict
	}
	found := ""
	if all := r.Findings(); len(all) > 0 {
		found = fmt.Sprintf(" (%s %s)", all[0].Checker, all[0].Anomaly)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "the run itself: %v%s, which a history does not show: %s\n", r.Verdict, found, r.Message())
	return r.Verdict
}

// planText is the plan in a folder, "" if none can be read.
func planText(folder string) string {
	text, _ := os.ReadFile(filepath.Join(folder, reports.FilePlan))
	return bom.Skip(string(text))
}

// noHistory is the error of a history that cannot be read, with what to do about it
// if it is one of a folder.
func noHistory(file string, err error) error {
	dir := filepath.Dir(file)
	if filepath.Base(file) != reports.FileHistory {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return reports.Unreadable(dir, reports.FileHistory, err)
	}
	if _, statErr := os.Stat(filepath.Join(dir, reports.FilePlan)); statErr == nil {
		return withRemedy(err, dir)
	}
	return err
}

func printResult(w io.Writer, r checker.Result) {
	fmt.Fprintf(w, "%-10s %-10v checked %d", r.Checker, r.Verdict, r.Checked)
	if r.Reason != "" {
		fmt.Fprintf(w, "  (%s)", r.Reason)
	}
	fmt.Fprintln(w)
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  %s: %s", f.Anomaly, reports.Visible(f.Message))
		if len(f.Evidence) > 0 {
			fmt.Fprintf(w, " (operations %v)", f.Evidence)
		}
		fmt.Fprintln(w)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "  and %d more\n", r.More)
	}
	for _, f := range r.Observations {
		fmt.Fprintf(w, "  allowed: %s: %s\n", f.Anomaly, reports.Visible(f.Message))
	}
}

// ednSign is how a line of an export begins.
const ednSign = "{:index 0, :time "

func exportEDN(name, input string, h *history.History) error {
	if sameFile(name, input) {
		return fmt.Errorf("cannot write %s: that is the history to be checked; choose another file", name)
	}
	file, err := openOut(name, ednSign)
	if err != nil {
		return err
	}
	return file.keep(jepsen.WriteEDN(file, h))
}
