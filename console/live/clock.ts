// The daemon's clock: countdowns and ages are of its time, not of the reader's computer.
import { signal } from '@preact/signals';

let offsetMs = 0;

/** Epoch ms of the daemon, once a second. */
export const nowMs = signal(Date.now());

/** `now`: ISO 8601, as the daemon has just said it. */
export function setClock(now: string): void {
  offsetMs = Date.parse(now) - Date.now();
  tick();
}

const tick = (): void => {
  nowMs.value = Date.now() + offsetMs;
};

setInterval(tick, 1000);
