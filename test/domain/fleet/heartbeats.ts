// Heartbeats for tests of the fleet: what a test does not name is as of a replica that does nothing.
import type { Heartbeat } from '../../../src/domain/fleet/heartbeat.js';

/** Of a number, as an incarnation is written. */
export const incarnationOf = (number: number): string => number.toString(16).padStart(8, '0').repeat(4);

export const heartbeat = (said: Partial<Heartbeat> = {}): Heartbeat => ({
  id: 'a',
  inc: incarnationOf(1),
  seq: 1,
  version: '1.0.0',
  proto: [1, 1],
  host: 'host',
  pid: 1,
  http: 'http://127.0.0.1:8420',
  up_s: 100,
  revision: 7,
  scope: 'private',
  targets: 0,
  rps: 0,
  in_flight: 0,
  lag_ms: 0,
  draining: false,
  ...said,
});
