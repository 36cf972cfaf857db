package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"pando/ctl/program"
	v3 "pando/ctl/v3"
)

// The client for the v3 API as it is typed.
const (
	v3Variable = "ETCDCTL_API"
	v3Prefix   = v3Variable + "=3 "
	v3Client   = v3Prefix + "pando ctl"
)

// helpOf returns what a command prints with --help. The command is, for example, "pando ctl member". It sets a variable of the process.
func helpOf(command string) (string, error) {
	command, ofV3 := strings.CutPrefix(command, v3Prefix)
	if ofV3 {
		os.Setenv(v3Variable, "3")
		defer os.Unsetenv(v3Variable)
	}
	var stdout, stderr bytes.Buffer
	args := append(strings.Fields(command), "--help")
	if code := program.Main(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		return "", fmt.Errorf("%s --help: exit code %d: %s", command, code, stderr.String())
	}
	return stdout.String(), nil
}

// completion returns the script that completes a program in a shell.
func completion(client, shell string) (string, error) {
	var stdout, stderr bytes.Buffer
	args := append(strings.Fields(client), "completion", shell)
	if code := program.Main(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		return "", fmt.Errorf("%s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String(), nil
}

// section is a part of the help of a command: a title in capitals, and lines without their common indentation.
type section struct {
	title string
	lines []string
}

// sectionsOf splits the help of a command other than the server.
func sectionsOf(help string) []section {
	var all []section
	for line := range strings.SplitSeq(strings.TrimRight(help, "\n"), "\n") {
		if title, ok := strings.CutSuffix(line, ":"); ok && title != "" && title == strings.ToUpper(title) && title[0] != ' ' {
			all = append(all, section{title: title})
			continue
		}
		if len(all) > 0 {
			last := &all[len(all)-1]
			last.lines = append(last.lines, strings.TrimPrefix(line, "   "))
		}
	}
	return all
}

// find returns the lines of the section with a title.
func find(sections []section, title string) []string {
	for _, s := range sections {
		if s.title == title {
			return s.lines
		}
	}
	return nil
}

// columns splits the line of a table, such as "--ttl value   seconds until ...".
func columns(line string) (left, right string) {
	left, right, _ = strings.Cut(strings.TrimSpace(line), "  ")
	return left, strings.TrimSpace(right)
}

// commandTitles are the titles of lists of commands.
var commandTitles = func() []string {
	titles := []string{"COMMANDS"}
	for _, c := range v3.App("").Commands {
		titles = append(titles, c.Category)
	}
	return titles
}()

// commandsOf returns the names of the commands in the help of a group, or of a client.
func commandsOf(help string) []string {
	var names []string
	for _, s := range sectionsOf(help) {
		if !slices.Contains(commandTitles, s.title) {
			continue
		}
		for _, line := range s.lines {
			name, _ := columns(line)
			if name, _, _ = strings.Cut(name, ","); name != "" && name != "help" {
				names = append(names, name)
			}
		}
	}
	return names
}

// paragraphs splits lines at empty lines.
func paragraphs(lines []string) [][]string {
	var all [][]string
	open := false
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			open = false
			continue
		}
		if !open {
			all = append(all, nil)
			open = true
		}
		all[len(all)-1] = append(all[len(all)-1], line)
	}
	return all
}

// write writes text and returns nothing: the error of a strings.Builder is always nil.
func write(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format, args...) }
