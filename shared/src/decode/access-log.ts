// Finds the status of the response in a line of an access log: a request that failed is an error, though its line names no level.

import { withoutColors } from './colors.ts';

/** A URL may be long, and the status comes after it. */
const STATUS_CHARS = 16_384;
// `"GET / HTTP/1.1" 503 …` of access logs, `"HTTP/1.1 429 Too Many Requests"` of clients.
const HTTP_STATUS = /HTTP\/\d(?:\.\d)?(?:" | )(\d{3})(?=[\s",]|$)/y;
const REQUEST_STATUS = [
  // [GIN] 2026/11/29 - 05:00:04 | 500 | …
  /^\[GIN\] [\d/]{10} - [\d:]{8} \| ?(\d{3}) \|/,
  // GET /x 404 3.2 ms - 12, GET /x 404 12 - 3.2 ms: morgan
  /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S{1,2000} (\d{3}) (?:\S{1,20} - )?[\d.]{1,20} ms/,
  // srv log_server_r: request: POST /v1/chat/completions 127.0.0.1 500: llama.cpp
  /: (?:request|done request): (?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S{1,2000} \S{1,60} (\d{3})\s*$/,
] as const;

/** The status of the response in a line of an access log; NaN for any other line. */
export function statusOf(text: string): number {
  const end = text.indexOf('\n');
  const whole = text.slice(0, end < 0 ? STATUS_CHARS : Math.min(end, STATUS_CHARS));
  HTTP_STATUS.lastIndex = whole.indexOf('HTTP/');
  if (HTTP_STATUS.lastIndex >= 0) {
    const status = HTTP_STATUS.exec(whole)?.[1];
    if (status !== undefined) return Number(status);
  }
  const line = withoutColors(whole.slice(0, 2_200));
  for (const form of REQUEST_STATUS) {
    const status = form.exec(line)?.[1];
    if (status !== undefined) return Number(status);
  }
  return Number.NaN;
}
