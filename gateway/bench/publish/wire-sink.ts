// Pipelined commands over bare sockets: PUBLISH for the other designs, pairs of XADD and PUBLISH to compare the log with, and HTTP
// for Nchan, which takes nothing else.

import { connect, type Socket } from 'node:net';
import { nowMicroseconds } from '../entry-text.ts';
import type { Item, Sink } from './sink.ts';

/** How an entry is written, and what each answer to it begins with. */
export interface WireForm {
  command(channel: string, body: string): string;
  answer: string;
  answersPerEntry: number;
}

const resp = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

export const WIRE_FORMS = {
  publish: { command: (channel, body) => resp('PUBLISH', channel, body), answer: '\n', answersPerEntry: 1 },
  // XADD answers with an id as a bulk string, which has two lines, and PUBLISH with a number: three lines in all.
  pairs: {
    command: (channel, body) =>
      resp('XADD', `stream:${channel}`, 'MAXLEN', '~', '10000', '*', 'd', body) +
      resp('PUBLISH', channel, body),
    answer: '\n',
    answersPerEntry: 3,
  },
  xadd: {
    command: (channel, body) => resp('XADD', `stream:${channel}`, 'MAXLEN', '~', '10000', '*', 'd', body),
    answer: '\n',
    answersPerEntry: 2,
  },
  nchan: {
    command: (channel, body) =>
      `POST /pub?channel=${channel} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    answer: 'HTTP/1.1 2',
    answersPerEntry: 1,
  },
} satisfies Record<string, WireForm>;

interface Line {
  socket: Socket;
  answers: number;
  carry: Buffer;
}

export class WireSink implements Sink {
  readonly #form: WireForm;
  readonly #maxUnderWay: number;
  readonly #lines: Line[];
  #sent = 0;
  #failed: Error | undefined;
  #waiting: (() => void)[] = [];

  /** All entries of a channel go over one connection, so that they stay in order. */
  constructor(form: WireForm, ports: readonly number[], maxUnderWay: number) {
    this.#form = form;
    this.#maxUnderWay = maxUnderWay;
    this.#lines = ports.map((port) => this.#open(port));
  }

  room(): number {
    if (this.#failed) throw this.#failed;
    return this.#maxUnderWay - (this.#sent - this.#answered);
  }

  send(items: readonly Item[]): void {
    const [stamp, time] = [nowMicroseconds(), Date.now()];
    const texts = this.#lines.map(() => '');
    for (const { text, number } of items) {
      const line = lineOf(text.lane.channel, texts.length);
      texts[line] += this.#form.command(text.lane.channel, text.body(time, stamp, number));
    }
    this.#sent += items.length;
    texts.forEach((text, i) => {
      if (text !== '') this.#lines[i]?.socket.write(text, 'latin1');
    });
  }

  async flushed(): Promise<number> {
    while (this.#answered < this.#sent && !this.#failed)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#failed) throw this.#failed;
    return this.#sent;
  }

  async close(): Promise<void> {
    for (const { socket } of this.#lines) socket.destroy();
  }

  get #answered(): number {
    let answers = 0;
    for (const line of this.#lines) answers += line.answers;
    return answers / this.#form.answersPerEntry;
  }

  #open(port: number): Line {
    const line: Line = { socket: connect(port, '127.0.0.1'), answers: 0, carry: Buffer.alloc(0) };
    const { answer } = this.#form;
    line.socket.setNoDelay(true);
    line.socket.on('data', (chunk) => {
      const data = line.carry.length > 0 ? Buffer.concat([line.carry, chunk]) : chunk;
      let next = 0;
      for (let at = data.indexOf(answer); at >= 0; at = data.indexOf(answer, next)) {
        line.answers++;
        next = at + answer.length;
      }
      line.carry = Buffer.from(data.subarray(Math.max(next, data.length - answer.length + 1)));
      this.#wake();
    });
    const fail = (error: Error) => {
      this.#failed ??= error;
      this.#wake();
    };
    line.socket.on('error', fail);
    line.socket.on('close', () => fail(new Error('the server closed the publisher’s connection')));
    return line;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** Chooses a connection by the last digits of the channel's name. */
function lineOf(channel: string, lines: number): number {
  return lines === 1 ? 0 : Number(/\d+$/.exec(channel)?.[0] ?? 0) % lines;
}
