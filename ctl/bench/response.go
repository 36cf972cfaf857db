package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// errResponse is wrapped by every error about bytes that are no HTTP/1.x response.
var errResponse = errors.New("not an HTTP/1.x response")

// maxBody is the longest body, and the longest chunk, in bytes. A greater length is an error.
const maxBody = 1 << 30

// lengthUntilClose is the length of a response without one: the body ends when the server closes the connection.
const lengthUntilClose = -1

// A head has the parts of a status line and headers that the load generator needs.
type head struct {
	status  int
	length  int64 // of the body in bytes, or lengthUntilClose
	chunked bool
	closing bool // the server closes the connection after this response
}

// readHead reads a status line and the headers up to the empty line. It allocates only on failure.
func readHead(br *bufio.Reader) (head, error) {
	line, err := readLine(br)
	if err != nil {
		return head{}, err
	}
	h := head{length: lengthUntilClose}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' {
		return head{}, fmt.Errorf("%w: status line %q", errResponse, line)
	}
	status, ok := parseDecimal(line[9:12])
	if !ok {
		return head{}, fmt.Errorf("%w: status line %q", errResponse, line)
	}
	h.status = int(status)
	h.closing = line[7] == '0' // HTTP/1.0 closes, unless a header says otherwise
	for {
		line, err = readLine(br)
		if err != nil {
			return head{}, unexpected(err)
		}
		if len(line) == 0 {
			break
		}
		if err := h.header(line); err != nil {
			return head{}, err
		}
	}
	if h.status == 204 || h.status == 304 {
		h.length, h.chunked = 0, false
	}
	if h.length == lengthUntilClose && !h.chunked {
		h.closing = true
	}
	return h, nil
}

// header parses one header line. The first letter and the length are enough to skip nearly every line.
func (h *head) header(line []byte) error {
	switch line[0] | 0x20 {
	case 'c':
		if v, ok := headerValue(line, "content-length"); ok {
			n, ok := parseDecimal(v)
			if !ok || n > maxBody {
				return fmt.Errorf("%w: header %q", errResponse, line)
			}
			h.length = int64(n)
		} else if v, ok := headerValue(line, "connection"); ok {
			h.closing = bytes.EqualFold(v, []byte("close"))
		}
	case 't':
		if v, ok := headerValue(line, "transfer-encoding"); ok {
			h.chunked = bytes.EqualFold(v, []byte("chunked"))
		}
	}
	return nil
}

// headerValue returns the value of a line, if its header is name. name must be in lower case.
func headerValue(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		c := line[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != name[i] {
			return nil, false
		}
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// appendBody appends the whole body after h to buf and returns it. If buf has room for it, nothing is allocated.
func appendBody(br *bufio.Reader, h head, buf []byte) ([]byte, error) {
	if !h.chunked {
		if h.length == lengthUntilClose {
			return appendUntilClose(br, buf)
		}
		return appendN(br, int(h.length), buf)
	}
	for {
		n, err := readChunkSize(br)
		if err != nil {
			return buf, err
		}
		if n == 0 {
			return buf, skipTrailer(br)
		}
		if buf, err = appendN(br, n, buf); err != nil {
			return buf, err
		}
		if err := endChunk(br); err != nil {
			return buf, err
		}
	}
}

func appendN(br *bufio.Reader, n int, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf, n)
	got, err := io.ReadFull(br, buf[len(buf):len(buf)+n])
	return buf[:len(buf)+got], unexpected(err)
}

func appendUntilClose(br *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		buf = slices.Grow(buf, 512)
		n, err := br.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if len(buf) > maxBody {
			return buf, fmt.Errorf("%w: the body does not end", errResponse)
		}
	}
}

// readChunkSize reads the line before a chunk. A size of zero is the last chunk; the caller must skip the trailer after it.
func readChunkSize(br *bufio.Reader) (int, error) {
	line, err := readLine(br)
	if err != nil {
		return 0, unexpected(err)
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimSpace(digits)
	n := 0
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return 0, fmt.Errorf("%w: chunk size %q", errResponse, line)
		}
		if n > maxBody {
			return 0, fmt.Errorf("%w: chunk size %q", errResponse, line)
		}
	}
	if len(digits) == 0 {
		return 0, fmt.Errorf("%w: chunk size %q", errResponse, line)
	}
	return n, nil
}

// endChunk reads the line break after the bytes of a chunk.
func endChunk(br *bufio.Reader) error {
	line, err := readLine(br)
	if err != nil {
		return unexpected(err)
	}
	if len(line) != 0 {
		return fmt.Errorf("%w: %q after a chunk", errResponse, line)
	}
	return nil
}

// skipTrailer reads up to the empty line after the last chunk.
func skipTrailer(br *bufio.Reader) error {
	for {
		line, err := readLine(br)
		if err != nil {
			return unexpected(err)
		}
		if len(line) == 0 {
			return nil
		}
	}
}

// readLine returns a line without its line break. The line is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%w: a header line of more than %d bytes", errResponse, br.Size())
	}
	if err != nil {
		if len(line) > 0 {
			return nil, unexpected(err)
		}
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// parseDecimal parses an unsigned number that consists of digits only.
func parseDecimal(digits []byte) (uint64, bool) {
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || '9' < c {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// unexpected returns io.ErrUnexpectedEOF in place of io.EOF, for an error in the middle of a response.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
