# A server of events, for tests/sse/real_servers.rs. Each connect of a client that names the last event goes on
# after it, and meets what servers do: an answer that is cut in the middle of an event, a 503, a 204.
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

go_on = threading.Event()
busy = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))

    def plain(self, status, fields=()):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if status != 204:
            self.send_header('Content-Length', '0')
        self.end_headers()

    def do_GET(self):
        if self.path == '/go-on':
            go_on.set()
            return self.plain(200)
        last = self.headers.get('Last-Event-ID')
        if last == '3' and not busy.is_set():
            busy.set()
            return self.plain(503, [('Retry-After', '1')])
        if last == '5':
            return self.plain(204)
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        if last == '3':
            self.chunk('id: 4\r\ndata: four after %s\r\n\r\n' % last)
            self.chunk('id: 5\r\ndata: five, \u00e4\u20ac\r\ndata\r\n\r\n')
            return self.wfile.write(b'0\r\n\r\n')
        self.chunk('\ufeffretry: 100\n\n')
        self.chunk('id: 1\ndata: one after %s\n\n' % last)
        # What buffers on the way would give the first event only with the second.
        go_on.wait(60)
        for letter in 'id: 2\rdata: two\r\r':
            self.chunk(letter)
        self.chunk('event: named\nid: 3\ndata: three\n\n: heartbeat\n\nid: 4\ndata: cut in the mid')
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.daemon_threads = True
print('listening on port %d .' % server.server_port, flush=True)
server.serve_forever()
