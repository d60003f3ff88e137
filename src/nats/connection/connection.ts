// The one connection to NATS: keeps it up, knows whether it is up, and is the only way anything is published or subscribed.
//
// CONNECTION-1. Nothing is published while disconnected: nats.js would buffer it without bound and then lose it.
// CONNECTION-2. It never gives up, neither at the first connect nor later, until close(); a closed client is replaced by a new one.
// CONNECTION-3. A listener that throws does not keep the others from being called.
// CONNECTION-4. A server that stands still is noticed, and left if it continues to, however much is waiting to be written.
//
// Long: what happens to the client, and who is notified of it, belong together.
import { setTimeout as delay } from 'node:timers/promises';
import { type NatsConnection, PermissionViolationError, type Status } from '#@nats-io/nats-core';
import { within } from '../../telemetry/deadline.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import type { OnMessage } from '../wire/frame-reader.js';
import { BrokerClient } from './broker-client.js';
import { BrokerSubscription, type SubscriptionHost } from './broker-subscription.js';
import type { ConnectionSettings } from './connection-options.js';
import { Dialer } from './dialer.js';
import { LameDuck } from './lame-duck.js';
import { renewLogin } from './login-renewal.js';
import { PayloadLimit } from './payload-limit.js';
import { RoundTrips } from './round-trips.js';

type ConnectionState = 'connected' | 'disconnected';
const FLUSH_DEADLINE_MS = 2000;
/** Our own stall can keep us from reading the answer to one ping, never to two. */
const UNANSWERED_PINGS = 2;
const LOOK_TIMEOUT_MS = 500;
const LOGIN_TIMEOUT_MS = 5000;

export class BrokerConnection implements SubscriptionHost {
  /** True while the server can be reached, as far as we know. */
  connected = false;
  /** Resolves at the first connect; never rejects. */
  readonly firstConnected: Promise<void>;

  #client: BrokerClient | null = null;
  /** Ends when that client is closed for good. */
  #watched: Promise<void> = Promise.resolve();
  readonly #dialer: Dialer;
  readonly #lameDuck: LameDuck;
  readonly #limit: PayloadLimit;
  readonly #subscriptions = new Set<BrokerSubscription>();
  readonly #stateListeners: ((state: ConnectionState) => void)[] = [];
  readonly #deniedListeners: ((subject: string) => void)[] = [];
  readonly #stallListeners: (() => void)[] = [];
  readonly #roundTrips = new RoundTrips(() => this.#flushAll());
  readonly #closing = new AbortController();
  readonly #warnConnect: LimitedWarn;
  readonly #warnDenied: LimitedWarn;
  #resolveFirst: () => void = () => undefined;

  readonly #isDirect: boolean;

  private constructor(
    settings: ConnectionSettings,
    private readonly log: Logger,
  ) {
    this.#isDirect = settings.isDirect ?? true;
    const nowMs = (): number => performance.now();
    const info = () => this.#client?.nc.info;
    this.#dialer = new Dialer(settings, log);
    this.#limit = new PayloadLimit(nowMs, info, () => this.#connectAgain());
    const leaving = {
      isInUse: (nc: NatsConnection) => this.#client?.nc === nc && this.connected,
      connectTo: (servers: readonly string[]) => this.#connectTo(servers),
      adopt: (nc: NatsConnection) => this.#adopt(nc),
    };
    this.#lameDuck = new LameDuck(leaving, this.#dialer.servers, this.#closing.signal, log);
    this.#warnConnect = createLimitedWarn(log, 'nats_connect_failed', nowMs);
    this.#warnDenied = createLimitedWarn(log, 'nats_permission_denied', nowMs);
    this.firstConnected = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
  }

  /** Begins to connect and returns immediately. Settings are expected to be valid; files are read at each attempt. */
  static open(settings: ConnectionSettings, log: Logger): BrokerConnection {
    const connection = new BrokerConnection(settings, log.child({ component: 'nats' }));
    void connection.#run();
    return connection;
  }

  onState(listener: (state: ConnectionState) => void): void {
    this.#stateListeners.push(listener);
  }

  /** The server did not let us publish to this subject. */
  onPublishDenied(listener: (subject: string) => void): void {
    this.#deniedListeners.push(listener);
  }

  /** The server has not answered for half a second or more; called again every quarter of a second until it does. */
  onStall(listener: () => void): void {
    this.#stallListeners.push(listener);
  }

  /** Largest message that the server takes, headers included, in bytes; as last heard of. */
  get maxPayload(): number {
    return this.#limit.bytes;
  }

  /** Why no call can be answered through this server, as it describes itself; null: nothing is known against it. */
  get unfit(): string | null {
    return this.#limit.unfit;
  }

  /** False: ask learnLimit() before a message of this size is compared with `maxPayload`. */
  isLimitKnownFor(size: number): boolean {
    return this.#limit.isKnownFor(size);
  }

  /** Resolves when `maxPayload` is what the server says now, or after half a second. Never rejects. */
  learnLimit(): Promise<void> {
    return this.#limit.ask();
  }

  /** For an operator who has changed files of the login. Never rejects. */
  renewLogin(): Promise<void> {
    return renewLogin(this.#dialer.contents, this.log, () =>
      this.connected ? this.#connectAgain(LOGIN_TIMEOUT_MS) : null,
    );
  }

  /** Takes effect at the next connect if there is no connection now, and again after each one. */
  subscribe(subject: string, queue: string | null, callback: OnMessage): BrokerSubscription {
    const subscription = new BrokerSubscription(subject, queue, callback, this);
    this.#subscriptions.add(subscription);
    this.#attach(subscription);
    return subscription;
  }

  /** For a subscription that was denied. */
  reattach(subscription: BrokerSubscription): void {
    if (this.connected) this.#attach(subscription);
  }

  forget(subscription: BrokerSubscription): void {
    this.#subscriptions.delete(subscription);
  }

  /** For a subscription. A denial comes as a status too, and is logged there. */
  subscriptionFailed(error: unknown, subject: string): void {
    if (!(error instanceof PermissionViolationError))
      this.log.error({ event: 'nats_callback_failed', subject, error: describe(error) });
  }

  /**
   * CONNECTION-1. False: nothing was sent, because we are disconnected, it is over the server's limit, or the server takes no headers.
   * `block` is a whole header block, one character per byte, or ''; `reply` is '' if no answer is wanted.
   */
  publish(subject: string, reply: string, block: string, body: Uint8Array): boolean {
    if (!this.connected || this.#client === null || !this.#limit.allows(block.length, body.length)) return false;
    this.#client.outbox.put(subject, reply, block, body);
    return true;
  }

  /**
   * ROUND-TRIPS-1. True: everything published so far has reached the server, and everything that the server had for us by then has been
   * taken in. False: there is no connection, or it was lost meanwhile. Never rejects; waits while the server stands still.
   */
  roundTrip(): Promise<boolean> {
    return this.connected ? this.#roundTrips.run() : Promise.resolve(false);
  }

  /** A round trip that is waited for two seconds at most. Never rejects. */
  async flush(): Promise<void> {
    await within(FLUSH_DEADLINE_MS, this.roundTrip(), null);
  }

  /** Sends what is still to be sent, then ends the connection for good. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await this.flush();
    this.#closing.abort();
    for (const subscription of [...this.#subscriptions]) subscription.unsubscribe();
    for (const nc of [this.#lameDuck.retiring, this.#client?.nc ?? null])
      if (nc !== null && !nc.isClosed()) await nc.close();
    this.#setState('disconnected');
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        const nc = await this.#dialer.dial();
        if (this.#closing.signal.aborted) {
          await nc.close();
          return;
        }
        this.#adopt(nc);
        this.#up(nc);
        // LAME-DUCK-1: a client that is closed for good may have a successor.
        for (let watched = null; watched !== this.#watched; ) {
          watched = this.#watched;
          await watched;
        }
        this.#setState('disconnected');
      } catch (error) {
        this.#warnConnect({ servers: this.#dialer.servers, error: describe(error) });
      }
      this.#dialer.nextDelay();
      await delay(this.#dialer.delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** All that is published and subscribed goes through this client from now on. */
  #adopt(nc: NatsConnection): void {
    this.#client?.outbox.flush();
    const client = new BrokerClient(nc, this.#isDirect, (error) =>
      this.log.error({ event: 'nats_read_failed', error: describe(error) }),
    );
    this.#client = client;
    for (const subscription of this.#subscriptions) subscription.attach(client, true);
    this.#watched = this.#watch(client);
  }

  #attach(subscription: BrokerSubscription): void {
    if (this.#client !== null && !this.#client.nc.isClosed()) subscription.attach(this.#client, false);
  }

  async #watch(client: BrokerClient): Promise<void> {
    for await (const status of client.nc.status()) if (client === this.#client) this.#take(client, status);
  }

  #connectTo(servers: readonly string[]): Promise<NatsConnection | null> {
    return this.#dialer.dial({ servers: [...servers], noRandomize: true }).catch((error: unknown) => {
      this.#warnConnect({ servers, error: describe(error) });
      return null;
    });
  }

  /** A short second connection to the same server, with the present login; its INFO has the present limit. */
  #connectAgain(timeout = LOOK_TIMEOUT_MS): Promise<NatsConnection> {
    const nc = this.#client?.nc;
    if (nc === undefined || !this.connected) return Promise.reject(new Error('disconnected'));
    return this.#dialer.dial({ servers: [nc.getServer()], reconnect: false, timeout });
  }

  #up(nc: NatsConnection): void {
    this.#dialer.succeeded();
    this.log.info({ event: 'nats_connected', server: nc.getServer(), server_version: nc.info?.version });
    this.#resolveFirst();
    this.#setState('connected');
  }

  /** One round trip on every client that is listened to. */
  #flushAll(): Promise<unknown> {
    this.#client?.outbox.flush();
    const retired = this.#lameDuck.retiring?.flush().catch(() => undefined);
    return Promise.all([this.#client?.nc.flush(), retired]);
  }

  #take(client: BrokerClient, status: Status): void {
    const { nc } = client;
    switch (status.type) {
      case 'ping':
        if (status.pendingPings <= UNANSWERED_PINGS) break;
        if (status.pendingPings === UNANSWERED_PINGS + 1) this.log.warn({ event: 'nats_trouble', kind: 'stalled' });
        for (const listener of this.#stallListeners) this.#notify(listener, undefined);
        break;
      case 'disconnect':
        this.log.warn({ event: 'nats_disconnected', server: status.server });
        this.#setState('disconnected');
        break;
      case 'reconnecting':
        this.#dialer.nextDelay();
        break;
      case 'reconnect':
        client.connected();
        for (const subscription of this.#subscriptions) subscription.attach(client, false);
        this.#up(nc);
        break;
      case 'error':
        if (status.error instanceof PermissionViolationError) {
          this.#warnDenied({ operation: status.error.operation, subject: status.error.subject });
          if (status.error.operation === 'publish')
            for (const listener of this.#deniedListeners) this.#notify(listener, status.error.subject);
        } else this.#warnConnect({ servers: [nc.getServer()], error: describe(status.error) });
        break;
      case 'ldm':
        void this.#lameDuck.leave(nc);
        break;
      case 'slowConsumer':
      case 'staleConnection':
        this.log.warn({ event: 'nats_trouble', kind: status.type });
        // CONNECTION-4. The client first waits until all that it has written is gone, which a server that stands still may never read.
        if (status.type === 'staleConnection') client.discard();
        break;
      default:
        break;
    }
  }

  #setState(state: ConnectionState): void {
    const connected = state === 'connected';
    if (connected === this.connected) return;
    this.connected = connected;
    this.#client?.outbox.clear();
    for (const listener of this.#stateListeners) this.#notify(listener, state);
    if (!connected) this.#roundTrips.lose();
  }

  #notify<T>(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.log.error({ event: 'nats_listener_failed', error: describe(error) });
    }
  }
}

const describe = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
