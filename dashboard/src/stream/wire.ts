// What travels on the stream, as the page sees it: frames, the control frames' data, and the link's state.

/** One Server-Sent Event. Entries have no event name; `id` is absent where the frame carried none. */
export interface Frame {
  event: string;
  id?: string;
  data: string;
}

/** Where the link stands; every state but `live` says why. */
export type StreamState =
  | { state: 'connecting'; reason: string }
  | { state: 'live'; clockOffset: number; since: number }
  | { state: 'retrying'; reason: string; code: string; at: number; attempt: number };

/** What a source of frames tells its reader. Frames come in order and whole. */
export interface StreamListener {
  onFrames(frames: Frame[]): void;
  onStreamState(state: StreamState): void;
  /** How many distinct streams this browser holds open to this host, and how many tabs share this one. */
  onSharing?(streams: number, tabs: number): void;
}

/** Reads the JSON of a control frame; undefined when it is not an object. */
export function controlData<T>(frame: Frame): Partial<T> | undefined {
  try {
    const value: unknown = JSON.parse(frame.data);
    return typeof value === 'object' && value !== null ? (value as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}
