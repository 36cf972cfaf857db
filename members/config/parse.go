package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// valueError is the error of a value: what is wrong with it, and what to write instead. The caller adds the flag and the
// origin.
type valueError struct{ problem, fix string }

func (e *valueError) Error() string { return e.problem + "; " + e.fix }

// splitList splits a comma-separated list. It drops spaces around items, and empty items.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// parseInitialCluster parses name=URL,name=URL. A name may occur more than once.
func parseInitialCluster(text string) (map[string][]string, error) {
	cluster := map[string][]string{}
	for _, item := range splitList(text) {
		name, address, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, &valueError{fmt.Sprintf("%q is not NAME=URL", item), "write for example default=" + DefaultPeerURL}
		}
		u, err := parseURL(address, urlsToAdvertise)
		if err != nil {
			return nil, err
		}
		cluster[name] = append(cluster[name], u.String())
	}
	return cluster, nil
}

// parseEntryID parses the INDEX/TERM of a log entry.
func parseEntryID(text string) (LogEntry, error) {
	index, term, both := strings.Cut(text, "/")
	i, indexErr := strconv.ParseUint(index, 10, 64)
	t, termErr := strconv.ParseUint(term, 10, 64)
	if !both || indexErr != nil || termErr != nil || i == 0 || t == 0 {
		return LogEntry{}, &valueError{fmt.Sprintf("%q is not an entry of the log", text),
			"copy INDEX/TERM from the error that asks for the flag, for example 57/3"}
	}
	return LogEntry{Index: i, Term: t}, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "t", "yes", "on":
		return true, nil
	case "false", "0", "f", "no", "off":
		return false, nil
	}
	return false, &valueError{fmt.Sprintf("%q is neither true nor false", text), "write true or false"}
}

// parseWhole parses a whole number from 0 to limit, without sign.
func parseWhole(text string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &valueError{fmt.Sprintf("%q is not a whole number from 0 up", text), "write digits alone, without unit or separators"}
	}
	if n > limit {
		return 0, &valueError{fmt.Sprintf("%s is too large", text), fmt.Sprintf("%d is the most it can be", limit)}
	}
	return n, nil
}

// parseMillis parses a number of milliseconds, or a duration with a unit such as 250ms or 1s.
func parseMillis(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		if n > math.MaxInt32 {
			return 0, &valueError{text + " milliseconds is too long", "write a number of milliseconds such as 100"}
		}
		return time.Duration(n) * time.Millisecond, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > math.MaxInt32*time.Millisecond {
		return 0, &valueError{fmt.Sprintf("%q is not a number of milliseconds", text), "write for example 100, or a duration such as 100ms"}
	}
	if d%time.Millisecond != 0 {
		return 0, &valueError{fmt.Sprintf("%q is not a whole number of milliseconds", text), "write for example 100"}
	}
	return d, nil
}

// ParseChoice returns text if it is one of choices, and an error otherwise.
func ParseChoice(text string, choices ...string) (string, error) {
	if slices.Contains(choices, text) {
		return text, nil
	}
	return "", &valueError{fmt.Sprintf("%q is not one of the choices", text), "use " + orList(choices)}
}

func parseLogLevel(text string) (zapcore.Level, error) {
	word, err := ParseChoice(text, "debug", "info", "warn", "error", "panic", "fatal")
	if err != nil {
		return 0, err
	}
	return zapcore.ParseLevel(word)
}

// parseLogOutputs parses the list of log outputs. As in the reference, "default" is standard error.
func parseLogOutputs(text string) ([]string, error) {
	var outputs []string
	for _, o := range splitList(text) {
		if o == "default" {
			o = "stderr"
		}
		if strings.HasPrefix(o, "systemd/") {
			return nil, &valueError{fmt.Sprintf("%q is not supported", o), "use stderr: systemd takes it into its journal"}
		}
		if !slices.Contains(outputs, o) {
			outputs = append(outputs, o)
		}
	}
	if len(outputs) == 0 {
		return nil, &valueError{"is empty", "use stderr, stdout or the path of a file"}
	}
	return outputs, nil
}

// tuningSettings are the names that tuning.Settings returns. This package must not import tuning.
var tuningSettings = []string{"processors", "sysmon", "collector", "release-memory", "memory-limit"}

// TuningSettings returns the names that DisabledTuning may have.
func TuningSettings() []string { return slices.Clone(tuningSettings) }

// parseTuning parses a list of tuning settings. The word "all" stands for all of them.
func parseTuning(text string) ([]string, error) {
	names := splitList(text)
	if slices.Equal(names, []string{"all"}) {
		return TuningSettings(), nil
	}
	for _, name := range names {
		if _, err := ParseChoice(name, append(TuningSettings(), "all")...); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// orList returns words as "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
