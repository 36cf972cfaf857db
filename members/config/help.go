package config

import "strings"

// helpWidth is the longest line of --help, in columns.
const helpWidth = 100

// FlagHelp returns the help of all settings, by group, in lines of at most helpWidth columns.
func FlagHelp() string {
	var b strings.Builder
	for _, group := range flagGroups {
		b.WriteString("\n" + group + ":\n")
		for i := range flagSpecs {
			if spec := &flagSpecs[i]; spec.group == group && spec.usage != "" {
				writeFlagHelp(&b, spec)
			}
		}
	}
	writeNameList(&b, "Accepted from etcd's flags without effect (a line in the log says why):",
		func(s *flagSpec) bool { return s.usage == "" && s.ignored != "" })
	writeNameList(&b, "Refused, because this version lacks what they promise:",
		func(s *flagSpec) bool { return s.refused != "" })
	return b.String()
}

func writeFlagHelp(b *strings.Builder, spec *flagSpec) {
	head := "  --" + spec.name
	if spec.arg != "" {
		head += " " + spec.arg
	}
	b.WriteString(head + "\n")
	wrap(b, "      ", spec.usage)
	if spec.example != "" {
		wrap(b, "      ", "Example: --"+spec.name+"="+spec.example)
	}
	def := spec.def
	if def == "" {
		def = "none"
	}
	env := make([]string, len(envPrefixes))
	for i, prefix := range envPrefixes {
		env[i] = prefix + envSuffix(spec.name)
	}
	wrap(b, "      ", "[default: "+def+"] ["+strings.Join(env, ", ")+"]")
}

func writeNameList(b *strings.Builder, title string, pick func(*flagSpec) bool) {
	var names []string
	for i := range flagSpecs {
		if pick(&flagSpecs[i]) {
			names = append(names, "--"+flagSpecs[i].name)
		}
	}
	b.WriteString("\n  " + title + "\n")
	wrap(b, "      ", strings.Join(names, " "))
}

// wrap writes text in lines of at most helpWidth columns. Each begins with indent.
func wrap(b *strings.Builder, indent, text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
}

// ExampleValue returns a value that the flag accepts, or the placeholder of its value.
func ExampleValue(spec *flagSpec) string {
	switch {
	case spec.example != "":
		return spec.example
	case spec.def != "" && !strings.Contains(spec.def, "${"):
		return spec.def
	}
	return spec.arg
}

// exampleURL returns a URL that the flag accepts.
func exampleURL(flag string) string {
	if spec := SpecOf(flag); spec != nil {
		return ExampleValue(spec)
	}
	return DefaultClientURL
}
