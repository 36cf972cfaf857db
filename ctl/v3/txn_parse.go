package v3

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// comparePattern is a condition of txn: target("key") operator "value".
var comparePattern = regexp.MustCompile(`^\s*(\w+)\s*\(\s*("(?:[^"\\]|\\.)*")\s*\)\s*(\S+?)\s*("(?:[^"\\]|\\.)*")\s*$`)

// operators are the relations of a condition.
var operators = map[string]pb.Compare_CompareResult{
	"=": pb.Compare_EQUAL, "!=": pb.Compare_NOT_EQUAL, ">": pb.Compare_GREATER, "<": pb.Compare_LESS,
}

// parseCompare reads a condition.
func parseCompare(line string) (*pb.Compare, error) {
	malformed := func(because string) error { return fail(exitInvalidInput, "malformed comparison: %s%s", line, because) }
	words := comparePattern.FindStringSubmatch(line)
	if words == nil {
		return nil, malformed(`; write it as mod("key") > "0"`)
	}
	key, err := strconv.Unquote(words[2])
	if err != nil {
		return nil, malformed(" (the key has a wrong escape)")
	}
	value, err := strconv.Unquote(words[4])
	if err != nil {
		return nil, malformed(" (the value has a wrong escape)")
	}
	result, known := operators[words[3]]
	if !known {
		return nil, malformed(fmt.Sprintf(" (unknown operator %s; there are =, !=, < and >)", words[3]))
	}
	compare := &pb.Compare{Key: []byte(key), Result: result}
	number, base := int64(0), 10
	if words[1] == "lease" {
		base = 16
	}
	if words[1] != "val" && words[1] != "value" {
		if number, err = strconv.ParseInt(value, base, 64); err != nil {
			err = fail(exitInvalidInput, "invalid txn compare request: %s", line)
		}
	}
	switch words[1] {
	case "ver", "version":
		compare.Target, compare.TargetUnion = pb.Compare_VERSION, &pb.Compare_Version{Version: number}
	case "c", "create":
		compare.Target, compare.TargetUnion = pb.Compare_CREATE, &pb.Compare_CreateRevision{CreateRevision: number}
	case "m", "mod":
		compare.Target, compare.TargetUnion = pb.Compare_MOD, &pb.Compare_ModRevision{ModRevision: number}
	case "lease":
		compare.Target, compare.TargetUnion = pb.Compare_LEASE, &pb.Compare_Lease{Lease: number}
	case "val", "value":
		compare.Target, compare.TargetUnion = pb.Compare_VALUE, &pb.Compare_Value{Value: []byte(value)}
	default:
		return nil, malformed(fmt.Sprintf(" (unknown target %s)", words[1]))
	}
	return compare, err
}

// parseOperation reads an operation: put, get or del with their options.
func (p *program) parseOperation(line string) (*pb.RequestOp, error) {
	invalid := func(err error) error { return fail(exitInvalidInput, "invalid txn request: %s: %w", line, err) }
	words, err := splitWords(line)
	if err != nil {
		return nil, invalid(err)
	}
	if len(words) == 0 {
		return nil, fail(exitInvalidInput, "invalid txn request: %s", line)
	}
	var operation *pb.RequestOp
	var put putOptions
	var get getOptions
	var del delOptions
	switch words[0] {
	case "put":
		err = parseWords(put.flags(), words, func(args []string) (err error) {
			request, err := put.request(args)
			operation = &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: request}}
			return err
		})
	case "get":
		err = parseWords(get.flags(), words, func(args []string) error {
			request, err := get.request(args)
			operation = &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: request}}
			return err
		})
	case "del":
		err = parseWords(del.flags(), words, func(args []string) error {
			request, err := del.request(args)
			operation = &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: request}}
			return err
		})
	default:
		return nil, fail(exitInvalidInput, "invalid txn request: %s", line)
	}
	return operation, err
}

// parseWords parses the flags of a command that is a line of the input, and calls run with its arguments. words[0] is its name.
func parseWords(flags []cli.Flag, words []string, run func(args []string) error) error {
	app := &cli.App{Name: words[0], Flags: flags, HideHelp: true, ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error { return run(c.Args().Slice()) }}
	n := &normalizer{flags: flags, globals: flags, values: map[cli.Flag]string{}}
	if err := n.walk(words[1:]); err != nil {
		return fail(exitInvalidInput, "invalid request: %s: %w", strings.Join(words, " "), err)
	}
	line := append([]string{words[0]}, n.given(flags)...)
	return app.Run(append(append(line, "--"), n.arguments...))
}

// splitWords splits a line into words at blanks. A word may have parts in quotes: "..." as in Go, '...' as it is.
func splitWords(line string) ([]string, error) {
	var words []string
	rest := strings.TrimSpace(line)
	for rest != "" {
		var word strings.Builder
		for rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			switch rest[0] {
			case '"':
				quoted, err := strconv.QuotedPrefix(rest)
				if err != nil {
					return nil, fmt.Errorf("the quotes at %s are not closed, or have a wrong escape", rest)
				}
				text, err := strconv.Unquote(quoted)
				if err != nil {
					return nil, err
				}
				word.WriteString(text)
				rest = rest[len(quoted):]
			case '\'':
				end := strings.IndexByte(rest[1:], '\'')
				if end < 0 {
					return nil, fmt.Errorf("the quotes at %s are not closed", rest)
				}
				word.WriteString(rest[1 : end+1])
				rest = rest[end+2:]
			default:
				word.WriteByte(rest[0])
				rest = rest[1:]
			}
		}
		words = append(words, word.String())
		rest = strings.TrimLeft(rest, " \t")
	}
	return words, nil
}
