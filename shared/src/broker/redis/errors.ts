// What goes wrong with a server, in two forms: in full for the process's own log, and for clients without what may hold
// keys, lines of a script or addresses.

/** By the code with which an answer begins. */
const MEANINGS: Readonly<Record<string, string>> = {
  NOAUTH: 'it wants a user or password',
  WRONGPASS: 'it does not know this user and password',
  NOPERM: 'its user lacks a right',
  READONLY: 'it is a replica, which takes no writes',
  NOREPLICAS: 'too few of its replicas are connected (min-replicas-to-write)',
  MISCONF: 'it cannot save to its disk and therefore takes no writes',
  BUSY: 'it is busy with a script that does not end',
  WRONGTYPE: 'a key of the log holds the value of another program',
  UNUSABLE: 'a key of the log holds the value of another program',
};

/** By the first byte of an answer that is not Redis's. */
const TLS_ALERT = 0x15;
const MARKUP = [0x48, 0x3c]; // HTTP/1.1 400, or <html>

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code with which Redis refuses; '' for any other error. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return '';
  if (isForbidden(error)) return 'NOPERM';
  return /^[A-Z]+\b/.exec(error.message)?.[0] ?? '';
}

/** Redis names the missing right only where the command did not come from a script. */
export function isForbidden(error: unknown): boolean {
  return /^NOPERM|^ERR The user executing the script/.test(messageOf(error));
}

/** For the process's own log. */
export function inFull(error: unknown): string {
  // Where in a script it arose says nothing to whoever runs a gateway.
  return (foreign(error) ?? messageOf(error)).replace(/\s*script: \w+, on @?user_script:\d+\.$/, '');
}

/** For clients. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return foreign(error) ?? shortly(error);
  const code = codeOf(error);
  const meaning = MEANINGS[code];
  const answer = `Redis answered ${code === '' ? 'with an error' : code}`;
  return meaning === undefined ? answer : `${answer}: ${meaning}`;
}

/** What a peer is that answers, but not as Redis does. */
function foreign(error: unknown): string | undefined {
  const message = messageOf(error);
  const byte = Number(/^Unknown RESP type (\d+)/.exec(message)?.[1] ?? Number.NaN);
  if (byte === TLS_ALERT) return 'it speaks TLS: write rediss:// instead of redis://';
  if (MARKUP.includes(byte)) return 'it is a web server, not Redis';
  if (!Number.isNaN(byte)) return 'it does not answer as Redis does';
  if (/ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)|ssl\/record/.test(shortly(error)))
    return 'it does not speak TLS: write redis:// instead of rediss://, if it is Redis at all';
  return undefined;
}

/** A connection's error names addresses, its code does not. */
function shortly(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code ?? messageOf(error);
}
