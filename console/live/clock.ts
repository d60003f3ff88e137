// The daemon's clock: countdowns and ages are of its time, not of the reader's computer.
import { computed, signal } from '@preact/signals';

let offsetMs = 0;

/** Epoch ms of the daemon, once a second. */
export const nowMs = signal(Date.now());

/** Epoch ms at which its day began where the reader is: what depends on the day alone is drawn once a day. */
export const dayMs = computed(() => new Date(nowMs.value).setHours(0, 0, 0, 0));

/** `now`: ISO 8601, as the daemon has just said it. */
export function setClock(now: string): void {
  offsetMs = Date.parse(now) - Date.now();
  tick();
}

const tick = (): void => {
  nowMs.value = Date.now() + offsetMs;
};

setInterval(tick, 1000);
