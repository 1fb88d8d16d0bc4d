package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"simrun/reports"
	"simrun/sim/history"
	"simrun/sim/plan"
)

// version names the program and the formats that it reads: a seed means the
// same only to the same program, a file can be read wherever its format is.
func version() string {
	return fmt.Sprintf("%s, plan format %s, history format %d, result format %d, %s %s/%s",
		program(), plan.Version, history.FormatVersion, reports.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the program and of the formats that it reads",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "simrun %s\n", version())
			return err
		},
	}
}

// program is the version of the program: that of its module, which names the
// revision where the program was built in a clone. What go run and go test build, and what
// is built from changed files, has none that tells it from others: there a hash of
// the program itself is added.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return withBuild(unknownProgram)
	}
	return withBuild(programOf(info))
}

// withBuild adds what tells builds apart to a version that does not.
func withBuild(version string) string {
	if version != unknownProgram && version != develProgram && !strings.HasSuffix(version, "+dirty") {
		return version
	}
	name, err := os.Executable()
	if err != nil {
		return version
	}
	file, err := os.Open(name)
	if err != nil {
		return version // it was replaced or removed while it runs
	}
	defer file.Close() //nolint:errcheck // it was only read
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return version
	}
	return fmt.Sprintf("%s, build %x", version, hash.Sum(nil)[:4])
}

const unknownProgram = "(unknown)"

func programOf(info *debug.BuildInfo) string {
	switch revision := setting(info, "vcs.revision"); {
	case info.Main.Version != "" && info.Main.Version != develProgram:
		return info.Main.Version
	case revision != "" && setting(info, "vcs.modified") == "true":
		return revision + "+dirty"
	case revision != "":
		return revision
	case info.Main.Version == "":
		return unknownProgram
	}
	return info.Main.Version
}

// develProgram is what the go command calls a module of which it knows nothing.
const develProgram = "(devel)"

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// otherProgram says by which program a run was recorded if it was another one.
// Two programs of no known version may be one, or not.
func otherProgram(then, now string) string {
	switch then {
	case now:
		return ""
	case "":
		then = "of a version that it does not tell"
	}
	return fmt.Sprintf("recorded by simrun %s, and this is simrun %s", then, now)
}
