// What the named events of a stream carry. The gateway writes them and the page reads them; docs/stream.md explains them.

export interface Hello {
  gateway: string;
  resumed: boolean;
  /** The view's running count when this connection joined it. */
  count: number;
  /** A `ping` comes at least this often, in ms. */
  keepalive: number;
  /** Epoch ms by the server's clock. */
  now: number;
}

export interface Live {
  replayed: number;
}

export interface Ping {
  now: number;
  count: number;
}

/** Entries with `after.n < n < before.n` are missing. */
export interface GapData {
  channel: string | null;
  after: string;
  before: string;
  reason: string;
  missed: number | null;
}

export interface Bye {
  code: string;
  message: string;
  retry?: number;
}
