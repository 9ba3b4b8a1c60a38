// Turns the bytes of one container's log into entries, each with how far the container is delivered when that entry is. The log may
// be opened many times, also in the middle of what was read: no line is taken twice. What a program writes to stdout and to stderr
// is joined apart, so that a stack trace on one stays whole while the other goes on.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { BlockJoiner, decodeBlock, MAX_HOLD_MS } from '../pipe/block-joiner.ts';
import type { Block } from '../pipe/stack-joiner.ts';
import { FrameReader } from './frames.ts';
import type { Delivered } from './journal.ts';
import { LogLines } from './log-lines.ts';
import type { Naming } from './naming.ts';
import { type Cursor, Position } from './position.ts';
import { EARLIEST, earlier, msOf, type Stamp, stampOf } from './stamp.ts';
import { type Piece, splitStamp, TerminalLines } from './terminal-lines.ts';

/** Two outputs of a container are written to its log side by side, so their times may be out of order by a moment. */
const OVERLAP_MS = 1_000;
/** The engine's clock is known to the second. */
const CLOCK_MARGIN_MS = 2_000;

type Output = 'stdout' | 'stderr';

interface Line {
  at: Stamp;
  /** The last message that is delivered with this line; undefined if there is none. */
  cursor: Cursor | undefined;
}

/** One of the two outputs. */
interface OutputState {
  lines: LogLines<Cursor>;
  position: Position;
  joiner: BlockJoiner<Line>;
  /** The last message of the last complete line. */
  read: Cursor | undefined;
  /** The time of the last message. */
  lastAt: Stamp;
  /** Whether the last message was read before. */
  isKnown: boolean;
  lastMs: number;
}

/** What the engine says of a container when its log is opened. */
export interface Opened {
  hasTerminal: boolean;
  /** Undefined if the engine does not say it as a time. */
  startedAt?: Stamp | undefined;
  /** How far the engine's clock is before this machine's. */
  aheadMs?: number;
}

export interface ContainerLogOptions {
  naming: Naming;
  /** How far it was delivered before. */
  delivered: Delivered | undefined;
  /** Where to begin if it never was. */
  floor: Stamp;
  isPodman: boolean;
  onEntry: (fields: EntryFields, delivered: Delivered) => void;
  /** The engine's own words in the middle of a log. */
  onNote: (text: string) => void;
  now?: () => number;
}

export class ContainerLog {
  readonly #options: ContainerLogOptions;
  readonly #outputs: Record<Output, OutputState>;
  /** The time of the newest line that was read; nothing that was not read is much older. */
  #read: Stamp | undefined;
  #frames: FrameReader | undefined;
  #terminal: TerminalLines | undefined;
  /** Where the present piece has a time within a line of a terminal, the time at the line's beginning. */
  #within: Stamp | undefined;

  constructor(options: ContainerLogOptions) {
    this.#options = options;
    this.#read = options.delivered?.since;
    this.#outputs = { stdout: this.#output('stdout'), stderr: this.#output('stderr') };
  }

  /** The container's log is read from the time that this returns. */
  reopen({ hasTerminal, startedAt = EARLIEST, aheadMs = 0 }: Opened): Stamp {
    const { now = Date.now } = this.#options;
    const latest = () => stampOf(now() + aheadMs + CLOCK_MARGIN_MS);
    const outputs = Object.values(this.#outputs);
    this.#forgetLaterThan(latest());
    this.#within = undefined;
    // Of a line of which only the beginning was read, the rest has the time of the beginning.
    const opened = [this.#read, ...outputs.map(({ lines }) => lines.open)].filter((at) => at !== undefined);
    const since = opened.length === 0 ? this.#options.floor : earlier(least(opened), OVERLAP_MS);
    const from = since < this.#options.floor ? this.#options.floor : since;
    for (const { lines, position, read } of outputs) {
      lines.reset(read);
      position.reopen(from, read);
    }
    this.#terminal = undefined;
    this.#frames = undefined;
    if (hasTerminal)
      this.#terminal = new TerminalLines({
        startedAt,
        latest,
        onPiece: (piece) => {
          this.#within = piece.within;
          this.#addPiece('stdout', piece);
        },
      });
    else
      this.#frames = new FrameReader((output, payload) => {
        const { stamp, text } = splitStamp(payload);
        if (output === 'system') this.#options.onNote(text.toString('utf8', 0, 300));
        else this.#addPiece(output, { stamp, text, isFirst: true });
      });
    return from;
  }

  /** @throws NotFrames. */
  push(chunk: Buffer): void {
    this.#terminal?.push(chunk);
    this.#frames?.push(chunk);
    for (const { joiner } of Object.values(this.#outputs)) joiner.awaitMore();
  }

  /** The container has ended, and all of its log was read. */
  end(): void {
    this.#terminal?.end();
    for (const { lines } of Object.values(this.#outputs)) lines.end();
    this.flush();
  }

  /** Gives out what is held because more may belong to it. A line of which only the beginning was read is left for the next run. */
  flush(): void {
    for (const { joiner } of Object.values(this.#outputs)) joiner.end();
  }

  #output(name: Output): OutputState {
    const read = this.#options.delivered?.[name];
    const output: OutputState = {
      position: new Position(read),
      joiner: new BlockJoiner((block) => this.#giveOut(name, block)),
      lines: new LogLines({ piecesHaveOwnTimes: this.#options.isPodman }, (at, line, cursor) =>
        this.#addLine(output, line, { at, cursor }),
      ),
      read,
      lastAt: EARLIEST,
      isKnown: false,
      lastMs: 0,
    };
    return output;
  }

  /**
   * A time that is yet to come was no time of the engine, or its clock was put back: from there on the engine would give nothing. Where
   * the container stands is not known then, so it is read from the floor: lines come twice rather than never.
   */
  #forgetLaterThan(latest: Stamp): void {
    if (this.#read !== undefined && this.#read > latest) this.#read = undefined;
    for (const output of Object.values(this.#outputs)) {
      const { read } = output;
      if (read === undefined || read.top <= latest) continue;
      output.read = read.at > latest ? undefined : { ...read, top: read.at };
    }
  }

  /** A message without a time has that of the one before it. */
  #addPiece(name: Output, { stamp, text, isFirst, within }: Piece): void {
    const output = this.#outputs[name];
    output.lastAt = stamp ?? output.lastAt;
    if (isFirst) output.isKnown = output.position.advance(output.lastAt, within === undefined) === undefined;
    const { cursor } = output.position;
    if (!output.isKnown && cursor) output.lines.addPiece(output.lastAt, text, cursor);
  }

  #addLine(output: OutputState, text: string, line: Line): void {
    const ms = msOf(line.at);
    // What is read late comes without the pauses in which it was written.
    if (ms - output.lastMs > MAX_HOLD_MS) output.joiner.flush();
    output.lastMs = ms;
    output.read = line.cursor;
    // The engine gives a line by the time at its beginning.
    this.#read = least([line.at, this.#within ?? line.at]);
    output.joiner.addLine(text, line);
  }

  #giveOut(output: Output, block: Block<Line>): void {
    const { channel, source, attrs } = this.#options.naming;
    const fields = decodeBlock(block, { channel, source, now: msOf(block.first.at), level: 'info' });
    // A program's own name must not hide which container wrote the line.
    const logger = fields.source === source ? undefined : fields.source;
    this.#options.onEntry(
      {
        ...fields,
        channel,
        source,
        attrs: { ...fields.attrs, ...(logger !== undefined && { logger }), ...attrs, stream: output },
      },
      {
        since: this.#undelivered(block.last.at),
        ...(block.last.cursor && { [output]: block.last.cursor }),
      },
    );
  }

  /** The time of the oldest line that is not delivered when all that was given out is. */
  #undelivered(read: Stamp): Stamp {
    const held = Object.values(this.#outputs).flatMap(({ joiner, lines }) => [joiner.held?.at, lines.open]);
    return least([this.#read ?? read, ...held.filter((at) => at !== undefined)]);
  }
}

function least(stamps: readonly Stamp[]): Stamp {
  return stamps.reduce((a, b) => (b < a ? b : a));
}
