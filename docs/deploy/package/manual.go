package main

import (
	"fmt"
	"slices"
	"strings"

	"pando/ctl/program"
	"pando/members/config"
)

// manual is the set of man pages, by the name of the page.
type manual struct {
	release *release
	pages   map[string]string
}

// manual returns all man pages: pando(1), one for each verb of pando, and one for each command of pando ctl, for each API.
func (r *release) manual() (map[string]string, error) {
	m := &manual{release: r, pages: map[string]string{}}
	m.addServer()
	for _, verb := range program.NewApp(nil, nil).VisibleCommands() {
		if err := m.addCommand("pando " + verb.Name); err != nil {
			return nil, err
		}
	}
	if err := m.addCommand(v3Client); err != nil {
		return nil, err
	}
	for _, client := range []string{"pando ctl", v3Client} {
		help, err := helpOf(client)
		if err != nil {
			return nil, err
		}
		for _, name := range commandsOf(help) {
			if err := m.addCommand(client + " " + name); err != nil {
				return nil, err
			}
		}
	}
	return m.pages, nil
}

// pageOf returns the name of the page of a command.
func pageOf(command string) string {
	if command, ofV3 := strings.CutPrefix(command, v3Client); ofV3 {
		return "pando-ctl-v3" + strings.ReplaceAll(command, " ", "-")
	}
	return strings.ReplaceAll(command, " ", "-")
}

// begin begins a page.
func (m *manual) begin(page, usage string) *roff {
	r := &roff{}
	r.title(page, m.release.time.Format("2006-01-02"), m.release.version)
	r.section("NAME")
	r.text(page + " - " + usage)
	return r
}

// addCommand adds the page of a verb or of a command of the client. The page of a group explains its commands, too; those of the client
// have pages of their own.
func (m *manual) addCommand(command string) error {
	help, err := helpOf(command)
	if err != nil {
		return err
	}
	sections := sectionsOf(help)
	name := find(sections, "NAME")
	if len(name) == 0 {
		return fmt.Errorf("%s --help has no section NAME", command)
	}
	_, usage, _ := strings.Cut(name[0], " - ")
	page := m.begin(pageOf(command), usage)
	writeSections(page, command, sections, page.section)
	if !strings.HasSuffix(command, "pando ctl") {
		for _, sub := range commandsOf(help) {
			subHelp, err := helpOf(command + " " + sub)
			if err != nil {
				return err
			}
			page.section(command + " " + sub)
			writeSections(page, command, sectionsOf(subHelp), page.subsection)
		}
	}
	m.end(page, command)
	return nil
}

// writeSections writes the help of a command, without its name. heading writes the heading of a section.
func writeSections(page *roff, command string, sections []section, heading func(string)) {
	for _, s := range sections {
		switch {
		case s.title == "NAME":
		case s.title == "USAGE":
			heading("SYNOPSIS")
			page.verbatim(synopsis(command, s.lines))
		case slices.Contains(commandTitles, s.title) || strings.HasSuffix(s.title, "OPTIONS"):
			heading(s.title)
			for _, line := range s.lines {
				if left, right := columns(line); left != "" {
					page.item(left, right)
				}
			}
		case s.title == "EXAMPLES" || s.title == "EXIT CODES":
			heading(s.title)
			page.verbatim(s.lines)
		default:
			heading(s.title)
			page.blocks(s.lines)
		}
	}
}

// synopsis returns the lines of a usage as they are typed.
func synopsis(command string, lines []string) []string {
	if !strings.HasPrefix(command, v3Prefix) {
		return lines
	}
	var typed []string
	for _, line := range lines {
		if line != "" {
			line = v3Prefix + line
		}
		typed = append(typed, line)
	}
	return typed
}

// end completes a page.
func (m *manual) end(page *roff, command string) {
	page.section("SEE ALSO")
	name, others := pageOf(command), []string{"pando", "pando-ctl", "pando-ctl-v3"}
	var links []string
	for _, other := range others {
		if other != name {
			links = append(links, other+"(1)")
		}
	}
	page.text(strings.Join(links, ", ") + "; /usr/share/doc/pando/docs")
	m.pages[name] = page.String()
}

// addServer adds pando(1).
func (m *manual) addServer() {
	page := m.begin("pando", program.NewApp(nil, nil).Usage)
	intro, _, _ := strings.Cut(program.HelpText(), config.FlagHelp())
	page.section("SYNOPSIS")
	page.verbatim([]string{"pando [flags]", "pando VERB [options] [arguments...]"})
	page.section("DESCRIPTION")
	for i, p := range paragraphs(strings.Split(intro, "\n")) {
		switch title, titled := strings.CutSuffix(p[0], ":"); {
		case i == 0:
			page.paragraph(p...)
		case titled && title == "Settings":
			page.subsection(title)
			page.paragraph(p[1:]...)
		default:
			page.paragraph(p[0])
			page.verbatim(p[1:])
		}
	}
	page.section("OPTIONS")
	for _, group := range flagGroups() {
		page.subsection(group.title)
		for _, f := range group.flags {
			page.item(f.head, f.text)
		}
		for _, p := range group.lists {
			page.paragraph(p...)
		}
	}
	page.section("EXIT STATUS")
	for _, code := range exitCodes {
		page.item(fmt.Sprint(code.code), code.meaning)
	}
	page.section("FILES")
	for _, file := range installedFiles {
		page.item(file.path, file.meaning)
	}
	m.end(page, "pando")
}

var exitCodes = []struct {
	code    int
	meaning string
}{
	{0, "stopped as asked"},
	{program.ExitFailure, "failed: a disk, the network, the discovery service; another start may help"},
	{program.ExitUsage, "a flag, a variable or the configuration file is wrong; nothing was started"},
	{program.ExitTaken, "another process uses an address or the data directory"},
	{program.ExitData, "the data directory can't be used; it is unchanged"},
	{program.ExitMember, "the cluster does not take this member"},
	{program.ExitInterrupted, "CTRL+C ended a command"},
}

var installedFiles = []struct{ path, meaning string }{
	{"/etc/default/pando", "environment of the service: settings by the names of etcd's variables"},
	{"/etc/pando/pando.yml", "example of a configuration file; it has an effect if ETCD_CONFIG_FILE in /etc/default/pando names it"},
	{"/var/lib/pando", "data directory of the service, for the user pando alone"},
	{"/var/log/pando", "log files of the service, if --log-outputs or --audit-log name any there; otherwise the log is in the journal"},
	{"/usr/lib/pando/bin/etcdctl", "the client by the name of etcd's client; put the directory first in PATH to use it"},
	{"/usr/share/doc/pando", "README.md, the pages of docs, alert rules and a dashboard"},
}

// flagGroup is one group of flags in the help of the server.
type flagGroup struct {
	title string
	flags []flagText
	lists [][]string // paragraphs after the flags
}

// flagText is the help of one flag: "--name NAME", and what it does.
type flagText struct{ head, text string }

// flagGroups reads the flags from the help of the server.
func flagGroups() []flagGroup {
	var groups []flagGroup
	for _, p := range paragraphs(strings.Split(config.FlagHelp(), "\n")) {
		if title, ok := strings.CutSuffix(p[0], ":"); ok && !strings.HasPrefix(title, " ") {
			groups = append(groups, flagGroup{title: title})
			p = p[1:]
		}
		group := &groups[len(groups)-1]
		if len(p) > 0 && !strings.HasPrefix(p[0], "  --") {
			group.lists = append(group.lists, p)
			continue
		}
		for _, line := range p {
			if strings.HasPrefix(line, "  --") {
				group.flags = append(group.flags, flagText{head: strings.TrimSpace(line)})
				continue
			}
			last := &group.flags[len(group.flags)-1]
			last.text = strings.TrimSpace(last.text + " " + strings.TrimSpace(line))
		}
	}
	return groups
}
