// The one connection to NATS: keeps it up, knows whether it is up, and is the only way anything is published or subscribed.
//
// C1. Nothing is published while disconnected: nats.js would buffer it without bound and then lose it.
// C2. Every subscription callback is guarded: a throw in one silently ends the reader of the whole connection.
// C3. It never gives up, neither at the first connect nor later, until close(); a closed client is replaced by a new one.
// C4. A subscription that the server denied is asked for again, and says so until it is granted.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Authenticator,
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  nkeyAuthenticator,
  PermissionViolationError,
  type Status,
  type Subscription,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import type { Logger } from '../telemetry/log.js';
import { createLimitedWarn, type LimitedWarn } from './limited-log.js';
import { Outbox } from './outbox.js';
import { INBOX_PREFIX } from './subjects.js';

export interface ConnectionSettings {
  /** `nats://` or `tls://` addresses, several separated by commas; user and password or a token may stand within. */
  readonly url: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly user?: string | null;
  readonly password?: string | null;
  readonly token?: string | null;
  readonly nkeySeedFile?: string | null;
  readonly credsFile?: string | null;
  readonly tlsCaFile?: string | null;
  readonly tlsCertFile?: string | null;
  readonly tlsKeyFile?: string | null;
  /** Longest wait between two attempts to connect; 15 000 without it. A server of our own is back within milliseconds. */
  readonly reconnectMaxMs?: number;
}

export type ConnectionState = 'connected' | 'disconnected';

export type MessageListener = (message: Msg) => void;

const CONNECT_TIMEOUT_MS = 5000;
const PING_INTERVAL_MS = 5000;
const FIRST_DELAY_MS = 50;
const DEFAULT_RECONNECT_MAX_MS = 15_000;
const DENIED_RETRY_MS = 5000;
const DRAIN_DEADLINE_MS = 2000;
const DEFAULT_MAX_PAYLOAD = 1_048_576;

/** One subscription over all lives of the connection. */
export class BrokerSubscription {
  /** C4. */
  denied = false;
  #current: Subscription | null = null;
  #wanted = true;
  #retry: NodeJS.Timeout | null = null;

  constructor(
    readonly subject: string,
    private readonly queue: string | null,
    private readonly callback: MessageListener,
    private readonly connection: BrokerConnection,
    private readonly onError: (error: unknown, subject: string) => void,
  ) {}

  /** Asks the server; without effect where it was asked already. `fresh`: the client is a new one. */
  attach(nc: NatsConnection, fresh: boolean): void {
    if (!this.#wanted || (this.#current !== null && !fresh)) return;
    const wasDenied = this.denied;
    const sub = nc.subscribe(this.subject, {
      ...(this.queue === null ? {} : { queue: this.queue }),
      callback: (error, message) => {
        try {
          if (error === null) this.callback(message);
          else this.#failed(error);
        } catch (thrown) {
          this.onError(thrown, this.subject);
        }
      },
    });
    this.#current = sub;
    // The server says no before it answers the flush.
    if (wasDenied)
      nc.flush().then(
        () => {
          if (this.#current === sub) this.denied = false;
        },
        () => undefined,
      );
  }

  #failed(error: Error): void {
    this.#current = null;
    this.denied = true;
    this.onError(error, this.subject);
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.connection.reattach(this);
    }, DENIED_RETRY_MS).unref();
  }

  /** No further messages; resolves when those on their way have been handed over, or after two seconds. */
  async drain(): Promise<void> {
    this.#stop();
    const sub = this.#current;
    this.#current = null;
    if (sub === null || sub.isClosed()) return;
    const deadline = new AbortController();
    await Promise.race([
      sub.drain().catch(() => undefined),
      delay(DRAIN_DEADLINE_MS, undefined, { signal: deadline.signal }).catch(() => undefined),
    ]);
    deadline.abort();
    if (!sub.isClosed()) sub.unsubscribe();
  }

  unsubscribe(): void {
    this.#stop();
    const sub = this.#current;
    this.#current = null;
    if (sub !== null && !sub.isClosed()) sub.unsubscribe();
  }

  #stop(): void {
    this.#wanted = false;
    this.connection.forget(this);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }
}

export class BrokerConnection {
  /** True while the server can be reached, as far as we know. */
  connected = false;
  /** Largest message the server takes, headers included, in bytes. */
  maxPayload = DEFAULT_MAX_PAYLOAD;
  /** Resolves at the first connect; never rejects. */
  readonly firstConnected: Promise<void>;

  #nc: NatsConnection | null = null;
  #outbox: Outbox | null = null;
  #attempts = 0;
  #delayMs = 0;
  readonly #subscriptions = new Set<BrokerSubscription>();
  readonly #stateListeners: ((state: ConnectionState) => void)[] = [];
  readonly #deniedListeners: ((subject: string) => void)[] = [];
  readonly #closing = new AbortController();
  readonly #warnConnect: LimitedWarn;
  readonly #warnDenied: LimitedWarn;
  #resolveFirst: () => void = () => undefined;

  private constructor(
    private readonly settings: ConnectionSettings,
    private readonly log: Logger,
  ) {
    const nowMs = (): number => performance.now();
    this.#warnConnect = createLimitedWarn(log, 'nats_connect_failed', nowMs);
    this.#warnDenied = createLimitedWarn(log, 'nats_permission_denied', nowMs);
    this.firstConnected = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
  }

  /** Begins to connect and returns at once. Settings are expected to be valid; files are read at each attempt. */
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

  /** Takes effect at the next connect where there is none now, and again after each one. */
  subscribe(subject: string, queue: string | null, callback: MessageListener): BrokerSubscription {
    const subscription = new BrokerSubscription(subject, queue, callback, this, (error, name) => {
      if (error instanceof PermissionViolationError) return;
      this.log.error({ event: 'nats_callback_failed', subject: name, error: describe(error) });
    });
    this.#subscriptions.add(subscription);
    if (this.#nc !== null && !this.#nc.isClosed()) subscription.attach(this.#nc, false);
    return subscription;
  }

  /** For a subscription that was denied (C4). */
  reattach(subscription: BrokerSubscription): void {
    if (this.#nc !== null && !this.#nc.isClosed() && this.connected) subscription.attach(this.#nc, false);
  }

  forget(subscription: BrokerSubscription): void {
    this.#subscriptions.delete(subscription);
  }

  /**
   * C1. False: nothing was sent, because we are disconnected or it is over the server's limit.
   * `block` is a whole header block, one character per byte, or ''; `reply` is '' where no answer is wanted.
   */
  publish(subject: string, reply: string, block: string, body: Uint8Array): boolean {
    if (!this.connected || this.#outbox === null || block.length + body.length > this.maxPayload) return false;
    this.#outbox.put(subject, reply, block, body);
    return true;
  }

  /** Everything published so far has reached the server. Rejects where the connection is lost meanwhile. */
  async flush(): Promise<void> {
    this.#outbox?.flush();
    if (this.#nc !== null && this.connected) await this.#nc.flush();
  }

  /** Sends what is still to be sent, then ends the connection for good. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const nc = this.#nc;
    if (nc !== null && this.connected && !nc.isClosed()) {
      this.#outbox?.flush();
      const deadline = new AbortController();
      await Promise.race([
        nc.flush().catch(() => undefined),
        delay(DRAIN_DEADLINE_MS, undefined, { signal: deadline.signal }).catch(() => undefined),
      ]);
      deadline.abort();
    }
    this.#closing.abort();
    for (const subscription of [...this.#subscriptions]) subscription.unsubscribe();
    if (nc !== null && !nc.isClosed()) await nc.close();
    this.#setState('disconnected');
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        const nc = await connect(this.#options());
        if (this.#closing.signal.aborted) {
          await nc.close();
          return;
        }
        this.#outbox = new Outbox(nc);
        this.#nc = nc;
        for (const subscription of this.#subscriptions) subscription.attach(nc, true);
        this.#up(nc);
        for await (const status of nc.status()) this.#take(nc, status);
        this.#setState('disconnected');
      } catch (error) {
        this.#warnConnect({ servers: addresses(this.settings.url).servers, error: describe(error) });
      }
      this.#nextDelay();
      await delay(this.#delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  #up(nc: NatsConnection): void {
    this.#attempts = 0;
    this.#delayMs = 0;
    this.maxPayload = nc.info?.max_payload ?? DEFAULT_MAX_PAYLOAD;
    this.log.info({ event: 'nats_connected', server: nc.getServer(), server_version: nc.info?.version });
    this.#resolveFirst();
    this.#setState('connected');
  }

  #take(nc: NatsConnection, status: Status): void {
    switch (status.type) {
      case 'disconnect':
        this.log.warn({ event: 'nats_disconnected', server: status.server });
        this.#setState('disconnected');
        break;
      case 'reconnecting':
        this.#nextDelay();
        break;
      case 'reconnect':
        for (const subscription of this.#subscriptions) subscription.attach(nc, false);
        this.#up(nc);
        break;
      case 'error':
        if (status.error instanceof PermissionViolationError) {
          this.#warnDenied({ operation: status.error.operation, subject: status.error.subject });
          if (status.error.operation === 'publish')
            for (const listener of this.#deniedListeners) this.#tell(listener, status.error.subject);
        } else this.#warnConnect({ servers: [nc.getServer()], error: describe(status.error) });
        break;
      case 'staleConnection':
      case 'slowConsumer':
        this.log.warn({ event: 'nats_trouble', kind: status.type });
        break;
      default:
        break;
    }
  }

  #setState(state: ConnectionState): void {
    const connected = state === 'connected';
    if (connected === this.connected) return;
    this.connected = connected;
    this.#outbox?.clear();
    for (const listener of this.#stateListeners) this.#tell(listener, state);
  }

  #tell<T>(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.log.error({ event: 'nats_listener_failed', error: describe(error) });
    }
  }

  /** nats.js asks for the delay several times per attempt, so it is worked out once per attempt: doubling, up to 20 % longer. */
  #nextDelay(): void {
    const max = this.settings.reconnectMaxMs ?? DEFAULT_RECONNECT_MAX_MS;
    this.#delayMs = Math.min(max, FIRST_DELAY_MS * 2 ** Math.min(this.#attempts, 20)) * (1 + Math.random() * 0.2);
    this.#attempts += 1;
  }

  #options(): NodeConnectionOptions {
    const { settings } = this;
    const { servers, user, password, token, tls } = addresses(settings.url);
    const authenticators: Authenticator[] = [];
    const secret = settings.token ?? token;
    if (settings.credsFile) authenticators.push(credsAuthenticator(fileOf(settings.credsFile)));
    else if (settings.nkeySeedFile) authenticators.push(nkeyAuthenticator(seedOf(settings.nkeySeedFile)));
    else if (settings.user) authenticators.push(usernamePasswordAuthenticator(settings.user, settings.password ?? ''));
    else if (secret) authenticators.push(tokenAuthenticator(secret));
    else if (user) authenticators.push(usernamePasswordAuthenticator(user, password ?? ''));
    const files = {
      ...(settings.tlsCaFile ? { caFile: settings.tlsCaFile } : {}),
      ...(settings.tlsCertFile ? { certFile: settings.tlsCertFile } : {}),
      ...(settings.tlsKeyFile ? { keyFile: settings.tlsKeyFile } : {}),
    };
    return {
      servers,
      name: settings.name,
      ...(authenticators.length > 0 ? { authenticator: authenticators } : {}),
      ...(tls || Object.keys(files).length > 0 ? { tls: files } : {}),
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      timeout: CONNECT_TIMEOUT_MS,
      noAsyncTraces: true,
      inboxPrefix: INBOX_PREFIX,
      reconnectDelayHandler: () => this.#delayMs,
    };
  }
}

const describe = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

/** Read again at each connect, so that a rotated file is used. */
const fileOf = (path: string) => (): Uint8Array => readFileSync(path);
const seedOf = (path: string) => (): Uint8Array => Buffer.from(readFileSync(path, 'utf8').trim());

/** Takes a URL list apart: nats.js wants bare addresses, and the user, password or token as options. */
function addresses(url: string): {
  servers: string[];
  user: string | null;
  password: string | null;
  token: string | null;
  tls: boolean;
} {
  const servers: string[] = [];
  let user: string | null = null;
  let password: string | null = null;
  let token: string | null = null;
  let tls = false;
  for (const part of url.split(',')) {
    const [, scheme, info, address] = /^\s*(?:([a-z]+):\/\/)?(?:([^@/]*)@)?([^/]*)\/?\s*$/.exec(part) ?? [];
    if (!address) continue;
    servers.push(address.trim());
    if (scheme === 'tls') tls = true;
    if (!info) continue;
    const colon = info.indexOf(':');
    if (colon === -1) token = decodeURIComponent(info);
    else {
      user = decodeURIComponent(info.slice(0, colon));
      password = decodeURIComponent(info.slice(colon + 1));
    }
  }
  return { servers, user, password, token, tls };
}
