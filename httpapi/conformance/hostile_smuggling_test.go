package conformance

import (
	"strings"

	"pando/members/servertest"
)

// smugglingCases are requests that two servers, such as a proxy and a member behind it, could interpret in different ways.
var smugglingCases = []wireCase{
	{name: "two Hosts", send: "GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", want: servertest.Status400},
	{name: "one Host twice", send: "GET /version HTTP/1.1\r\nHost: a\r\nHost: a\r\nConnection: close\r\n\r\n", want: servertest.Status400},
	{name: "malformed Host", send: "GET /version HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", want: servertest.Status400},
	{name: "a whole URL with another Host", send: request("GET http://a/v2/keys/", "", ""), want: servertest.Status200},
	{name: "a whole URL of another scheme", send: request("GET gopher://a/v2/keys/", "", ""), want: servertest.Status200},
	{name: "tunnel", send: "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\nConnection: close\r\n\r\n", want: "HTTP/1.1 404 "},
	{name: "folded header", send: request("GET /version", "X-A: a\r\n b: c\r\n", ""), want: servertest.Status200},
	{
		name: "length with a sign",
		send: request("PUT /v2/keys/s", servertest.FormHeader+"Content-Length: +7\r\n", "value=1"),
		want: servertest.Status400,
	},
	{
		name: "list of lengths",
		send: request("PUT /v2/keys/s", servertest.FormHeader+"Content-Length: 7, 7\r\n", "value=1"),
		want: servertest.Status400,
	},
	{
		name: "chunked twice",
		send: request("PUT /v2/keys/s", servertest.FormHeader+servertest.ChunkedHeader+servertest.ChunkedHeader, "7\r\nvalue=1\r\n0\r\n\r\n"),
		want: "HTTP/1.1 501 ",
	},
	{
		name: "list of transfer codings",
		send: request("PUT /v2/keys/s", servertest.FormHeader+"Transfer-Encoding: identity, chunked\r\n", "7\r\nvalue=1\r\n0\r\n\r\n"),
		want: "HTTP/1.1 501 ",
	},
	{
		name:      "transfer coding with a control character",
		send:      request("PUT /v2/keys/s", servertest.FormHeader+"Transfer-Encoding: \x0bchunked\r\n", "7\r\nvalue=1\r\n0\r\n\r\n"),
		want:      servertest.Status400,
		reference: "HTTP/1.1 501 ",
	},
	{
		name: "space before the colon of a transfer coding",
		send: request("PUT /v2/keys/s", servertest.FormHeader+"Transfer-Encoding : chunked\r\n", "7\r\nvalue=1\r\n0\r\n\r\n"),
		want: servertest.Status400,
	},
	{
		name: "chunk size with a prefix",
		send: request("PUT /v2/keys/s", servertest.FormHeader+servertest.ChunkedHeader, "0x7\r\nvalue=1\r\n0\r\n\r\n"),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "chunk with an endless extension",
		send: request("PUT /v2/keys/s", servertest.FormHeader+servertest.ChunkedHeader,
			"7;"+strings.Repeat("x", 64<<10)+"\r\nvalue=1\r\n0\r\n\r\n"),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "a request in the body of another",
		send: "GET /version HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 40\r\n\r\n" +
			"DELETE /v2/keys/s HTTP/1.1\r\nHost: x\r\n\r\nx" + request("GET /v2/keys/", "", ""),
		want: servertest.Status200,
		text: `"action":"get"`,
	},
}
