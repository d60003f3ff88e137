// Sends messages to systemd's notification socket, which is a Unix datagram socket: Node has none, so `systemd-notify` sends them.
//
// NOTIFY-SHELL-1. The daemon does not fork for a message: a fork of 1.5 GB holds the event loop for 40 ms. One shell is started with the
//     daemon, while it is small, and starts `systemd-notify` for each line that it is given, one after another.
// NOTIFY-SHELL-2. The shell ends with the daemon, however that ends (end of file), and not before it: it ignores the signals of the group. If
//     it is gone nevertheless, the next message starts another one.
// NOTIFY-SHELL-3. What cannot be sent is logged and lost. The daemon waits for none of it, and keeps a bounded number of messages.
import { type ChildProcess, spawn } from 'node:child_process';
import { createLimitedWarn, type LimitedWarn } from '../telemetry/limited-log.js';
import type { Logger } from '../telemetry/log.js';

// `set -f`: a message is split at its spaces and expanded in no other way.
const SCRIPT = "trap '' HUP INT QUIT TERM; set -f; while read -r message; do systemd-notify $message; done";
const MAX_PENDING_BYTES = 4096;
const MAX_ERROR_LENGTH = 500;

export class NotifyShell {
  readonly #warn: LimitedWarn;
  #child: ChildProcess | null = null;

  /** Starts the shell. `env` has NOTIFY_SOCKET, and PATH to find `systemd-notify` by. */
  constructor(
    private readonly env: Readonly<Record<string, string | undefined>>,
    nowMs: () => number,
    log: Logger,
  ) {
    this.#warn = createLimitedWarn(log, 'service_notify_failed', nowMs);
    this.#child = this.#start();
  }

  /** One message: assignments such as `READY=1`, separated by spaces, without line feeds. Never throws. */
  send(message: string): void {
    this.#child ??= this.#start();
    const input = this.#child?.stdin;
    if (!input?.writable) return;
    if (input.writableLength > MAX_PENDING_BYTES) this.#warn({ error: 'systemd-notify does not end', lost: message });
    else input.write(`${message}\n`);
  }

  /** null: it cannot be started. */
  #start(): ChildProcess | null {
    try {
      const child = spawn('sh', ['-c', SCRIPT], { env: { ...this.env }, stdio: ['pipe', 'ignore', 'pipe'] });
      const gone = (): void => {
        if (this.#child === child) this.#child = null;
      };
      child.on('error', (error) => {
        gone();
        this.#warn({ error: error.message });
      });
      child.on('exit', gone);
      child.stdin?.on('error', gone);
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.#warn({ error: text.trim().slice(0, MAX_ERROR_LENGTH) });
      });
      child.stderr?.on('error', gone);
      // It keeps no process alive that is otherwise through.
      for (const one of [child, child.stdin, child.stderr]) (one as { unref?: () => void } | null)?.unref?.();
      return child;
    } catch (error) {
      this.#warn({ error: String(error) });
      return null;
    }
  }
}
