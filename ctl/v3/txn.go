package v3

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/terminal"
	"pando/ctl/v3/client"
)

func (p *program) txnCommand() *cli.Command {
	interactive := false
	return p.command(&cli.Command{
		Name: "txn", Usage: "read a transaction from stdin, and execute it", ArgsUsage: " ",
		Flags: []cli.Flag{boolFlag(&interactive, "interactive", "print a title before each part of the input", "i")},
		Description: `DESCRIPTION:
   The input has three parts, each of lines and ended by an empty line: the conditions, what to do if all of them hold, and what to
   do otherwise. Nothing else happens in between, and either all of a part is done or nothing.

   A condition is mod, create, ver, val or lease of a key in quotes, then =, !=, < or >, and a text in quotes:
   val("color") = "red". An operation is put, get or del with their options. Quotes are those of Go: "two\nlines".

` + p.examples(
			`txn -i`, "type a transaction",
			`txn < move.txt`, "execute the transaction in a file"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			if c.NArg() > 0 {
				return badArguments("txn command does not accept argument")
			}
			titles := io.Discard
			if interactive {
				titles = p.stdout
			}
			request, err := p.readTxn(ctx, titles)
			if err != nil {
				return err
			}
			ctx, cancel := p.limited(ctx)
			defer cancel()
			response, err := cl.KV.Txn(ctx, request)
			if err != nil {
				return err
			}
			return p.print(answer{
				message: response, json: txnJSON(response),
				simple: func(t *text) { t.txn(response) },
				fields: func(t *text) { t.txnFields(response) },
			})
		}),
	}, answerFormats...)
}

// readTxn reads a transaction from stdin. It writes a title to titles before each part.
func (p *program) readTxn(ctx context.Context, titles io.Writer) (*pb.TxnRequest, error) {
	return terminal.Interruptible(ctx, func() (*pb.TxnRequest, error) {
		request, input := &pb.TxnRequest{}, bufio.NewReader(p.stdin)
		parts := []struct {
			title string
			add   func(line string) error
		}{
			{"compares:", func(line string) error {
				compare, err := parseCompare(line)
				request.Compare = append(request.Compare, compare)
				return err
			}},
			{"success requests (get, put, del):", func(line string) error {
				operation, err := p.parseOperation(line)
				request.Success = append(request.Success, operation)
				return err
			}},
			{"failure requests (get, put, del):", func(line string) error {
				operation, err := p.parseOperation(line)
				request.Failure = append(request.Failure, operation)
				return err
			}},
		}
		for _, part := range parts {
			if _, err := fmt.Fprintln(titles, part.title); err != nil {
				return nil, err
			}
			if err := readPart(input, part.add); err != nil {
				return nil, err
			}
		}
		return request, nil
	})
}

// readPart passes the lines before the next empty line to add.
func readPart(input *bufio.Reader, add func(line string) error) error {
	for {
		line, err := input.ReadString('\n')
		if err == io.EOF {
			return &failure{exitInvalidInput, err}
		}
		if err != nil {
			return &failure{exitIO, err}
		}
		// An empty line ends the part. A line of blanks does not.
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return nil
		}
		if err := add(line); err != nil {
			return err
		}
	}
}

// txn appends the simple form of the answer to txn.
func (t *text) txn(response *pb.TxnResponse) {
	if response.Succeeded {
		t.linef("SUCCESS")
	} else {
		t.linef("FAILURE")
	}
	for _, operation := range response.Responses {
		t.linef("")
		switch r := operation.Response.(type) {
		case *pb.ResponseOp_ResponsePut:
			t.put(r.ResponsePut)
		case *pb.ResponseOp_ResponseRange:
			t.keys(r.ResponseRange)
		case *pb.ResponseOp_ResponseDeleteRange:
			t.deleted(r.ResponseDeleteRange)
		case *pb.ResponseOp_ResponseTxn:
			t.txn(r.ResponseTxn)
		}
	}
}

func (t *text) txnFields(response *pb.TxnResponse) {
	t.header(response.Header)
	t.field("Succeeded", response.Succeeded)
	for _, operation := range response.Responses {
		switch r := operation.Response.(type) {
		case *pb.ResponseOp_ResponsePut:
			t.putFields(r.ResponsePut)
		case *pb.ResponseOp_ResponseRange:
			t.keysFields(r.ResponseRange)
		case *pb.ResponseOp_ResponseDeleteRange:
			t.deletedFields(r.ResponseDeleteRange)
		case *pb.ResponseOp_ResponseTxn:
			t.txnFields(r.ResponseTxn)
		}
	}
}

// txnResponse is the answer to txn in JSON.
type txnResponse struct {
	Header    *pb.ResponseHeader `json:"header,omitempty"`
	Succeeded bool               `json:"succeeded,omitempty"`
	Responses []txnOperation     `json:"responses,omitempty"`
}

// txnOperation is the answer to one operation of txn in JSON, by the name of its kind.
type txnOperation struct{ Response map[string]any }

func txnJSON(response *pb.TxnResponse) *txnResponse {
	list := make([]txnOperation, len(response.Responses))
	for i, operation := range response.Responses {
		switch r := operation.Response.(type) {
		case *pb.ResponseOp_ResponsePut:
			list[i].Response = map[string]any{"response_put": r.ResponsePut}
		case *pb.ResponseOp_ResponseRange:
			list[i].Response = map[string]any{"response_range": r.ResponseRange}
		case *pb.ResponseOp_ResponseDeleteRange:
			list[i].Response = map[string]any{"response_delete_range": r.ResponseDeleteRange}
		case *pb.ResponseOp_ResponseTxn:
			list[i].Response = map[string]any{"response_txn": txnJSON(r.ResponseTxn)}
		}
	}
	return &txnResponse{response.Header, response.Succeeded, list}
}
