// Callers at a steady pace, each call remembered with its end, and the numbers of any stretch of them.

const TICK_MS = 10;
/** Longer than any budget of the daemon here: a call that takes this long was never answered. */
const UNANSWERED_MS = 20_000;

/**
 * @typedef {object} Call
 * @property {string} id extension
 * @property {number} begunMs monotonic, like every time here
 * @property {number | null} endMs null while it is under way
 * @property {'ok' | 'refused' | 'unanswered' | string} end otherwise the error's code; `refused`: the breaker is open
 */

export class Traffic {
  /** @type {Call[]} in the order in which they began */
  calls = [];
  #timer = null;

  /**
   * @param {import('@nats-io/nats-core').NatsConnection} connection
   * @param {object} options
   * @param {string} options.prefix of the daemon's subjects
   * @param {{ id: string, payload: string }[]} options.extensions
   * @param {number} options.callsPerSecond to each of them, whether or not earlier calls are answered
   */
  constructor(connection, { prefix, extensions, callsPerSecond }) {
    this.connection = connection;
    this.prefix = prefix;
    this.extensions = extensions;
    this.callsPerSecond = callsPerSecond;
  }

  start() {
    const startMs = performance.now();
    let rounds = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) / 1000) * this.callsPerSecond);
      for (; rounds < due; rounds += 1) for (const extension of this.extensions) void this.#call(extension);
    }, TICK_MS);
  }

  /** No further calls; those under way go on. */
  stop() {
    clearInterval(this.#timer);
  }

  /** Where the last stop left nothing under way. */
  get isQuiet() {
    return this.calls.every(({ endMs }) => endMs !== null);
  }

  async #call({ id, payload }) {
    /** @type {Call} */
    const call = { id, begunMs: performance.now(), endMs: null, end: 'unanswered' };
    this.calls.push(call);
    try {
      const subject = `${this.prefix}.invoke.${id}`;
      const reply = await this.connection.request(subject, JSON.stringify({ payload }), { timeout: UNANSWERED_MS });
      call.end = endOf(reply);
    } catch {
      // Nobody answered: that is its end.
    }
    call.endMs = performance.now();
  }
}

function endOf(reply) {
  const code = reply.headers?.get('Extreg-Error') || reply.headers?.get('Nats-Service-Error-Code');
  if (!code) return 'ok';
  return code === 'extension_unavailable' && reply.json().error.details?.reason === 'circuit_open' ? 'refused' : code;
}

/**
 * What callers saw of some calls that have ended.
 * @param {Call[]} calls
 */
export function summary(calls) {
  const latencies = calls.map(({ begunMs, endMs }) => endMs - begunMs).sort((a, b) => a - b);
  const ends = new Map();
  for (const { end } of calls) ends.set(end, (ends.get(end) ?? 0) + 1);
  const of = (end) => ends.get(end) ?? 0;
  return {
    calls: calls.length,
    ok: of('ok'),
    refused: of('refused'),
    ends,
    /** 0..1; null without calls. */
    okShare: calls.length === 0 ? null : of('ok') / calls.length,
    /** ms; null without calls. */
    p50Ms: quantile(latencies, 0.5),
    p95Ms: quantile(latencies, 0.95),
  };
}

/** Nearest rank. */
function quantile(sorted, share) {
  return sorted.length === 0 ? null : sorted[Math.ceil(sorted.length * share) - 1];
}
