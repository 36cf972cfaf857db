package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// deadline is a generous time limit for each step of these tests.
const deadline = 20 * time.Second

type metadataKey struct{}

var errOdd = status.Error(codes.DataLoss, "100% lost: \u00e4\n")

// text is a Message.
type text string

func (t text) Size() int                { return len(t) + 20 }
func (t text) AppendTo(b []byte) []byte { return append(append(b, 10, byte(len(t))), t...) }

// long is a Message that is longer than maxUnsent. encoded receives a value when the message is encoded.
type long struct{ encoded chan error }

func (long) Size() int { return maxUnsent + 1<<20 }

func (l long) AppendTo(b []byte) []byte {
	l.encoded <- nil
	return append(b, make([]byte, l.Size())...)
}

// testMethods are the methods of the servers in these tests. ended receives nil at the beginning of each call of Wait, and the error of its
// context at the end.
func testMethods(ended chan error) map[string]Method {
	unary := func(do func(ctx context.Context, request []byte) (any, error)) Method {
		return Method{Unary: func(ctx context.Context, decode func(any) error) (any, error) {
			var r wrapperspb.BytesValue
			if err := decode(&r); err != nil {
				return nil, err
			}
			return do(ctx, r.Value)
		}}
	}
	return map[string]Method{
		"/a.B/Echo": unary(func(_ context.Context, b []byte) (any, error) { return wrapperspb.Bytes(b), nil }),
		"/a.B/Yield": unary(func(ctx context.Context, b []byte) (any, error) {
			MayWait(ctx)
			MayWait(ctx)
			return wrapperspb.Bytes(b), nil
		}),
		"/a.B/Late": {Unary: func(ctx context.Context, decode func(any) error) (any, error) {
			MayWait(ctx) // before the request is decoded
			var r wrapperspb.BytesValue
			err := decode(&r)
			return &r, err
		}},
		"/a.B/Wait": unary(func(ctx context.Context, b []byte) (any, error) {
			MayWait(ctx)
			ended <- nil // the call has begun
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, status.FromContextError(ctx.Err()).Err()
		}),
		"/a.B/Fail": unary(func(context.Context, []byte) (any, error) { return nil, errOdd }),
		"/a.B/Text": unary(func(context.Context, []byte) (any, error) { return text("hello"), nil }),
		"/a.B/Long": {Unary: func(context.Context, func(any) error) (any, error) { return long{ended}, nil }},
		"/a.B/Metadata": unary(func(ctx context.Context, b []byte) (any, error) {
			return text(strings.Join(ctx.Value(metadataKey{}).(metadata.MD)[string(b)], ",")), nil
		}),
		"/a.B/Hang": {Stream: func(s grpc.ServerStream) error {
			<-s.Context().Done()
			return nil
		}},
		"/a.B/EchoAll": {Stream: func(s grpc.ServerStream) error {
			for {
				var r wrapperspb.BytesValue
				if err := s.RecvMsg(&r); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					ended <- err
					return err
				}
				if err := s.SendMsg(&r); err != nil {
					return err
				}
			}
		}},
	}
}

// serve starts a server and returns it with its address.
func serve(t *testing.T, change func(*Config)) (s *Server, address string, ended chan error) {
	t.Helper()
	ended = make(chan error, 100)
	cfg := Config{
		Methods: testMethods(ended), MaxMessageBytes: 4 << 20,
		NewContext: func(_ net.Conn, md metadata.MD) context.Context {
			return context.WithValue(context.Background(), metadataKey{}, md)
		},
	}
	if change != nil {
		change(&cfg)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = New(cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve returns %v", err)
		}
	})
	return s, l.Addr().String(), ended
}

func dialClient(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test is over
	return c
}

func call(ctx context.Context, c *grpc.ClientConn, method string, request []byte) ([]byte, error) {
	var r wrapperspb.BytesValue
	err := c.Invoke(ctx, "/a.B/"+method, wrapperspb.Bytes(request), &r)
	return r.Value, err
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func TestCalls(t *testing.T) {
	_, address, _ := serve(t, nil)
	c := dialClient(t, address)
	for _, method := range []string{"Echo", "Yield", "Late"} {
		for _, size := range []int{0, 1, 100, maxFrame - 10, maxFrame, 100_000, 3 << 20} {
			want := bytes.Repeat([]byte{'v'}, size)
			got, err := call(testContext(t), c, method, want)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s of %d bytes: got %d bytes, %v", method, size, len(got), err)
			}
		}
	}
	if got, err := call(testContext(t), c, "Text", nil); err != nil || string(got) != "hello" {
		t.Errorf("a Message: got %q, %v", got, err)
	}
}

func TestConcurrentCalls(t *testing.T) {
	_, address, _ := serve(t, nil)
	c := dialClient(t, address)
	ctx := testContext(t)
	var running sync.WaitGroup
	for client := range 32 {
		running.Go(func() {
			for i := range 50 {
				method := []string{"Echo", "Yield", "Late"}[(client+i)%3]
				want := bytes.Repeat([]byte{byte(client), byte(i)}, 10+i*i%3000)
				if got, err := call(ctx, c, method, want); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got %d bytes of %d, %v", method, len(got), len(want), err)
					return
				}
			}
		})
	}
	running.Wait()
}

func TestErrors(t *testing.T) {
	_, address, _ := serve(t, nil)
	c := dialClient(t, address)
	for name, test := range map[string]struct {
		method string
		size   int
		want   error
	}{
		"text":            {"/a.B/Fail", 1, errOdd},
		"unknown method":  {"/a.B/None", 1, status.Error(codes.Unimplemented, "unknown method None for service a.B")},
		"unknown service": {"/c.D/Echo", 1, status.Error(codes.Unimplemented, "unknown service c.D")},
		"too large": {"/a.B/Echo", 5 << 20,
			status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5242885 vs. 4194304)")},
	} {
		t.Run(name, func(t *testing.T) {
			var r wrapperspb.BytesValue
			err := c.Invoke(testContext(t), test.method, wrapperspb.Bytes(make([]byte, test.size)), &r)
			if status.Code(err) != status.Code(test.want) || status.Convert(err).Message() != status.Convert(test.want).Message() {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got, err := call(testContext(t), c, "Echo", []byte("x")); err != nil || string(got) != "x" {
				t.Errorf("the next call: %q, %v", got, err)
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	_, address, _ := serve(t, nil)
	c := dialClient(t, address)
	for i := range 20 { // with headers that enter the table, and with others
		ctx := metadata.AppendToOutgoingContext(testContext(t), "one", "a", "one", strings.Repeat("b", i%3), "two-bin", "\x00\xff")
		if got, err := call(ctx, c, "Metadata", []byte("one")); err != nil || string(got) != "a,"+strings.Repeat("b", i%3) {
			t.Fatalf("got %q, %v", got, err)
		}
		if got, err := call(ctx, c, "Metadata", []byte("two-bin")); err != nil || string(got) != "\x00\xff" {
			t.Fatalf("got %q, %v", got, err)
		}
		if got, err := call(testContext(t), c, "Metadata", []byte("one")); err != nil || len(got) > 0 {
			t.Fatalf("metadata of another call: got %q, %v", got, err)
		}
	}
}

func TestCallEnds(t *testing.T) {
	_, address, ended := serve(t, nil)
	c := dialClient(t, address)
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := call(ctx, c, "Wait", nil)
		<-ended
		if got := <-ended; status.Code(err) != codes.DeadlineExceeded || got == nil {
			t.Errorf("got %v, and %v in the handler", err, got)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-ended
			cancel()
		}()
		_, err := call(ctx, c, "Wait", nil)
		if got := <-ended; status.Code(err) != codes.Canceled || !errors.Is(got, context.Canceled) {
			t.Errorf("got %v, and %v in the handler", err, got)
		}
	})
	t.Run("connection", func(t *testing.T) {
		other := dialClient(t, address)
		go func() { _, _ = call(context.Background(), other, "Wait", nil) }() // ends with the connection
		<-ended
		_ = other.Close() // ends the call
		if got := <-ended; !errors.Is(got, context.Canceled) {
			t.Errorf("got %v in the handler", got)
		}
	})
}

func openStream(t *testing.T, ctx context.Context, c *grpc.ClientConn) grpc.ClientStream {
	t.Helper()
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/a.B/EchoAll")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange sends a message and receives it.
func exchange(t *testing.T, s grpc.ClientStream) {
	t.Helper()
	if err := s.SendMsg(wrapperspb.Bytes([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(&wrapperspb.BytesValue{}); err != nil {
		t.Fatal(err)
	}
}

func TestStreams(t *testing.T) {
	_, address, ended := serve(t, nil)
	c := dialClient(t, address)
	t.Run("messages", func(t *testing.T) {
		s := openStream(t, testContext(t), c)
		const count, size = 300, 20_000 // more than the windows
		go func() {
			for i := range count {
				if err := s.SendMsg(wrapperspb.Bytes(bytes.Repeat([]byte{byte(i)}, size))); err != nil {
					t.Errorf("sending: %v", err)
					return
				}
			}
			_ = s.CloseSend() // its error is always nil
		}()
		for i := range count {
			var r wrapperspb.BytesValue
			if err := s.RecvMsg(&r); err != nil || len(r.Value) != size || r.Value[0] != byte(i) {
				t.Fatalf("message %d: %d bytes, %v", i, len(r.Value), err)
			}
		}
		if err := s.RecvMsg(&wrapperspb.BytesValue{}); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	})
	t.Run("large message", func(t *testing.T) {
		s := openStream(t, testContext(t), c)
		want := make([]byte, 3<<20)
		if err := s.SendMsg(wrapperspb.Bytes(want)); err != nil {
			t.Fatal(err)
		}
		var r wrapperspb.BytesValue
		if err := s.RecvMsg(&r); err != nil || len(r.Value) != len(want) {
			t.Errorf("got %d bytes, %v", len(r.Value), err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		exchange(t, openStream(t, ctx, c))
		cancel()
		if err := <-ended; status.Code(err) != codes.Canceled {
			t.Errorf("RecvMsg of the handler returns %v", err)
		}
	})
	t.Run("client that reads nothing", func(t *testing.T) {
		s := openStream(t, testContext(t), c)
		sent := make(chan struct{})
		go func() { // fills all windows
			defer close(sent)
			for range 100 {
				if s.SendMsg(wrapperspb.Bytes(make([]byte, 100_000))) != nil {
					return
				}
			}
		}()
		for range 20 {
			if _, err := call(testContext(t), c, "Yield", []byte("x")); err != nil {
				t.Fatalf("a call beside it: %v", err)
			}
		}
		for range 100 {
			if err := s.RecvMsg(&wrapperspb.BytesValue{}); err != nil {
				t.Fatal(err)
			}
		}
		<-sent
	})
}

func TestShutdown(t *testing.T) {
	s, address, ended := serve(t, nil)
	c := dialClient(t, address)
	stream := openStream(t, testContext(t), c)
	exchange(t, stream)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	if _, err := call(testContext(t), dialClient(t, address), "Echo", nil); status.Code(err) != codes.Unavailable {
		t.Errorf("a new connection: %v", err)
	}
	exchange(t, stream)
	select {
	case err := <-done:
		t.Errorf("Shutdown returns %v while there is a stream", err)
	default:
	}
	_ = stream.CloseSend() // its error is always nil
	if err := stream.RecvMsg(&wrapperspb.BytesValue{}); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown returns %v", err)
	}
	if len(ended) > 0 {
		t.Errorf("a handler has got %v", <-ended)
	}
}

func TestShutdownTimeout(t *testing.T) {
	s, address, ended := serve(t, nil)
	openStream(t, testContext(t), dialClient(t, address))
	c := dialClient(t, address)
	go func() { _, _ = call(context.Background(), c, "Wait", nil) }() // ends with the connection
	<-ended
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returns %v", err)
	}
	<-ended
}
