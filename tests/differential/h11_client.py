"""What h11 makes of a response: cases come by standard input, outcomes go to standard output, a
line of JSON each. The format is README.md's, beside this file.

The "connection" gives its bytes, is quiet then, and ends only when h11 asks for more. So it is
seen what needs the end and what does not.
"""

import json
import sys

import h11

# What longwire takes in a head.
HEAD_BYTES_MAX = 64 * 1024


def outcome(method: str, reply: bytes) -> dict:
    peer = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    peer.send(h11.Request(method=method, target="/", headers=[("Host", "peer.test")]))
    peer.send(h11.EndOfMessage())
    result, body, is_over = {}, bytearray(), False
    try:
        peer.receive_data(reply)
        while True:
            event = peer.next_event()
            if event is h11.NEED_DATA:
                is_over = True
                peer.receive_data(b"")
            elif isinstance(event, h11.Response):
                result["status"] = event.status_code
                result["fields"] = [[name.decode(), value.hex()] for name, value in event.headers]
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                result["end"] = "complete"
                quiet = not is_over and not peer.trailing_data[0]
                result["reuse"] = quiet and peer.our_state is h11.DONE and peer.their_state is h11.DONE
                break
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                result["end"], result["why"] = "refused", str(event)
                break
    except h11.RemoteProtocolError as error:
        result["end"], result["why"] = "cut" if is_over else "refused", str(error)
    result["body"] = body.hex()
    return result


def main() -> None:
    for line in sys.stdin:
        case = json.loads(line)
        try:
            result = outcome(case["method"], bytes.fromhex(case["bytes"]))
        except Exception as error:  # a fault of h11's own is an outcome, too
            result = {"end": "refused", "why": f"{type(error).__name__}: {error}"}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
