// What systemd is notified of, as its sd_notify(3) asks for it: ready, reloading, stopping, and that the event loop turns.
//
// SERVICE-NOTICES-1. Without NOTIFY_SOCKET nothing is started and nothing is sent.
// SERVICE-NOTICES-2. READY=1 is sent once, when invocations are answered. From then on WATCHDOG=1 follows at half of WATCHDOG_USEC, by a
//     timer of the event loop: a loop that stands still sends none, and systemd restarts the daemon.
// SERVICE-NOTICES-3. A reload of a ready daemon is RELOADING=1, and ends with READY=1 however it ends.
// SERVICE-NOTICES-4. After STOPPING=1 nothing but WATCHDOG=1 is sent: a stop may take longer than the watchdog allows for.
import type { Clock } from '../actors/ports/clock.js';
import type { Logger } from '../telemetry/log.js';
import { NotifyShell } from './notify-shell.js';

type Env = Readonly<Record<string, string | undefined>>;

/** The longest time that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class ServiceNotices {
  #state: 'starting' | 'ready' | 'stopping' = 'starting';
  #timer: unknown = null;

  /** `send` takes one message, its assignments separated by spaces. `watchdogMs`: between two signs of life; null: none is asked for. */
  constructor(
    private readonly send: (message: string) => void,
    private readonly watchdogMs: number | null,
    private readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>,
  ) {}

  /** Never rejects: a daemon that cannot start is never ready. */
  async follow(starting: Promise<{ readonly ready: Promise<void> }>): Promise<void> {
    try {
      await (await starting).ready;
    } catch {
      return;
    }
    if (this.#state !== 'starting') return;
    this.#state = 'ready';
    this.send('READY=1');
    if (this.watchdogMs !== null) this.#beat(this.watchdogMs);
  }

  /** SERVICE-NOTICES-3. Settles as `work` does. */
  async reloading(work: () => Promise<void>): Promise<void> {
    if (this.#state === 'ready') this.send(`RELOADING=1 MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await work();
    } finally {
      if (this.#state === 'ready') this.send('READY=1');
    }
  }

  stopping(): void {
    if (this.#state !== 'stopping') this.send('STOPPING=1');
    this.#state = 'stopping';
  }

  /** No sign of life follows. */
  close(): void {
    this.clock.clearTimeout(this.#timer);
  }

  #beat(everyMs: number): void {
    this.send('WATCHDOG=1');
    this.#timer = this.clock.setTimeout(() => this.#beat(everyMs), everyMs);
  }
}

/** Of the process with that environment. SERVICE-NOTICES-1. */
export function serviceNotices(env: Env, clock: Clock, log: Logger, pid = process.pid): ServiceNotices {
  if (!env.NOTIFY_SOCKET) return new ServiceNotices(() => undefined, null, clock);
  const serviceLog = log.child({ component: 'service' });
  const shell = new NotifyShell(env, clock.now, serviceLog);
  return new ServiceNotices((message) => shell.send(message), watchdogMs(env, pid, serviceLog), clock);
}

/** Half of what systemd waits for. null: it waits for none, or for one of another process, or for what cannot be read, which is logged. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Env, pid: number, log: Logger): number | null {
  if (!WATCHDOG_USEC || (WATCHDOG_PID && WATCHDOG_PID !== String(pid))) return null;
  const halfMs = Number(WATCHDOG_USEC) / 2000;
  if (/^\d+$/.test(WATCHDOG_USEC) && halfMs >= 1) return Math.min(Math.floor(halfMs), MAX_TIMER_MS);
  const hint = 'set WatchdogSec= of the unit to some seconds, or remove it; no sign of life is sent';
  log.warn({
    event: 'service_notify_failed',
    error: `WATCHDOG_USEC: got ${WATCHDOG_USEC}, expected microseconds`,
    hint,
  });
  return null;
}
