// A socket that is kept open, on a simulated clock with sockets that the test closes.
import test from 'ava';
import { Connection, type ConnectionState, type SocketLike } from '../../../console/statechart/actor-connection.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';

class Rig {
  readonly clock = new SimulatedClock();
  readonly states: ConnectionState[] = [];
  readonly frames: string[] = [];
  readonly sockets: (SocketLike & { readonly ticket: string; isClosed: boolean })[] = [];
  tickets = 0;
  problem: { status: number; detail: string } | null = null;
  /** Why a socket cannot be opened at all; null: it can. */
  refusal: string | null = null;
  readonly connection = new Connection({
    ticket: async () => this.problem ?? `t${++this.tickets}`,
    open: (ticket) => {
      if (this.refusal !== null) throw new Error(this.refusal);
      const socket = {
        ticket,
        isClosed: false,
        onmessage: null,
        onclose: null,
        close() {
          this.isClosed = true;
        },
      };
      this.sockets.push(socket);
      return socket;
    },
    onFrame: (text) => this.frames.push(text),
    onState: (state) => this.states.push(state),
    now: this.clock.now,
    random: () => 1,
    later: (run, ms) => {
      const timer = this.clock.setTimeout(run, ms);
      return () => this.clock.clearTimeout(timer);
    },
  });

  get last() {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('no socket was opened');
    return socket;
  }

  /** Promises that are settled run on. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  async close(code: number, reason = ''): Promise<void> {
    this.last.onclose?.({ code, reason });
    await this.settle();
  }
}

async function connected(): Promise<Rig> {
  const rig = new Rig();
  await rig.settle();
  rig.last.onmessage?.({ data: 'first' });
  return rig;
}

test('ACTOR-CONNECTION-1: each attempt has a ticket of its own, and frames come as they are', async (t) => {
  const rig = await connected();
  t.deepEqual(rig.states, [{ kind: 'connecting' }, { kind: 'live' }]);
  rig.last.onmessage?.({ data: 'second' });
  t.deepEqual(rig.frames, ['first', 'second']);
  await rig.close(1006);
  await rig.pass(500);
  t.deepEqual(
    rig.sockets.map(({ ticket }) => ticket),
    ['t1', 't2'],
  );
});

test('ACTOR-CONNECTION-2: attempts grow apart, and begin anew after something came', async (t) => {
  const rig = await connected();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    await rig.close(1001, 'the daemon is stopping');
    const state = rig.states.at(-1);
    if (state?.kind !== 'lost') throw new Error('it is not lost');
    t.is(state.why, 'the daemon is stopping');
    t.is(state.sinceMs, 0);
    waits.push(state.retryAtMs - rig.clock.now());
    rig.clock.advance(state.retryAtMs - rig.clock.now());
    await rig.settle();
  }
  t.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  rig.last.onmessage?.({ data: 'again' });
  t.deepEqual(rig.states.at(-1), { kind: 'live' });
  await rig.close(1006);
  const state = rig.states.at(-1);
  t.is(state?.kind === 'lost' ? state.retryAtMs - state.sinceMs : null, 500);
  t.is(state?.kind === 'lost' ? state.why : null, 'the daemon does not answer');
});

test('ACTOR-CONNECTION-2: without a daemon that answers, no socket is opened', async (t) => {
  const rig = await connected();
  rig.problem = { status: 0, detail: 'The daemon does not answer' };
  await rig.close(1006);
  await rig.pass(500);
  t.is(rig.states.at(-1)?.kind, 'lost');
  await rig.pass(1000);
  t.is(rig.sockets.length, 1);
  rig.problem = null;
  await rig.pass(2000);
  t.is(rig.sockets.length, 2);
});

test('ACTOR-CONNECTION-3: a session that ended and a wrong address are not tried again', async (t) => {
  const signedOut = await connected();
  signedOut.problem = { status: 401, detail: 'sign in' };
  await signedOut.close(4401, 'the token was revoked');
  await signedOut.pass(60_000);
  t.deepEqual(signedOut.states.at(-1), { kind: 'signed_out' });
  t.is(signedOut.sockets.length, 1);
  const refused = await connected();
  await refused.close(4400, "parameter 'version' must be a version");
  await refused.pass(60_000);
  t.deepEqual(refused.states.at(-1), { kind: 'refused', why: "parameter 'version' must be a version" });
  t.is(refused.sockets.length, 1);
});

test('ACTOR-CONNECTION-3: an unknown target is asked for again, and its page follows as soon as it is there', async (t) => {
  const rig = new Rig();
  await rig.settle();
  await rig.close(4404, "no extension 'a'");
  t.deepEqual(rig.states.at(-1), { kind: 'unknown', why: "no extension 'a'" });
  await rig.pass(10_000);
  t.is(rig.sockets.length, 2);
  rig.last.onmessage?.({ data: 'there' });
  t.deepEqual(rig.states.at(-1), { kind: 'live' });
});

test('a page that asks at once does not wait, and one that is left ends everything', async (t) => {
  const rig = await connected();
  await rig.close(1006);
  rig.connection.retry();
  await rig.settle();
  t.is(rig.sockets.length, 2);
  rig.connection.retry();
  await rig.settle();
  t.is(rig.sockets.length, 2, 'it is open');
  rig.connection.end();
  t.true(rig.last.isClosed);
  t.is(rig.clock.armed, 0);
  const ended = new Rig();
  ended.connection.end();
  await ended.settle();
  t.deepEqual(ended.sockets, []);
});

test('ACTOR-CONNECTION-2: a socket that cannot be opened at all is one that was lost, and tried again', async (t) => {
  const rig = new Rig();
  rig.refusal = 'the address is not allowed';
  await rig.settle();
  t.like(rig.states.at(-1), { kind: 'lost', why: 'the address is not allowed' });
  rig.refusal = null;
  await rig.pass(10_000);
  t.is(rig.sockets.length, 1);
});
