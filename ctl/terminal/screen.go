package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is a terminal that a program draws as a whole. It shows the alternate buffer of the terminal, so that what was there before comes
// back with Close. One goroutine may call its methods.
type Screen struct {
	in, out *os.File
	before  *term.State
	keys    chan byte
}

// errNoTerminal is returned by OpenScreen for a stream that is no terminal.
var errNoTerminal = errors.New("not a terminal")

// OpenScreen takes over the terminal of input and output. Keys are no longer shown, and CTRL+C sends no signal: it is a key. The caller
// must call Close.
func OpenScreen(input io.Reader, output io.Writer) (*Screen, error) {
	if !Is(input) || !Is(output) {
		return nil, errNoTerminal
	}
	s := &Screen{in: input.(*os.File), out: output.(*os.File), keys: make(chan byte, 16)}
	var err error
	if s.before, err = term.MakeRaw(int(s.in.Fd())); err != nil {
		return nil, err
	}
	go s.readKeys()
	_, err = s.out.WriteString("\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J") // alternate buffer, no cursor, empty
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// readKeys sends what is typed to keys. It ends with the terminal: a read can't be interrupted.
func (s *Screen) readKeys() {
	defer close(s.keys)
	var b [1]byte
	for {
		if n, err := s.in.Read(b[:]); n == 0 || err != nil {
			return
		}
		s.keys <- b[0]
	}
}

// Keys returns the bytes of the keys that are pressed. It is closed when the terminal is gone.
func (s *Screen) Keys() <-chan byte { return s.keys }

// Size returns the number of columns and lines. They may change at any time.
func (s *Screen) Size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// Draw replaces what the screen shows, in one write and without clearing it first, so that it does not flicker. Lines must fit.
func (s *Screen) Draw(lines []string) error {
	var b bytes.Buffer
	b.WriteString("\x1b[H") // to the upper left
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line)
		b.WriteString("\x1b[K") // erase the rest of the line
	}
	b.WriteString("\x1b[J") // erase the rest of the screen
	_, err := s.out.Write(b.Bytes())
	return err
}

// Close gives the terminal back as it was.
func (s *Screen) Close() error {
	_, err := s.out.WriteString("\x1b[?25h\x1b[?1049l")
	return errors.Join(err, term.Restore(int(s.in.Fd()), s.before))
}
