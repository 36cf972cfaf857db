package ctl

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func (p *program) completionCommand() *cli.Command {
	c := CompletionCommand(p.name, p.stdout, CommandLines{
		V2: func(string) *cli.App { return p.app() }, V3: p.host.V3, Program: p.host.Program,
	})
	for _, sub := range c.Subcommands {
		action := sub.Action
		sub.Action = func(c *cli.Context) error {
			if c.NArg() > 0 {
				return badArguments("completion %s takes no arguments; %q is one", sub.Name, c.Args().First())
			}
			return action(c)
		}
		p.command(sub)
	}
	return p.group(c)
}

// CommandLines returns the command lines that scripts for shells complete. Each function may be nil, but not both of V2 and V3.
type CommandLines struct {
	V2, V3  func(name string) *cli.App          // that of the client for each API; with both, the variable ETCDCTL_API decides
	Program func() ([]*cli.Command, []cli.Flag) // the commands and flags of the whole program, including the verb of the client
}

// CompletionCommand returns the command that prints scripts for shells to stdout. name is that of the client: "etcdctl", "pando ctl".
func CompletionCommand(name string, stdout io.Writer, lines CommandLines) *cli.Command {
	command := filepath.Base(strings.Fields(name + " x")[0])
	write := func(shell string, script func(io.Writer, string, []*completion) error, examples ...string) *cli.Command {
		return &cli.Command{
			Name: shell, Usage: "print the script for " + shell, ArgsUsage: " ",
			Description: Examples(examples...),
			Action: func(*cli.Context) error {
				return script(stdout, name, lines.completions(name))
			},
		}
	}
	here := func(shell string) string { return "source <(" + name + " completion " + shell + ")" }
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes commands and options in a shell",
		Subcommands: []*cli.Command{
			write("bash", bashCompletion,
				name+" completion bash > ~/.local/share/bash-completion/completions/"+command, "for every new shell",
				here("bash"), "for this shell (bash 4 or newer)"),
			write("zsh", zshCompletion,
				name+" completion zsh >> ~/.zshrc", "for every new shell, after compinit",
				here("zsh"), "for this shell, after compinit"),
			write("fish", fishCompletion,
				name+" completion fish > ~/.config/fish/completions/"+command+".fish", "for every new shell",
				name+" completion fish | source", "for this shell"),
		},
	}
}

// markV3 begins the paths of completions that hold if ETCDCTL_API is 3. The scripts have the same text.
const markV3 = "3:"

// completions returns the words that can follow each path of commands, for each API.
func (l CommandLines) completions(name string) []*completion {
	var all []*completion
	for _, client := range []func(string) *cli.App{l.V2, l.V3} {
		if client == nil {
			continue
		}
		mark := ""
		if len(all) > 0 {
			mark = markV3
		}
		for _, c := range completionsOf(name, client(name), l.Program) {
			c.path = mark + c.path
			all = append(all, c)
		}
	}
	return all
}

// completionsOf returns the words that can follow each path of commands of one API, including the paths of the whole program.
//
// The completion of urfave/cli is not used: it runs the program at each press of Tab, and can't complete the commands after
// "pando ctl", because they belong to another cli.App.
func completionsOf(name string, app *cli.App, program func() ([]*cli.Command, []cli.Flag)) []*completion {
	_, _, verb := programOf(name)
	own := completions(app.Commands, app.Flags, verb)
	if verb == "" {
		return own
	}
	commands, flags := []*cli.Command{{Name: verb, Usage: app.Usage}}, []cli.Flag(nil)
	if program != nil {
		commands, flags = program()
	}
	around := slices.DeleteFunc(completions(commands, flags, ""), func(c *completion) bool { return c.path == verb })
	return append(around, own...)
}

// completion holds the words that can follow one path of commands.
type completion struct {
	path     string // the names of the commands, separated by blanks; "" at the top. markV3 may stand before them
	commands []*cli.Command
	flags    []string // as they are typed: --name, -n
	values   []string // the flags that take a value
}

// completions returns the words that can follow path, and those that can follow every path below it.
func completions(commands []*cli.Command, flags []cli.Flag, path string) []*completion {
	at := &completion{path: path}
	for _, c := range commands {
		if !c.Hidden {
			at.commands = append(at.commands, c)
		}
	}
	for _, flag := range flags {
		if !offered(flag) {
			continue
		}
		for _, name := range flag.Names() {
			typed := "--" + name
			if len(name) == 1 {
				typed = "-" + name
			}
			at.flags = append(at.flags, typed)
			if !isSwitch(flag) {
				at.values = append(at.values, typed)
			}
		}
	}
	all := []*completion{at}
	for _, c := range at.commands {
		below := c.Subcommands
		if c.Name == "help" {
			below = withoutFlags(at.commands)
		}
		all = append(all, completions(below, c.Flags, strings.TrimSpace(path+" "+c.Name))...)
	}
	return all
}

// withoutFlags returns copies of commands without their flags, as arguments of help. It leaves help itself out.
func withoutFlags(commands []*cli.Command) []*cli.Command {
	var names []*cli.Command
	for _, c := range commands {
		if c.Name != "help" {
			names = append(names, &cli.Command{Name: c.Name, Usage: c.Usage, Subcommands: withoutFlags(c.Subcommands)})
		}
	}
	return names
}

// offered reports whether help shows a flag.
func offered(flag cli.Flag) bool {
	visible, canHide := flag.(cli.VisibleFlag)
	documented, ok := flag.(cli.DocGenerationFlag)
	return !(canHide && !visible.IsVisible()) && ok && documented.GetUsage() != ""
}

// isSwitch reports whether a flag has no value.
func isSwitch(flag cli.Flag) bool {
	switch f := flag.(type) {
	case *cli.BoolFlag:
		return true
	case *cli.GenericFlag:
		value, ok := f.Value.(interface{ IsBoolFlag() bool })
		return ok && value.IsBoolFlag()
	}
	return false
}

// names returns the names of the commands.
func (c *completion) names() []string {
	var names []string
	for _, command := range c.commands {
		names = append(names, command.Name)
	}
	return names
}

// walk is the script that bash and zsh share. It follows the words before the cursor from command to command, and skips options
// and their values. It sets $at to the path, which markV3 precedes, and $subs and $opts to the words that can follow. It returns early if
// the word at the cursor is the value of an option, or comes after "--". Its variables have names that zsh does not use itself.
const walk = `
  local at="" subs="" opts="" valued="" skip="" word api=""
  [[ ${ETCDCTL_API-} == 3 ]] && api="%s"
  for word in "" "${before[@]}"; do
    if [[ -n $skip ]]; then skip=""; continue; fi
    case $word in
      "") ;;
      --) return ;;
      -*) [[ $word != *=* && " $valued " == *" $word "* ]] && skip=1; continue ;;
      *) [[ " $subs " == *" $word "* ]] || continue; at="${at:+$at }$word" ;;
    esac
    case $api$at in
%s    esac
  done
  [[ -n $skip ]] && return
`

// walkOf returns walk with its cases, one for each path.
func walkOf(table []*completion) string {
	var b strings.Builder
	for _, c := range table {
		fmt.Fprintf(&b, "      \"%s\") subs=\"%s\" opts=\"%s\" valued=\"%s\" ;;\n",
			c.path, strings.Join(c.names(), " "), strings.Join(c.flags, " "), strings.Join(c.values, " "))
	}
	return fmt.Sprintf(walk, markOf(table), b.String())
}

// markOf returns markV3 if the words depend on the API, and an empty text otherwise.
func markOf(table []*completion) string {
	if slices.ContainsFunc(table, func(c *completion) bool { return c.path == markV3 }) {
		return markV3
	}
	return ""
}

// programOf splits the name of the program into the command that the shell completes, a name for the function that does it, and
// the verb of the client: in "pando ctl", the command is pando.
func programOf(name string) (command, function, verb string) {
	words := strings.Fields(name)
	command = filepath.Base(words[0])
	function = "_" + strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, command) + "_client"
	return command, function, strings.Join(words[1:], " ")
}

func bashCompletion(w io.Writer, name string, table []*completion) error {
	command, function, _ := programOf(name)
	_, err := fmt.Fprintf(w, `# bash completion for %[1]s
%[2]s() {
  COMPREPLY=()
  local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}") current=${COMP_WORDS[COMP_CWORD]}
%[3]s  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$opts" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$subs" -- "$current"))
  fi
}
complete -o default -F %[2]s %[1]s
`, command, function, walkOf(table))
	return err
}

func zshCompletion(w io.Writer, name string, table []*completion) error {
	command, function, _ := programOf(name)
	_, err := fmt.Fprintf(w, `#compdef %[1]s
%[2]s() {
  local -a before
  before=("${(@)words[2,CURRENT-1]}")
%[3]s  if [[ $PREFIX == -* ]]; then
    compadd -- ${=opts}
  elif [[ -n $subs ]]; then
    compadd -- ${=subs}
  else
    _files
  fi
}
compdef %[2]s %[1]s
# zsh has loaded this file as the function of the first completion.
if [[ ${funcstack[1]} == _%[1]s ]]; then %[2]s "$@"; fi
`, command, function, walkOf(table))
	return err
}

// fishCompletion writes one line for each command and option, with the condition that the commands before it were typed.
func fishCompletion(w io.Writer, name string, table []*completion) error {
	command, function, _ := programOf(name)
	var b strings.Builder
	fmt.Fprintf(&b, `# fish completion for %[1]s
function %[2]s_at
  set -l words (commandline -opc)
  set -l at
  set -l skip
  set -l api
  test "$ETCDCTL_API" = 3; and set api "%[5]s"
  set -l known %[3]s
  for word in $words[2..]
    if test -n "$skip"
      set skip
      continue
    end
    contains -- $word %[4]s; and set skip 1
    set -l next $at $word
    if contains -- "$api$next" $known
      set at $next
    end
  end
  test "$api$at" = "$argv"
end
`, command, function, quoteAll(fishPaths(table)), strings.Join(valuedOptions(table), " "), markOf(table))
	for _, c := range table {
		condition := fmt.Sprintf("-n '%s_at %s'", function, c.path)
		for _, sub := range c.commands {
			fmt.Fprintf(&b, "complete -c %s -f %s -a %s -d %s\n", command, condition, sub.Name, shellQuote(sub.Usage))
		}
		for _, flag := range c.flags {
			kind := "-l " + strings.TrimLeft(flag, "-")
			if !strings.HasPrefix(flag, "--") {
				kind = "-s " + strings.TrimLeft(flag, "-")
			}
			if slices.Contains(c.values, flag) {
				kind += " -r"
			}
			fmt.Fprintf(&b, "complete -c %s %s %s\n", command, condition, kind)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// valuedOptions returns the options that take a value in every command that has them.
func valuedOptions(table []*completion) []string {
	var valued []string
	switches := map[string]bool{}
	for _, c := range table {
		for _, flag := range c.flags {
			if !slices.Contains(c.values, flag) {
				switches[flag] = true
			} else if !slices.Contains(valued, flag) {
				valued = append(valued, flag)
			}
		}
	}
	return slices.DeleteFunc(valued, func(flag string) bool { return switches[flag] })
}

// fishPaths returns every path of commands that can be typed.
func fishPaths(table []*completion) []string {
	var paths []string
	for _, c := range table {
		if c.path != "" {
			paths = append(paths, c.path)
		}
	}
	return paths
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellQuote(word)
	}
	return strings.Join(quoted, " ")
}

// shellQuote quotes for fish, where a backslash and a quote are escaped inside single quotes.
func shellQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
