// What is wrong with a Redis server, in two forms: in full for the log of this process, and for clients without keys, lines of a
// script or addresses, which could give something away.

/** What an error of Redis means, by the code with which it begins. */
const MEANINGS: Readonly<Record<string, string>> = {
  NOAUTH: 'it wants a user or password',
  WRONGPASS: 'it does not know this user and password',
  NOPERM: 'its user lacks a right',
  READONLY: 'it is a replica, which takes no writes',
  NOREPLICAS: 'too few of its replicas are connected (min-replicas-to-write)',
  MOVED: 'another node of the Cluster owns its slot now',
  ASK: 'its slot is moving to another node of the Cluster',
  TRYAGAIN: 'its slot is moving to another node of the Cluster',
  CLUSTERDOWN: 'its Cluster has lost too many nodes',
  MISCONF: 'it cannot save to its disk and therefore takes no writes',
  BUSY: 'it is busy with a script that does not end',
  WRONGTYPE: 'a key of the log holds the value of another program',
  UNUSABLE: 'a key of the log holds the value of another program',
};

/** First bytes of answers that are not from Redis. */
const TLS_ALERT = 0x15;
const MARKUP = [0x48, 0x3c]; // HTTP/1.1 400, or <html>

export const NO_TLS = 'no TLS connection came about there: does it speak TLS?';

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of an error from Redis, such as NOPERM; '' for any other error. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return '';
  if (isForbidden(error)) return 'NOPERM';
  return /^[A-Z]+\b/.exec(error.message)?.[0] ?? '';
}

/** Too few replicas, or a disk that cannot be written: Redis takes no writes, and what is there can still be read. */
export function isWriteRefused(error: unknown): boolean {
  return ['NOREPLICAS', 'MISCONF'].includes(codeOf(error));
}

/** Redis words a missing right differently for commands that come from a script. */
export function isForbidden(error: unknown): boolean {
  return /^NOPERM|^ERR The user executing the script/.test(messageOf(error));
}

/** For the log of this process. */
export function inFull(error: unknown): string {
  // An operator can do nothing with the line of the script.
  const text = (foreign(error) ?? messageOf(error)).replace(/\s*script: \w+, on @?user_script:\d+\.$/, '');
  const cause = error instanceof Error && typeof error.cause === 'string' ? ` (${error.cause})` : '';
  return text + cause;
}

/** For the log of this process: why a Sentinel or a node gave no answer. A server without TLS waits for more to read, so with TLS a timeout means that. */
export function whyUnanswered(error: unknown, tls: boolean): string {
  return tls && (error as NodeJS.ErrnoException)?.code === 'ETIMEDOUT' ? NO_TLS : inFull(error);
}

/** For clients. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return foreign(error) ?? shortly(error);
  const code = codeOf(error);
  const meaning = MEANINGS[code];
  const answer = `Redis answered ${code === '' ? 'with an error' : code}`;
  return meaning === undefined ? answer : `${answer}: ${meaning}`;
}

/** What a server is that answers, but not as Redis does; undefined if it is Redis. */
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

/** The code of a connection's error, because its message names addresses. */
function shortly(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code ?? messageOf(error);
}
