// What replicas say to each other, over NATS.
//
// FLEET-WIRE-1. What is too large or no heartbeat is dropped and counted; nothing that arrives here throws.
// FLEET-WIRE-2. A replica greets when the server has its subscriptions, so that it hears the answers; again after each connect.
// FLEET-WIRE-3. Nothing of it waits for a call: it is put into the outbox of the connection like a reply.
import type { FleetListener, FleetMessage, FleetPort } from '../../actors/ports/fleet.js';
import { type Heartbeat, heartbeatText, readHeartbeat } from '../../domain/fleet/heartbeat.js';
import { createLimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import type { BrokerSubscription } from '../connection/broker-subscription.js';
import type { BrokerConnection } from '../connection/connection.js';
import type { Subjects } from '../wire/subjects.js';

const MESSAGES: readonly FleetMessage[] = ['hb', 'hello', 'bye'];

export class FleetWire implements FleetPort {
  dropped = 0;
  readonly #connection: BrokerConnection;
  readonly #subjects: Subjects;
  readonly #warnDropped: (fields: Readonly<Record<string, unknown>>) => void;
  readonly #subscriptions: BrokerSubscription[] = [];
  #isDenied = false;
  #isClosed = false;

  constructor(connection: BrokerConnection, subjects: Subjects, log: Logger, nowMs: () => number) {
    this.#connection = connection;
    this.#subjects = subjects;
    this.#warnDropped = createLimitedWarn(log, 'fleet_message_dropped', nowMs);
  }

  listen(listener: FleetListener): void {
    for (const message of MESSAGES) this.#subscribe(message, listener);
    this.#connection.onPublishDenied((subject) => {
      if (MESSAGES.some((message) => this.#subjects.fleet(message) === subject)) this.#isDenied = true;
    });
    this.#connection.onState((state) => {
      if (state === 'connected') this.#connected(listener);
    });
    if (this.#connection.connected) this.#connected(listener);
  }

  publish(message: FleetMessage, heartbeat: Heartbeat): void {
    this.#connection.publish(this.#subjects.fleet(message), '', '', Buffer.from(heartbeatText(heartbeat)));
  }

  get problem(): 'not_connected' | 'not_permitted' | null {
    if (!this.#connection.connected) return 'not_connected';
    return this.#isDenied || this.#subscriptions.some(({ denied }) => denied) ? 'not_permitted' : null;
  }

  close(): void {
    this.#isClosed = true;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  #subscribe(message: FleetMessage, listener: FleetListener): void {
    const subject = this.#subjects.fleet(message);
    const subscription = this.#connection.subscribe(subject, null, ({ body }) => {
      const heartbeat = readHeartbeat(body);
      if (heartbeat !== null) return listener.heard(message, heartbeat);
      this.dropped++;
      this.#warnDropped({ subject, bytes: body.length });
    });
    this.#subscriptions.push(subscription);
  }

  /** FLEET-WIRE-2. */
  #connected(listener: FleetListener): void {
    this.#isDenied = false;
    void this.#connection.roundTrip().then((isConnected) => {
      if (isConnected && !this.#isClosed) listener.connected();
    });
  }
}
