// What the stream says beside rows: the summary, the daemon, and the events of the registry.
import { signal } from '@preact/signals';
import type { HealthSummary } from '../../src/domain/health/health-schema.js';
import type { RegistryEvent } from '../../src/domain/registry/events.js';
import type { DaemonStatus } from '../../src/domain/status-schema.js';

export interface Summary extends HealthSummary {
  readonly in_flight: number;
  readonly mass_failure: boolean;
}

export interface DaemonNews extends Pick<DaemonStatus, 'owed'>, Readonly<DaemonStatus['readiness']> {
  readonly revision: number | null;
}

/** With its place in the stream, `<boot>-<n>`. */
export interface News extends RegistryEvent {
  readonly n: string;
}

const MAX_EVENTS = 500;

export const summary = signal<Summary | null>(null);
export const daemon = signal<DaemonNews | null>(null);
/** The newest first. */
export const events = signal<readonly News[]>([]);
/** Events that could not be sent: how many, and since when; null: none is missing. */
export const gap = signal<{ readonly missed: number | null; readonly since: string | null } | null>(null);

const listeners = new Set<(event: News) => void>();

export function putEvent(event: News): void {
  events.value = [event, ...events.value].slice(0, MAX_EVENTS);
  for (const listener of listeners) listener(event);
}

/** How many of `all` came after the one with that number; undefined, and where it is no longer kept: all of them. */
export function newerThan(n: string | undefined, all: readonly News[]): number {
  const at = all.findIndex((one) => one.n === n);
  return at === -1 ? all.length : at;
}

/** Returns what ends it. */
export function onEvent(listener: (event: News) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
