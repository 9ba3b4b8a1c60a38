// What a stream gives the page: frames, the data of control frames, and the stream's state.

/** One Server-Sent Event. Entries have no event name; `id` is absent where the frame carried none. */
export interface Frame {
  event: string;
  id?: string;
  data: string;
}

/**
 * Whether the page receives entries; every state but `live` has a reason for the reader. `refused` is final: the gateway asks
 * who is there, or has ended what this viewer may see, and nothing is tried again until the page opens another stream.
 * `forbidden` is as final: the viewer may read other things, but nothing of this view.
 */
export type StreamState =
  | { state: 'connecting'; reason: string }
  | { state: 'live'; clockOffset: number; since: number }
  | { state: 'retrying'; reason: string; code: string; at: number; attempt: number }
  | { state: 'refused'; reason: string; code: string }
  | { state: 'forbidden'; reason: string; code: string };

/** Receives a stream: complete frames in their order, and each change of the stream's state. */
export interface StreamListener {
  onFrames(frames: Frame[]): void;
  onStreamState(state: StreamState): void;
  /** How many distinct streams this browser holds open to this host, and how many tabs share this stream. */
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
