// Node for tests/interop.rs: node's own http module, nothing in front of it.
// Arguments: the folder to serve, the idle limit in milliseconds, the most bytes an upload may have.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const [www, idleMs, uploadBytesMax] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

// A file, with the validators and conditions of RFC 9110 that the tests ask for.
function file(request, response) {
  const name = path.join(www, path.normalize(new URL(request.url, 'http://x').pathname));
  if (!fs.existsSync(name)) return response.writeHead(404).end('no such file\n');
  const stat = fs.statSync(name);
  if (stat.isDirectory()) return directory(request, response, name);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return response.writeHead(405, { Allow: 'GET, HEAD' }).end('files are only read\n');
  }
  const etag = `"${stat.size.toString(16)}-${Math.floor(stat.mtimeMs).toString(16)}"`;
  const validators = { ETag: etag, 'Last-Modified': stat.mtime.toUTCString() };
  const since = request.headers['if-modified-since'];
  const unchanged = request.headers['if-none-match']
    ? request.headers['if-none-match'] === etag
    : since && Math.floor(stat.mtimeMs / 1000) * 1000 <= Date.parse(since);
  if (unchanged) return response.writeHead(304, validators).end();
  if (name.endsWith('close.txt')) response.setHeader('Connection', 'close');
  if (name.endsWith('large-head.txt')) {
    for (let n = 0; n < 12; n++) response.setHeader(`X-Large-${n}`, String.fromCharCode(97 + n).repeat(3900));
  }
  response.writeHead(200, { ...validators, 'Content-Length': stat.size });
  if (request.method === 'HEAD') return response.end();
  fs.createReadStream(name).pipe(response);
}

function directory(request, response, name) {
  if (!request.url.endsWith('/')) return response.writeHead(301, { Location: request.url + '/' }).end();
  request.url += 'index.html';
  return file(request, response);
}

// The body back, once all of it is here; 413 as soon as it is known to be too long.
function echo(request, response) {
  const tooLarge = () => {
    request.removeAllListeners('data').removeAllListeners('end');
    response.writeHead(413, { Connection: 'close' }).end('too large\n');
  };
  if (Number(request.headers['content-length'] || 0) > uploadBytesMax) return tooLarge();
  const parts = [];
  let bytes = 0;
  request.on('data', (part) => {
    bytes += part.length;
    parts.push(part);
    if (bytes > uploadBytesMax) tooLarge();
  });
  request.on('end', () => {
    response.setHeader('Content-Length', bytes);
    response.end(Buffer.concat(parts));
  });
}

// stream.bin, in chunks of many sizes.
function stream(request, response) {
  const body = fs.readFileSync(path.join(www, 'stream.bin'));
  for (let at = 0, size = 1; at < body.length; at += size, size = (size * 3) % 20011) {
    size = Math.max(1, Math.min(size, body.length - at));
    response.write(body.subarray(at, at + size));
  }
  response.end();
}

function trailers(request, response) {
  response.writeHead(200, { Trailer: 'X-Count' });
  response.write('one two three\n');
  response.addTrailers({ 'X-Count': '3' });
  response.end();
}

function hints(request, response) {
  response.writeProcessing();
  response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' }, () => response.end('hinted\n'));
}

function unframed(request, response) {
  response.removeHeader('Transfer-Encoding');
  response.setHeader('Connection', 'close');
  stream(request, response);
}

const routes = {
  '/backend/echo': echo,
  '/backend/stream': stream,
  '/mirror': (request, response) => request.pipe(response),
  '/trailers': trailers,
  '/hints': hints,
  '/unframed/stream': unframed,
};

const server = http.createServer((request, response) => (routes[request.url] || file)(request, response));
server.keepAliveTimeout = idleMs;
server.on('upgrade', (request, socket, early) => {
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.write(early);
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on port ${server.address().port} .`));
