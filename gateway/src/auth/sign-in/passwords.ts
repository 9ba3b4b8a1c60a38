// Hashes passwords with scrypt, one at a time and in a thread of its own: a hash takes half a second and 32 MiB, and nobody's stream
// may wait for it. Those who wait take turns by network and client, so that one who sends many holds up nobody but himself.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { FairTurns } from './fair-turns.ts';
import type { HashJob } from './password-worker.ts';

/** Equal to 2^17 blocks with p 1, which takes four times the memory. */
const LN = 15;
const R = 8;
const P = 3;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** For names that do not exist, so that they take as long as others. No password has this hash. */
const NOBODY = `$scrypt$ln=${LN},r=${R},p=${P}$${'A'.repeat(22)}$${'A'.repeat(43)}`;
const PHC =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

export const PASSWORD_RULE = 'must have 8 to 256 characters';

/** What is allowed is the length alone: rules about digits and signs make passwords worse. */
export function isPassword(text: string): boolean {
  return text.length >= 8 && text.length <= 256;
}

export class Passwords {
  readonly #start: () => Worker;
  #worker: Worker | undefined;
  readonly #turns = new FairTurns(1);

  constructor(start: () => Worker = () => new Worker(new URL('./password-worker.ts', import.meta.url))) {
    this.#start = start;
  }

  /**
   * A PHC string.
   *
   * @param address from which it was asked for; '' for nobody in particular.
   * @throws CodedError `too_many_attempts` if too many wait
   */
  async hash(password: string, address = ''): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    const hash = await this.#run({ password, salt, ln: LN, r: R, p: P, length: HASH_BYTES }, address);
    return `$scrypt$ln=${LN},r=${R},p=${P}$${unpadded(salt)}$${unpadded(hash)}`;
  }

  /**
   * Whether `phc` is the hash of the password. Undefined, for somebody who does not exist, takes as long, and is false.
   *
   * @param address as in `hash`.
   * @throws CodedError `too_many_attempts` if too many wait
   */
  async verify(password: string, phc: string | undefined, address = ''): Promise<boolean> {
    const known = phc === undefined ? undefined : parse(phc);
    const { expected, ...parameters } = known ?? (parse(NOBODY) as Parsed);
    const found = await this.#run({ password, ...parameters, length: expected.length }, address);
    return timingSafeEqual(found, expected) && known !== undefined;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #run(job: HashJob, address: string): Promise<Uint8Array> {
    return this.#turns.run(address, () =>
      this.#inThread({ ...job, password: job.password.normalize('NFKC') }),
    );
  }

  #inThread(job: HashJob): Promise<Uint8Array> {
    const worker = this.#running();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const fail = (why: unknown) => reject(unavailable(why));
    worker.ref(); // a program that waits for a hash does not end
    worker.once('message', resolve).once('error', fail).once('exit', fail);
    worker.postMessage(job);
    return promise.finally(() => {
      worker.unref();
      worker.off('message', resolve).off('error', fail).off('exit', fail);
    });
  }

  /** One that has died is replaced by the next hash. @throws BrokerUnavailable where the system allows no more threads */
  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#started();
    const forget = () => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on('error', forget).on('exit', forget);
    this.#worker = worker;
    return worker;
  }

  #started(): Worker {
    try {
      return this.#start();
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function unavailable(why: unknown): BrokerUnavailable {
  return new BrokerUnavailable('the password cannot be checked now', why);
}

interface Parsed extends Omit<HashJob, 'password' | 'length'> {
  expected: Uint8Array;
}

/** Undefined for a hash of another kind, and for one that would take too much time or memory. */
function parse(phc: string): Parsed | undefined {
  const [, ln, r, p, salt = '', hash = ''] = PHC.exec(phc) ?? [];
  const numbers = { ln: Number(ln), r: Number(r), p: Number(p) };
  const fits =
    numbers.ln >= 10 &&
    numbers.ln <= 17 &&
    numbers.r >= 1 &&
    numbers.r <= 8 &&
    numbers.p >= 1 &&
    numbers.p <= 4;
  if (!fits) return undefined;
  return { ...numbers, salt: Buffer.from(salt, 'base64'), expected: Buffer.from(hash, 'base64') };
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
