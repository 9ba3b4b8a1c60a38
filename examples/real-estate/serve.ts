// Serves an MCP server at a port, to those who have a token for it: a JWT of HS256 with this server's secret and its name as audience.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AuthInfo, McpHttpHandler } from '@modelcontextprotocol/server';
import { errors, jwtVerify } from 'jose';

export interface ServeOptions {
  handler: McpHttpHandler;
  /** Its name, for which a token must be made. */
  audience: string;
  /** Who may sign. */
  issuers: readonly string[];
  /** Known to this server and to those who may sign, to nobody else. */
  secret: string;
  host: string;
  /** 0 takes any free one. */
  port: number;
}

/** HMAC with a shorter secret can be guessed from one token. */
export const SECRET_BYTES = 32;
export const SECRET_RULE = `must be set to a secret of at least ${SECRET_BYTES} bytes, like that of openssl rand -hex 32`;

/** Resolves with the server when it listens. @throws Error if the secret is too short: without one it would answer nobody */
export async function serve(options: ServeOptions): Promise<Server> {
  if (Buffer.byteLength(options.secret) < SECRET_BYTES)
    throw new Error(`secret of ${options.audience}: ${SECRET_RULE}`);
  const server = createServer((request, response) => {
    answer(request, response, options).catch(() => response.destroy());
  });
  return await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve(server));
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServeOptions,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://server.invalid');
  if (pathname === '/health') return say(response, 200, { status: 'ok', service: options.audience });
  if (pathname !== '/mcp') return say(response, 404, { error: 'The server is at /mcp.' });
  const caller = await callerOf(request.headers.authorization, options);
  if (caller === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  if (typeof caller === 'number')
    return say(response, caller, { error: 'A token for this server is needed.' });
  await pass(request, response, options.handler, caller);
}

/** Who calls, as tools find him in `http.authInfo`; 401 without a token that is good now, and 403 with one that is for another server. */
async function callerOf(
  header: string | undefined,
  { audience, issuers, secret }: ServeOptions,
): Promise<AuthInfo | 401 | 403> {
  const [, token] = /^Bearer ([\w.-]{1,4096})$/i.exec(header ?? '') ?? [];
  if (token === undefined) return 401;
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      algorithms: ['HS256'],
      issuer: [...issuers],
      audience,
      requiredClaims: ['sub', 'exp', 'jti'],
      maxTokenAge: '5m',
    });
    return { token, clientId: String(payload.sub), scopes: [] };
  } catch (error) {
    const isForOther = error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud';
    return isForOther ? 403 : 401;
  }
}

/** Answers a request as the MCP server does. */
export async function pass(
  request: IncomingMessage,
  response: ServerResponse,
  handler: McpHttpHandler,
  caller?: AuthInfo,
): Promise<void> {
  // The SDK stops a tool when whoever asked is gone.
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
  const answered = await handler.fetch(
    new Request(new URL(request.url ?? '/', 'http://server.invalid'), {
      method: request.method ?? 'GET',
      headers: Object.entries(request.headersDistinct).flatMap(([name, values = []]) =>
        values.map((value) => [name, value] as [string, string]),
      ),
      ...(hasBody && { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' as const }),
      signal: gone.signal,
    }),
    caller && { authInfo: caller },
  );
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  if (answered.body === null) response.end();
  else await pipeline(Readable.fromWeb(answered.body as import('node:stream/web').ReadableStream), response);
}

function say(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
