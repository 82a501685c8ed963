// Package wire encodes and decodes what clients and the server say to each
// other over a WebSocket.
//
// It owns the bytes: the subprotocol names, the compression envelope, row lists
// and, in the packages v1 and v2, the messages. It promises that every encoder
// is byte exact and every decoder bounded by the bytes it is given. It knows no
// socket, no session and no database; spec 05 §5–8 is its source.
package wire

import "strings"

// A Protocol is one of the four subprotocols a client can choose (spec 05 §1).
type Protocol uint8

const (
	V1JSON Protocol = iota + 1
	V1Binary
	V2
	V3
)

// preference lists the protocols in the order in which the server picks.
var preference = [...]Protocol{V3, V2, V1Binary, V1JSON}

// String returns the subprotocol name as it stands in Sec-WebSocket-Protocol.
func (p Protocol) String() string {
	switch p {
	case V1JSON:
		return "v1.json.spacetimedb"
	case V1Binary:
		return "v1.bsatn.spacetimedb"
	case V2:
		return "v2.bsatn.spacetimedb"
	case V3:
		return "v3.bsatn.spacetimedb"
	}
	return "unknown protocol"
}

// Version is 1, 2 or 3.
func (p Protocol) Version() int {
	switch p {
	case V2:
		return 2
	case V3:
		return 3
	}
	return 1
}

// Format is how the protocol writes row updates.
func (p Protocol) Format() Format {
	switch p {
	case V1JSON:
		return FormatV1JSON
	case V1Binary:
		return FormatV1
	}
	return FormatV2
}

// Negotiate picks the protocol from the values of all Sec-WebSocket-Protocol
// headers: the server's preference decides, names compare exactly (spec 05 §2.2).
func Negotiate(headers []string) (Protocol, bool) {
	for _, p := range preference {
		name := p.String()
		for _, h := range headers {
			for _, offered := range strings.Split(h, ",") {
				if strings.TrimSpace(offered) == name {
					return p, true
				}
			}
		}
	}
	return 0, false
}

// A Format is one of the three encodings of row updates. A query's delta is
// encoded once per format and shared by all clients of that format.
type Format uint8

const (
	FormatV1     Format = iota // v1.bsatn
	FormatV1JSON               // v1.json: rows are strings of JSON text
	FormatV2                   // v2.bsatn and v3.bsatn
	NumFormats   = 3
)

// MaxClientMessage is the size limit of one message from a client, over all its
// fragments (spec 05 §5.1).
const MaxClientMessage = 32 << 20

// MaxV3Payload bounds the sum of message sizes packed into one v3 payload; a
// single larger message goes alone (spec 05 §8.3).
const MaxV3Payload = 512 << 10

// MaxV3Messages bounds the number of messages in one v3 payload.
const MaxV3Messages = 4096
