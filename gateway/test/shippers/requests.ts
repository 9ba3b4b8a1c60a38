// Requests as real shippers have sent them: the protobuf of winston-loki 6.1 was recorded, the others are what their code writes.

import { request } from 'node:http';

/** Two streams of winston-loki 6.1.4, Snappy over protobuf. */
export const WINSTON_LOKI = Buffer.from(
  '4QGQCnAKM3tsZXZlbD0iaW5mbyIsam9iPSJ3aW5zdG9uLWZhbHNlZgEFfCIscmVnaW9uPSJldSJ9EjkKDAi4+rDYBhCA6K2UAxIpDTIAIAFFOCDDvCB7' +
    'InVzZXIiOjcsIgVfBCI6CWAQfQptCjQRchBlcnJvcp5zAAA1FXMYwOzqlAMSJRFzBUYAIAWrBCB7FW4YZXJyb3IifQ==',
  'base64',
);

/** What Docker's driver `splunk` sends: events with nothing between them, and no content type. */
export function dockerEvents(
  lines: readonly (string | object)[],
  more: object = {},
  seconds = 1_795_928_628,
): string {
  return lines
    .map((line, i) =>
      JSON.stringify({
        event: { line, source: 'stdout', tag: 'web', ...more },
        time: `${seconds}.${String(573_227 + i).padStart(6, '0')}`,
        host: 'vm',
      }),
    )
    .join('');
}

/** A push of Loki's protocol in JSON. */
export function lokiPush(
  ...streams: { labels: Record<string, string>; values: (string | object)[][] }[]
): string {
  return JSON.stringify({ streams: streams.map(({ labels, values }) => ({ stream: labels, values })) });
}

export interface Sent {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** node:http, because fetch lets a test choose neither Host nor Origin, and always sends a content type. */
export function send(
  url: string,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    asked.on('error', reject).end(body);
  });
}
