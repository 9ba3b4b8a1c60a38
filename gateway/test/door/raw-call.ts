// For tests: one request over a bare socket, and the bytes that come back, down to the spelling of the headers.

import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: string;
  /** As they came: `Name: value`. */
  headers: string[];
  /** Without the frames of chunks. */
  body: Buffer;
  /** Whether the answer ended as HTTP says that it ends, and not by a broken connection. */
  whole: boolean;
}

/** `head` holds header lines without `Host`, `Connection` and `Content-Length`. */
export function rawRequest(base: string, path: string, head: readonly string[], body?: string): string {
  const { host, pathname } = new URL(base);
  const method = body === undefined ? 'GET' : 'POST';
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const lines = [`${method} ${pathname}${path} HTTP/1.1`, `Host: ${host}`, ...head, ...length];
  return `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body ?? ''}`;
}

export function rawCall(
  base: string,
  path: string,
  head: readonly string[],
  body?: string,
  onSocket: (socket: Socket) => void = () => {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.once('close', () => {
    try {
      resolve(answerIn(Buffer.concat(pieces)));
    } catch (error) {
      reject(error);
    }
  });
  socket.on('error', () => {}); // a broken connection is what some tests are about
  onSocket(socket);
  socket.write(rawRequest(base, path, head, body));
  return promise;
}

function answerIn(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) throw new Error('no answer came');
  const [status = '', ...headers] = bytes.toString('latin1', 0, end).split('\r\n');
  const rest = bytes.subarray(end + 4);
  const isChunked = headers.some((line) => /^transfer-encoding: *chunked$/i.test(line));
  if (isChunked) return { status, headers, ...unchunked(rest) };
  const length = headers.map((line) => /^content-length: *(\d+)$/i.exec(line)?.[1]).find(Boolean);
  return { status, headers, body: rest, whole: length === undefined || rest.length === Number(length) };
}

function unchunked(bytes: Buffer): { body: Buffer; whole: boolean } {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, line), 16);
    const end = line + 2 + size;
    if (Number.isNaN(size) || end > bytes.length) return { body: Buffer.concat(parts), whole: false };
    if (size === 0) return { body: Buffer.concat(parts), whole: true };
    parts.push(bytes.subarray(line + 2, end));
    at = end + 2;
  }
}

/** What a client gets, without what each connection has for itself, and without what the door adds for browsers. */
export function comparable({ status, headers, body, whole }: RawAnswer) {
  const own = /^(?:connection|keep-alive|transfer-encoding|x-content-type-options|content-security-policy):/i;
  return { status, headers: headers.filter((line) => !own.test(line)), body: body.toString('latin1'), whole };
}
