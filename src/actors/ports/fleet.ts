// What a replica needs of the others, and what the rest of the daemon needs of the fleet. Types alone.
import type { Heartbeat } from '../../domain/fleet/heartbeat.js';

/** A heartbeat, or one with a meaning beside it: `hello` asks all others for one at once, `bye` is the first of a replica that leaves. */
export type FleetMessage = 'hb' | 'hello' | 'bye';

/** Neither must throw. */
export interface FleetListener {
  /** What arrived is a heartbeat, possibly our own, as late and as often as the network likes. */
  heard(message: FleetMessage, heartbeat: Heartbeat): void;
  /** There is a connection, and whatever others publish from now on arrives here. Once per connection. */
  connected(): void;
}

// Filled in by nats/
export interface FleetPort {
  /** Once. `connected` is called soon where there is a connection already. */
  listen(listener: FleetListener): void;
  /** Returns immediately; what cannot be sent is lost. */
  publish(message: FleetMessage, heartbeat: Heartbeat): void;
  /** Why others cannot be heard, or cannot hear us; null: nothing is known against it. */
  readonly problem: 'not_connected' | 'not_permitted' | null;
  /** Messages that were no heartbeats. */
  readonly dropped: number;
  /** Nothing is heard any more. */
  close(): void;
}

/** What of a daemon the other replicas are shown, beside its name. */
export interface OwnFacts {
  /** Address of its admin API. */
  readonly http: string;
  /** Of the registry in force; null before the first reading. */
  readonly revision: number | null;
  readonly targets: number;
  /** Since it started. */
  readonly calls: number;
  readonly inFlight: number;
  /** How late its event loop is, 99th percentile. */
  readonly lagMs: number;
}

/** What follows from the other replicas. */
export interface FleetView {
  /** How many share what is meant for the whole fleet, this one included; at least 1. Read for calls, so it is a plain member. */
  readonly replicas: number;
  /** Whether this replica does what is done once in a fleet for a key. `keyHash`: hashOf(key) of domain/routing/rendezvous.ts. */
  isSteward(keyHash: number): boolean;
}
