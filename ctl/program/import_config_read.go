package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pando/members/config"
)

// etcdSettings are the settings of an etcd on this machine, as one file has them.
type etcdSettings struct {
	file string
	yaml *yaml.Node // the mapping of a configuration file; nil for an environment file
	// list has the settings of an environment file, in their order. Each flag occurs once.
	list []etcdSetting
	// others are the variables of an environment file that are no settings, such as GOMAXPROCS.
	others []etcdSetting
	// notes say what of the file was not taken over, and why.
	notes []string
}

// etcdSetting is one setting. flag has no dashes; for a variable that is no setting it is the name of the variable.
type etcdSetting struct{ flag, value string }

// commandLineVariables hold flags for etcd in the units of distributions: "ExecStart=/usr/bin/etcd $DAEMON_ARGS".
var commandLineVariables = []string{"DAEMON_ARGS", "ETCD_OPTS", "ETCD_EXTRA_ARGS", "OPTIONS"}

var assignment = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// readEtcdSettings reads an environment file or a YAML file of etcd.
func readEtcdSettings(file string) (*etcdSettings, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings of etcd: %w", config.UnwrapPath(err))
	}
	s := &etcdSettings{file: file}
	if isYAML(file, string(text)) {
		err = s.readYAML(text)
	} else {
		err = s.readEnvironment(string(text))
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// isYAML tells a configuration file from an environment file by its name, or by its first line that is no comment.
func isYAML(file, text string) bool {
	if ext := strings.ToLower(filepath.Ext(file)); ext == ".yml" || ext == ".yaml" {
		return true
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' {
			return !assignment.MatchString(line)
		}
	}
	return false
}

func (s *etcdSettings) readYAML(text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s is neither YAML nor an environment file with lines such as ETCD_NAME=m1: %w", s.file, err)
	}
	if len(doc.Content) == 0 {
		doc.Content = []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}
	}
	if s.yaml = doc.Content[0]; s.yaml.Kind != yaml.MappingNode {
		return fmt.Errorf("%s holds no settings: it has no lines such as \"name: m1\" or ETCD_NAME=m1", s.file)
	}
	return nil
}

// readEnvironment reads a file as systemd and shells read it.
func (s *etcdSettings) readEnvironment(text string) error {
	var commandLine []etcdSetting
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		number, line := i+1, strings.TrimSpace(lines[i])
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines[i])
		}
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		m := assignment.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("%s line %d: %q is no setting; write lines such as ETCD_NAME=m1", s.file, number, line)
		}
		words, err := splitWords(m[2])
		if err != nil {
			return fmt.Errorf("%s line %d: %w", s.file, number, err)
		}
		value := strings.Join(words, " ")
		if slices.Contains(commandLineVariables, m[1]) {
			flags, err := parseFlags(strings.Fields(value))
			if err != nil {
				return fmt.Errorf("%s line %d: %w", s.file, number, err)
			}
			commandLine = append(commandLine, flags...)
			continue
		}
		s.addVariable(m[1], value)
	}
	for _, f := range commandLine { // they take precedence over the variables
		if _, known := config.WithoutEffect(f.flag); !known {
			s.notes = append(s.notes, "--"+f.flag+" is no flag that Pando knows from etcd")
			continue
		}
		s.set(f.flag, f.value)
	}
	return nil
}

// addVariable adds one variable of an environment file.
func (s *etcdSettings) addVariable(name, value string) {
	if strings.HasPrefix(name, "ETCDCTL_") {
		s.notes = append(s.notes, name+" is for the client, not for the server")
		return
	}
	flag, ok := config.FlagOf(name)
	if !ok {
		s.others = append(s.others, etcdSetting{name, value})
		return
	}
	if _, known := config.WithoutEffect(flag); !known {
		s.notes = append(s.notes, name+" is no setting that Pando knows from etcd")
		return
	}
	s.set(flag, value)
}

// get returns the value of a flag, or an empty text.
func (s *etcdSettings) get(flag string) string {
	if s.yaml != nil {
		for i := 0; i+1 < len(s.yaml.Content); i += 2 {
			if strings.EqualFold(s.yaml.Content[i].Value, flag) {
				return s.yaml.Content[i+1].Value
			}
		}
		return ""
	}
	for _, e := range s.list {
		if e.flag == flag {
			return e.value
		}
	}
	return ""
}

// set gives a flag a value, and adds it if it is missing.
func (s *etcdSettings) set(flag, value string) {
	if s.yaml != nil {
		s.remove(flag)
		s.yaml.Content = append(s.yaml.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: flag}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
		return
	}
	for i := range s.list {
		if s.list[i].flag == flag {
			s.list[i].value = value
			return
		}
	}
	s.list = append(s.list, etcdSetting{flag, value})
}

// remove removes a flag.
func (s *etcdSettings) remove(flag string) {
	s.list = slices.DeleteFunc(s.list, func(e etcdSetting) bool { return e.flag == flag })
	if s.yaml == nil {
		return
	}
	for i := 0; i+1 < len(s.yaml.Content); i += 2 {
		if strings.EqualFold(s.yaml.Content[i].Value, flag) {
			s.yaml.Content = slices.Delete(s.yaml.Content, i, i+2)
			i -= 2
		}
	}
}

// flags returns the names of all flags, without those in the sections of a YAML file.
func (s *etcdSettings) flags() []string {
	var names []string
	if s.yaml != nil {
		for i := 0; i+1 < len(s.yaml.Content); i += 2 {
			names = append(names, strings.ToLower(s.yaml.Content[i].Value))
		}
	}
	for _, e := range s.list {
		names = append(names, e.flag)
	}
	return names
}

// parseFlags reads a command line of etcd.
func parseFlags(words []string) ([]etcdSetting, error) {
	var flags []etcdSetting
	for i := 0; i < len(words); i++ {
		name := strings.TrimLeft(words[i], "-")
		if name == words[i] || name == "" {
			return nil, fmt.Errorf("%q is no flag", words[i])
		}
		name, value, given := strings.Cut(name, "=")
		switch {
		case given:
		case config.IsSwitch(name):
			value = "true"
		case i+1 == len(words):
			return nil, fmt.Errorf("the flag --%s has no value", name)
		default:
			i++
			value = words[i]
		}
		flags = append(flags, etcdSetting{name, value})
	}
	return flags, nil
}

// splitWords splits the value of a variable at blanks outside quotes, and removes quotes and the backslashes that escape a character.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote, escaped := false, rune(0), false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			open, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			open, quote = true, r
		case quote == 0 && (r == ' ' || r == '\t'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
