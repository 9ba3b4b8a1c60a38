// The token of a log: eight random characters of a-z and 0-9, made when the log is created. Every record's head repeats it,
// so that a record of another log is recognized. It is no secret: every reader sees it.

export function newLogToken(): string {
  return Math.random().toString(36).slice(2, 10).padEnd(8, '0');
}
