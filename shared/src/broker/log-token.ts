// The token of a log: eight random characters of a-z and 0-9, made when the log is created. Every record's head repeats it,
// so that a record of another log, or a forged one, is recognized.

export function newLogToken(): string {
  return Math.random().toString(36).slice(2, 10).padEnd(8, '0');
}
