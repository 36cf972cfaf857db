package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"pando/ctl/program"
)

// TestDocsHelp makes sure that the pages that --help names are there.
func TestDocsHelp(t *testing.T) {
	for _, name := range regexp.MustCompile(`(?m)^  (\S+\.md) `).FindAllStringSubmatch(program.HelpText(), -1) {
		if _, err := os.Stat(name[1]); err != nil {
			t.Errorf("--help: %v", err)
		}
	}
}

// TestDocsFlags makes sure that every flag of pando that the pages name exists. The flags of other programs stand
// behind the name of their program.
func TestDocsFlags(t *testing.T) {
	known := knownFlags()
	seen := map[string]bool{}
	for _, page := range docPages(t) {
		for _, use := range flagsIn(page.text) {
			seen[use.flag] = true
			if !known[use.flag] {
				t.Errorf("%s:%d: --%s is no flag of pando; write the flag of another program with the program in front",
					page.file, use.line, use.flag)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d flags found", len(seen))
	}
}

// TestDocsPackages makes sure that every package says what it is for.
func TestDocsPackages(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(file)
		documented[dir] = documented[dir] || explains(f.Doc)
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment: put one into %s", dir, filepath.Join(dir, "doc.go"))
		}
	}
}

// explains reports whether a package comment says more than one line.
func explains(doc *ast.CommentGroup) bool {
	return doc != nil && strings.Count(doc.Text(), "\n") > 1
}

// docPage is one Markdown file.
type docPage struct{ file, text string }

func docPages(t *testing.T) []docPage {
	t.Helper()
	var pages []docPage
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && len(name) > 1 && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		pages = append(pages, docPage{filepath.ToSlash(name), string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

var (
	inlineCode  = regexp.MustCompile("`([^`\n]+)`")
	longFlag    = regexp.MustCompile(`(?:^|[\s\[(|])--([a-z][a-z0-9-]*)`)
	clientCall  = regexp.MustCompile(`\bpando ctl\b`) // it parses its flags itself
	commandHead = regexp.MustCompile(`^(?:\$ )?(?:sudo )?(?:[A-Z_]+=\S+ )*(?:\S*/)?(pando|go run \.) `)
)

// knownFlags are the flags of the server and of all its commands.
func knownFlags() map[string]bool {
	app := program.NewApp(nil, nil)
	known := map[string]bool{"help": true}
	for _, f := range app.Flags {
		known[f.Names()[0]] = true
	}
	addCommandFlags(known, app.Commands)
	return known
}

func addCommandFlags(known map[string]bool, commands []*cli.Command) {
	for _, c := range commands {
		for _, f := range c.Flags {
			for _, name := range f.Names() {
				known[name] = true
			}
		}
		addCommandFlags(known, c.Subcommands)
	}
}

// flagUse is a flag of pando at a line of a page.
type flagUse struct {
	flag string
	line int
}

// flagsIn finds the flags in code that begins with two dashes or with pando.
func flagsIn(text string) []flagUse {
	var uses []flagUse
	fenced, continued := false, false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		var codes []string
		if !fenced {
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				codes = append(codes, m[1])
			}
		} else if command := strings.TrimSpace(line); continued || commandHead.MatchString(command) {
			codes = append(codes, "pando "+command)
			continued = strings.HasSuffix(command, `\`)
		}
		for _, code := range codes {
			if !strings.HasPrefix(code, "--") && !commandHead.MatchString(code) || clientCall.MatchString(code) {
				continue
			}
			for _, m := range longFlag.FindAllStringSubmatch(code, -1) {
				uses = append(uses, flagUse{m[1], i + 1})
			}
		}
	}
	return uses
}
