// A process of the benchmark, run with --expose-gc: what each of many breakers holds in memory, the timers it keeps, and
// what all of them cost while nobody calls. Arguments: how many of each, and how long they idle in ms.
import { createHook } from 'node:async_hooks';
import { ConsecutiveBreaker, circuitBreaker, handleAll, type IBreaker, SamplingBreaker } from 'cockatiel';
import CircuitBreaker from 'opossum';
import { Endpoint } from '../src/actors/target/endpoint.js';
import type { Target } from '../src/actors/target/target.js';
import { HEALTH_WINDOW_MS } from '../src/domain/health/health-window.js';
import { fillOpossum } from './call-rows.js';
import { entry, startCore } from './core.js';
import {
  BUSY_CALLS,
  DEFAULTS,
  NEVER_MS,
  OPOSSUM_BUSY_CALLS,
  runningClock,
  settleAt,
  spreadMs,
  startTarget,
} from './targets.js';

export interface Held {
  readonly name: string;
  /** Of each. */
  readonly bytes: number;
  readonly timers: number;
  /** What all of them take of a processor, 0..1; null where that was not measured. */
  readonly idleShare: number | null;
}

type Stop = () => void | Promise<void>;

/** Something there are many of. `make` holds them until the function that it returns is called. */
interface Kind {
  readonly name: string;
  /** Made busy, which takes its time: then there are a tenth as many. */
  readonly isBusy: boolean;
  readonly make: (count: number) => Stop | Promise<Stop>;
  /** TargetStats while nobody calls, too. */
  readonly idles: boolean;
}

async function startExtensions(count: number, instances: number, isBusy: boolean): Promise<Stop> {
  const core = startCore(Array.from({ length: count }, (_, i) => entry(`extension-${i}`, instances)));
  while (core.supervisor.revision === null) await new Promise((resolve) => setImmediate(resolve));
  if (isBusy)
    for (const { services } of core.supervisor.runtimes.values()) for (const { target } of services) makeBusy(target);
  return () => core.stop();
}

/** Its calls take turns at its instances. */
function makeBusy(target: Target): void {
  const endpoints = [...target.rotation.endpoints];
  for (let i = 0; i < BUSY_CALLS; i++)
    settleAt(target, 'success', spreadMs(i), endedMs(i), endpoints[i % endpoints.length]);
}

/** `make` is called for each. */
const each = <T>(name: string, make: () => T, stop: (one: T) => void = () => undefined): Kind => ({
  name,
  isBusy: false,
  idles: false,
  make: (count) => {
    const all = Array.from({ length: count }, make);
    return () => all.forEach(stop);
  },
});
const busy = (kind: Kind): Kind => ({ ...kind, isBusy: true });
const idling = (kind: Kind): Kind => ({ ...kind, idles: true });
const core = (name: string, instances: number, isBusy = false): Kind => ({
  name,
  isBusy,
  idles: false,
  make: (count) => startExtensions(count, instances, isBusy),
});

/** When the i-th of a busy one's calls ended: spread over the health window. */
const endedMs = (i: number): number => ((i + 0.5) / BUSY_CALLS) * HEALTH_WINDOW_MS;

function busyTarget(): unknown {
  const target = startTarget(runningClock);
  for (let i = 0; i < BUSY_CALLS; i++) settleAt(target, 'success', spreadMs(i), endedMs(i));
  return target;
}

function busyEndpoint(): unknown {
  const endpoint = new Endpoint('ext.busy.1', DEFAULTS.window_seconds * 1000);
  for (let i = 0; i < BUSY_CALLS; i++) {
    endpoint.window.recordSuccess(endedMs(i));
    endpoint.health.record(true, spreadMs(i), endedMs(i));
  }
  return endpoint;
}

function busyOpossum(): CircuitBreaker {
  const breaker = new CircuitBreaker(async () => 1);
  fillOpossum(breaker, OPOSSUM_BUSY_CALLS);
  return breaker;
}

const shutdown = (breaker: CircuitBreaker): void => breaker.shutdown();
const policy = (breaker: IBreaker): unknown => circuitBreaker(handleAll, { halfOpenAfter: NEVER_MS, breaker });

const KINDS: readonly Kind[] = [
  each('this daemon: target with its actor, idle', () => startTarget(runningClock)),
  busy(each('this daemon: target with its actor, busy', busyTarget)),
  each('this daemon: endpoint, idle', () => new Endpoint('ext.idle.1', DEFAULTS.window_seconds * 1000)),
  busy(each('this daemon: endpoint, busy', busyEndpoint)),
  idling(core('this daemon: extension, idle (row, runtime, target, actor, route)', 0)),
  core('this daemon: extension with 3 instances, idle', 3),
  core('this daemon: extension with 4 instances, busy', 4, true),
  idling(each('opossum, idle', () => new CircuitBreaker(async () => 1), shutdown)),
  busy(each('opossum, busy', busyOpossum, shutdown)),
  each('cockatiel, consecutive', () => policy(new ConsecutiveBreaker(5))),
  idling(each('cockatiel, sampling', () => policy(new SamplingBreaker({ threshold: 0.5, duration: 60_000 })))),
];

/** Bytes on the heap and in array buffers, garbage left out. */
async function bytesInUse(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Timers that each keeps running; those that do not keep the process alive count too. */
async function timersOf({ make }: Kind): Promise<number> {
  const sample = 50;
  const timers = new Set<number>();
  const hook = createHook({
    init: (id, type) => {
      if (type === 'Timeout') timers.add(id);
    },
    destroy: (id) => timers.delete(id),
  }).enable();
  const stop = await make(sample);
  hook.disable();
  const found = timers.size;
  await stop();
  // One for all of them, such as a tick, is not one of each.
  return Math.floor(found / sample);
}

async function idleShare(idleMs: number): Promise<number> {
  const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  // What making them left to do belongs to making them.
  await pass(idleMs / 2);
  const begunMs = performance.now();
  const before = process.cpuUsage();
  await pass(idleMs);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - begunMs);
}

async function measure(kind: Kind, of: number, idleMs: number): Promise<Held> {
  const count = kind.isBusy ? of / 10 : of;
  const timers = await timersOf(kind);
  const before = await bytesInUse();
  const stop = await kind.make(count);
  const bytes = ((await bytesInUse()) - before) / count;
  const share = kind.idles ? await idleShare(idleMs) : null;
  await stop();
  return { name: kind.name, bytes, timers, idleShare: share };
}

if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
const [count = 0, idleMs = 0] = process.argv.slice(2).map(Number);
const held: Held[] = [];
for (const kind of KINDS) held.push(await measure(kind, count, idleMs));
process.send?.(held);
