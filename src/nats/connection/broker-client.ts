// One client of nats.js as the connection uses it: what is subscribed and published through it, and whether messages pass by it.
//
// BROKER-CLIENT-1. Directly or through the client, a subscription gets the same messages in the same order (client-internals.ts,
//     frame-reader.ts); the setting `nats_direct_io` decides.
// BROKER-CLIENT-2. If what arrives is no NATS protocol, the socket is given up: the client of its own would stop reading and keep it.
import type { NatsConnection, Subscription } from '#@nats-io/nats-core';
import { FrameReader, type OnMessage } from '../wire/frame-reader.js';
import { ClientInternals, messageOf } from './client-internals.js';
import { Outbox } from './outbox.js';

export class BrokerClient {
  readonly outbox: Outbox;
  readonly #internals: ClientInternals;
  /** By the client's number of the subscription. */
  readonly #listeners = new Map<number, OnMessage>();

  constructor(
    readonly nc: NatsConnection,
    private readonly isDirect: boolean,
    private readonly onReadFailed: (error: unknown) => void,
  ) {
    const internals = new ClientInternals(nc);
    this.#internals = internals;
    this.outbox = new Outbox((pieces) => (isDirect ? internals.write(pieces) : internals.send(pieces)));
    this.connected();
  }

  /** The client has a new socket. */
  connected(): void {
    // The client has parsed what it read so far when this turn of the event loop is over.
    if (this.isDirect) setImmediate(this.#takeOver);
  }

  /** Neither must throw. `onError`: the server refused it, and it is over. */
  subscribe(
    subject: string,
    queue: string | null,
    onMessage: OnMessage,
    onError: (error: Error) => void,
  ): Subscription {
    const sub = this.nc.subscribe(subject, {
      ...(queue === null ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) return onMessage(messageOf(message));
        this.#listeners.delete(sub.getID());
        onError(error);
      },
    });
    const sid = sub.getID();
    this.#listeners.set(sid, onMessage);
    void sub.closed.then(() => this.#listeners.delete(sid));
    return sub;
  }

  /** Gives up the present socket at once, without waiting for what is written. */
  discard(): void {
    this.#internals.discard();
  }

  readonly #takeOver = (): void => {
    const reader = new FrameReader(this.#internals, this.#listeners);
    const read = (chunk: Buffer): void => {
      try {
        reader.read(chunk);
      } catch (error) {
        this.onReadFailed(error);
        this.#internals.disconnect();
      }
    };
    if (this.#internals.takeOver(read) === 'later') setImmediate(this.#takeOver);
  };
}
