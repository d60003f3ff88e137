// The load of the benchmark of overload: a number of calls in flight (closed loop), or so many per second whatever comes back (open loop).
import type { Msg } from '#@nats-io/nats-core';
import type { MsgImpl } from '#@nats-io/nats-core/internal';
import { connectTo, DAEMON_PREFIX, EXTENSION_ID, report, serverUrl } from './client.js';

export interface Flood {
  /** Calls in flight; 0: open loop. */
  readonly inFlight: number;
  /** Of an open loop. */
  readonly perSecond: number;
  readonly durationMs: number;
  /** A later answer is of no use to its caller. */
  readonly deadlineMs: number;
  /** Longest wait for answers after the last call. */
  readonly patienceMs: number;
  /** Of a body. */
  readonly bytes: number;
  /** Of its metadata; the rest is one text. */
  readonly members: number;
}

export interface Flooded {
  readonly sent: number;
  readonly seconds: number;
  /** Answers of the extension; those within the deadline. */
  readonly answered: number;
  readonly inTime: number;
  /** Errors `overloaded`, and any others. */
  readonly refused: number;
  readonly failed: number;
  readonly twice: number;
  /** null: there was none. */
  readonly answeredP50Ms: number | null;
  readonly answeredP99Ms: number | null;
  readonly refusedP50Ms: number | null;
  readonly refusedP99Ms: number | null;
}

const TICK_MS = 1;
const WAITING = 0;
const OVERLOADED = 'Extreg-Error: overloaded';

const client = await connectTo(serverUrl(), 'flood');

/** What routing needs stands behind all else. */
function bodyOf(bytes: number, members: number): Buffer {
  const metadata: Record<string, unknown> = {};
  for (let i = 0; i < members; i++) metadata[`k${i.toString(36)}`] = i % 10;
  metadata.region = 'eu';
  const make = (text: string): Buffer => Buffer.from(JSON.stringify({ trace_id: 'a1', payload: { text }, metadata }));
  return make('lorem ipsum '.repeat(bytes).slice(0, Math.max(0, bytes - make('').length)));
}

class Run {
  readonly #base = `_INBOX_flood.${performance.now().toString(36).replace('.', '')}.`;
  readonly #subject = `${DAEMON_PREFIX}.invoke.${EXTENSION_ID}`;
  readonly #sentMs: Float64Array;
  /** WAITING, or the number of answers. */
  readonly #answers: Uint8Array;
  readonly #answered: number[] = [];
  readonly #refused: number[] = [];
  readonly #body: Buffer;
  readonly #startMs = performance.now();
  #sent = 0;
  #open = 0;
  #inTime = 0;
  #failed = 0;
  #twice = 0;

  constructor(private readonly flood: Flood) {
    this.#body = bodyOf(flood.bytes, flood.members);
    const most = flood.inFlight > 0 ? 5_000_000 : Math.ceil((flood.perSecond * flood.durationMs) / 1000) + 10_000;
    this.#sentMs = new Float64Array(most);
    this.#answers = new Uint8Array(most);
  }

  async result(): Promise<Flooded> {
    const { inFlight, durationMs, patienceMs } = this.flood;
    const subscription = client.subscribe(`${this.#base}*`, { callback: (_, message) => this.#take(message) });
    await client.flush();
    if (inFlight > 0) for (let i = 0; i < inFlight; i++) this.#send();
    else await this.#openLoop();
    while (performance.now() < this.#startMs + durationMs) await sleep(TICK_MS);
    const seconds = (performance.now() - this.#startMs) / 1000;
    const [sent, answeredBefore, inTimeBefore] = [this.#sent, this.#answered.length, this.#inTime];
    for (const endMs = performance.now() + patienceMs; this.#open > 0 && performance.now() < endMs; ) await sleep(10);
    subscription.unsubscribe();
    const answered = Float64Array.from(this.#answered).sort();
    const refused = Float64Array.from(this.#refused).sort();
    // Of a closed loop, what came back within the time; of an open one, what belongs to the calls of the time.
    const [all, inTime] = inFlight > 0 ? [answeredBefore, inTimeBefore] : [answered.length, this.#inTime];
    return {
      ...{ sent, seconds, answered: all, inTime, refused: refused.length, failed: this.#failed, twice: this.#twice },
      ...{ answeredP50Ms: at(answered, 0.5), answeredP99Ms: at(answered, 0.99) },
      ...{ refusedP50Ms: at(refused, 0.5), refusedP99Ms: at(refused, 0.99) },
    };
  }

  /** At even distances, by the clock; what a late timer missed is sent then, and was due before. */
  async #openLoop(): Promise<void> {
    const { perSecond, durationMs } = this.flood;
    const everyMs = 1000 / perSecond;
    for (let now = this.#startMs; now < this.#startMs + durationMs; now = performance.now()) {
      for (let dueMs = this.#startMs + this.#sent * everyMs; dueMs <= now; dueMs += everyMs) this.#send(dueMs);
      await sleep(TICK_MS);
    }
  }

  #send(dueMs = performance.now()): void {
    this.#sentMs[this.#sent] = dueMs;
    client.publish(this.#subject, this.#body, { reply: this.#base + this.#sent });
    this.#sent += 1;
    this.#open += 1;
  }

  #take(message: Msg): void {
    const call = Number(message.subject.slice(this.#base.length));
    const before = this.#answers[call] ?? 0;
    this.#answers[call] = before + 1;
    if (before !== WAITING) {
      this.#twice += 1;
      return;
    }
    this.#open -= 1;
    const nowMs = performance.now();
    const tookMs = nowMs - (this.#sentMs[call] as number);
    if (Number.isNaN(tookMs)) throw new Error(`an answer to no call: ${message.subject}`);
    const { _msg: frame, _rdata: bytes } = message as MsgImpl;
    const block = frame.hdr > 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, frame.hdr).toString('latin1') : '';
    if (block.includes(OVERLOADED)) this.#refused.push(tookMs);
    else if (block.includes('Extreg-Error:')) this.#failed += 1;
    else {
      this.#answered.push(tookMs);
      if (tookMs <= this.flood.deadlineMs) this.#inTime += 1;
    }
    if (this.flood.inFlight > 0 && nowMs < this.#startMs + this.flood.durationMs) this.#send();
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted: Float64Array, share: number): number | null =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;

process.on('message', (message) => {
  if (typeof message !== 'object' || message === null || !('perSecond' in message)) return;
  void new Run(message as Flood).result().then((flooded) => process.send?.(flooded));
});
report();
