// Switches that make an extension misbehave on purpose: slow, failing, hanging, crashing. All off unless set.
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from './envelope.mjs';

/** Name of the switch, its variable and its range. */
const SWITCHES = {
  delay_ms: { variable: 'EXTENSION_DELAY_MS', max: 600_000 },
  failure_rate: { variable: 'EXTENSION_FAILURE_RATE', max: 1 },
  hang_rate: { variable: 'EXTENSION_HANG_RATE', max: 1 },
  crash_rate: { variable: 'EXTENSION_CRASH_RATE', max: 1 },
};

/** @param {NodeJS.ProcessEnv} env */
export function createFaults(env) {
  const NO_REPLY = Symbol('no reply');
  const faults = Object.fromEntries(
    Object.entries(SWITCHES).map(([name, { variable }]) => [name, checked(variable, name, Number(env[variable] || 0))]),
  );
  return {
    /** Thrown where the request is to stay without a reply. */
    NO_REPLY,
    current: () => ({ ...faults }),
    /** Waits, throws or ends the process, as the switches say. */
    async beforeReply() {
      if (faults.delay_ms > 0) await sleep(faults.delay_ms);
      if (Math.random() < faults.crash_rate) process.exit(70);
      if (Math.random() < faults.hang_rate) throw NO_REPLY;
      if (Math.random() < faults.failure_rate) throw new ServiceError(500, 'failing on purpose');
    },
    /** Sets the switches that the JSON object in `text` names; an empty text changes none. All or nothing. */
    change(text) {
      let wanted;
      try {
        wanted = text.trim() === '' ? {} : JSON.parse(text);
      } catch {
        throw new Error('not JSON');
      }
      if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) throw new Error('not a JSON object');
      for (const [name, value] of Object.entries(wanted)) {
        if (!Object.hasOwn(SWITCHES, name)) throw new Error(`the switches are ${Object.keys(SWITCHES).join(', ')}`);
        checked(name, name, value);
      }
      return { ...Object.assign(faults, wanted) };
    },
  };
}

function checked(label, name, value) {
  const { max } = SWITCHES[name];
  if (typeof value !== 'number' || !(value >= 0 && value <= max)) throw new Error(`${label} must be 0..${max}`);
  return value;
}
