package ctl

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// editFile is the file that the editor opens. It is in a directory of its own, which only the user can read: editors put other files
// beside it.
type editFile struct {
	dir, path   string
	content     string // what was written to it at first
	hex         bool   // the file has the bytes as hexadecimal digits
	keepNewline bool
	written     bool // the text was written to the server, or there is none
}

// newEditFile makes a file with a value. Its name ends as the key, so that editors recognize the syntax.
func newEditFile(key, value string, asHex, keepNewline bool) (*editFile, error) {
	dir, err := os.MkdirTemp("", "pando-edit-") // 0700
	if err != nil {
		return nil, err
	}
	f := &editFile{dir: dir, path: filepath.Join(dir, fileName(key)), content: value, hex: asHex, keepNewline: keepNewline}
	if asHex {
		f.content = hexLines(value)
	}
	if err := os.WriteFile(f.path, []byte(f.content), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir)) // a part of the value may be in it
	}
	return f, nil
}

// fileName returns the last part of a key as a name that is safe in a shell and not too long.
func fileName(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	const longest = 100
	name = name[max(0, len(name)-longest):]
	if strings.Trim(name, ".-") == "" {
		return "value"
	}
	return strings.TrimLeft(name, ".-")
}

// changed reports whether the file no longer has the value that it had at first, or can't be read.
func (f *editFile) changed() bool {
	data, err := os.ReadFile(f.path)
	return err != nil || string(data) != f.content
}

// hasUnsaved reports whether there are other files beside the file, apart from backups (name~). Then an editor was killed, or still runs,
// and they may have a text that the user has not saved.
func (f *editFile) hasUnsaved() bool {
	entries, err := os.ReadDir(f.dir)
	return err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Name() != filepath.Base(f.path) && !strings.HasSuffix(e.Name(), "~")
	})
}

// run runs the editor. The shell splits the command, so that it can have arguments. It survives CTRL+C, which is for the editor.
func (f *editFile) run(editor string, stdin io.Reader, stdout, stderr io.Writer) error {
	cmd := exec.Command("/bin/sh", "-c", "trap : INT; "+editor+` "$1"`, "edit", f.path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %q failed: %w; nothing was written. --editor, $VISUAL or $EDITOR name another one", editor, err)
	}
	return nil
}

// value returns the value that the file stands for. old is the value that is edited.
func (f *editFile) value(old string) (string, error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return "", fmt.Errorf("the file is gone: %w", err)
	}
	if f.hex {
		return parseHexLines(string(data))
	}
	text := string(data)
	if f.keepNewline || strings.HasSuffix(old, "\n") {
		return text, nil
	}
	text, ended := strings.CutSuffix(text, "\n")
	if ended && strings.Contains(old, "\r\n") && !strings.HasSuffix(old, "\r") {
		text = strings.TrimSuffix(text, "\r") // editors end the last line as the others
	}
	return text, nil
}

// hexLines returns bytes as lines of 16 pairs of digits, each with the bytes as text behind a "#".
func hexLines(value string) string {
	var b strings.Builder
	b.WriteString("# the bytes of the value as hexadecimal digits; what follows a # on a line is ignored\n")
	for len(value) > 0 {
		line := value[:min(16, len(value))]
		value = value[len(line):]
		text := strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, string(asLatin1(line)))
		fmt.Fprintf(&b, "% -47x  # %s\n", line, text)
	}
	return b.String()
}

// asLatin1 returns a character for each byte.
func asLatin1(s string) []rune {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return runes
}

// parseHexLines returns the bytes of lines as hexLines makes them. Blanks do not matter.
func parseHexLines(text string) (string, error) {
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	data, err := hex.DecodeString(digits.String())
	if err != nil {
		return "", fmt.Errorf("the file must have pairs of hexadecimal digits: %w", err)
	}
	return string(data), nil
}

// interrupts holds back CTRL+C while an editor runs: the terminal sends it to the editor and to this process.
type interrupts struct {
	signals chan os.Signal
	cancel  context.CancelFunc
	editing chan bool
	done    chan struct{}
}

// holdInterrupts returns a context that CTRL+C ends only while no editor runs. The caller must call stop.
func holdInterrupts(ctx context.Context) (context.Context, *interrupts) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	i := &interrupts{signals: make(chan os.Signal, 1), cancel: cancel, editing: make(chan bool), done: make(chan struct{})}
	signal.Notify(i.signals, os.Interrupt)
	go func() {
		editing := false
		for {
			select {
			case editing = <-i.editing:
				select {
				case <-i.signals: // it was for the editor that has just ended
				default:
				}
			case <-i.signals:
				if !editing {
					cancel()
				}
			case <-i.done:
				return
			}
		}
	}()
	return own, i
}

// during calls run, and holds back CTRL+C until run returns.
func (i *interrupts) during(run func() error) error {
	i.editing <- true
	defer func() { i.editing <- false }()
	return run()
}

// stop ends the holding back.
func (i *interrupts) stop() {
	signal.Stop(i.signals)
	close(i.done)
	i.cancel()
}
