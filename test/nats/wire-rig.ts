// The wire of the daemon on a real nats-server, with a handler of the test's choice in the router's place.

import { type Msg, MsgHdrsImpl, type NatsConnection } from '#@nats-io/nats-core';
import type { MsgImpl } from '#@nats-io/nats-core/internal';
import type { Clock } from '../../src/actors/ports/clock.js';
import type {
  AttemptEnd,
  AttemptListener,
  HandleInvocation,
  Invocation,
  Reply,
  Route,
  RouteSpec,
} from '../../src/actors/ports/transport.js';
import type { ErrorCode } from '../../src/domain/registry/errors.js';
import { BrokerConnection } from '../../src/nats/connection/connection.js';
import type { ConnectionSettings } from '../../src/nats/connection/connection-options.js';
import { CONTEXT_SOURCES, type ContextSource } from '../../src/nats/intake/caller-context.js';
import { Intake, type IntakeSettings } from '../../src/nats/intake/intake.js';
import { Replies } from '../../src/nats/intake/replies.js';
import { SelfCheck } from '../../src/nats/intake/self-check.js';
import { Requester } from '../../src/nats/requester.js';
import { createRandomHex } from '../../src/nats/wire/random-hex.js';
import { createPrepareRoute } from '../../src/nats/wire/routes.js';
import { Subjects } from '../../src/nats/wire/subjects.js';
import { type Logger, silentLogger } from '../../src/telemetry/log.js';
import { isDirect } from '../helpers/depth.js';
import type { TestServer } from '../helpers/nats-server.js';

const MAX_BUDGET_MS = 60_000;

export const PREFIX = 'extreg.v1';

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
};

/** One log line as its fields. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A logger that keeps what it is told. */
export function recordingLogger(): { readonly log: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const take = (fields: LogLine): void => {
    lines.push(fields);
  };
  const log = {
    ...silentLogger,
    info: take,
    warn: take,
    error: take,
    debug: take,
    child: () => log,
  } as unknown as Logger;
  return { log, lines };
}

/** How attempts ended, in order, each with its reply. */
export class Ends implements AttemptListener {
  readonly ends: { readonly end: AttemptEnd; readonly reply: Reply | null }[] = [];

  constructor(private readonly onEnd: (end: AttemptEnd, reply: Reply | null) => void = () => undefined) {}

  attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    this.ends.push({ end, reply });
    this.onEnd(end, reply);
  }

  get kinds(): AttemptEnd[] {
    return this.ends.map(({ end }) => end);
  }
}

export interface RigOptions {
  readonly settings?: Partial<IntakeSettings>;
  readonly route?: Partial<RouteSpec>;
  readonly environment?: string;
  readonly contextFrom?: readonly ContextSource[];
  readonly contextBodyMaxBytes?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly connection?: Partial<ConnectionSettings>;
  /** Null: one attempt, its end as the answer. */
  readonly handle?: ((rig: Rig) => HandleInvocation) | null;
  readonly timeoutMs?: number;
  /** Subscriptions that are there before those of the daemon. */
  readonly subscribeFirst?: number;
}

export class Rig {
  readonly connection: BrokerConnection;
  readonly replies: Replies;
  readonly requester: Requester;
  readonly intake: Intake;
  /** Not started; see SelfCheck. */
  readonly selfCheck: SelfCheck;
  readonly subjects = new Subjects(PREFIX);
  readonly route: Route;
  readonly timeoutMs: number;
  /** What succeed() returned, in order. */
  readonly outcomes: (ErrorCode | null)[] = [];
  /** What the requester does when the connection says that the server stands still. */
  stall: () => void = () => undefined;
  readonly #clock: Clock;

  constructor(server: TestServer, options: RigOptions = {}) {
    const log = options.log ?? silentLogger;
    const clock = options.clock ?? systemClock;
    const randomHex = createRandomHex();
    this.#clock = clock;
    this.timeoutMs = options.timeoutMs ?? 5000;
    this.connection = BrokerConnection.open(
      { url: server.url, name: 'rig', reconnectMaxMs: 50, isDirect, ...options.connection },
      log,
    );
    for (let i = 0; i < (options.subscribeFirst ?? 0); i += 1) this.connection.subscribe(`first.${i}`, null, () => {});
    const onStall = this.connection.onStall.bind(this.connection);
    this.connection.onStall = (listener) => {
      this.stall = listener;
      onStall(listener);
    };
    this.replies = new Replies(this.connection, clock, randomHex);
    this.requester = new Requester(this.connection, clock, log, randomHex);
    this.route = this.prepare(options.environment ?? null, {
      extensionId: 'normalize',
      version: 'v1',
      instanceId: null,
      subject: 'ext.normalize',
      config: null,
      ...options.route,
    });
    const handle = options.handle?.(this) ?? ((invocation) => this.attempt(invocation));
    this.intake = new Intake(
      this.connection,
      this.replies,
      this.subjects,
      clock,
      log,
      {
        replyPrefixes: ['_INBOX', '_R_.'],
        minBudgetMs: 10,
        maxBudgetMs: MAX_BUDGET_MS,
        maxBodyBytes: null,
        context: {
          from: options.contextFrom ?? CONTEXT_SOURCES,
          bodyMaxBytes: options.contextBodyMaxBytes ?? 65_536,
          environment: options.environment ?? null,
        },
        takesSelfCheck: (subject, reply) => this.selfCheck.takes(subject, reply),
        ...options.settings,
      },
      handle,
    );
    this.selfCheck = new SelfCheck({
      connection: this.connection,
      subjects: this.subjects,
      replyPrefix: '_INBOX',
      clock,
      randomHex,
      log,
      renew: () => this.intake.renew(),
    });
    this.intake.start();
  }

  static async start(server: TestServer, options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(server, options);
    await rig.connection.firstConnected;
    await rig.connection.flush();
    return rig;
  }

  prepare(environment: string | null, spec: RouteSpec): Route {
    return createPrepareRoute(environment, { ownPrefix: PREFIX, allowedPrefixes: [] })(spec);
  }

  /** What a router without opinions does. */
  attempt(invocation: Invocation, attempt = 1, route = this.route): void {
    this.requester.send(
      route,
      invocation,
      attempt,
      this.timeoutMs,
      this.timeoutMs,
      new Ends((end, reply) => {
        if (reply === null) invocation.refuse({ code: 'extension_unavailable', message: `attempt ended: ${end}` });
        else {
          const durationMs = this.#clock.now() - invocation.arrivedMs;
          const deadlineMs = invocation.arrivedMs + (invocation.budgetMs ?? MAX_BUDGET_MS);
          this.outcomes.push(invocation.succeed(route, reply, attempt, durationMs, deadlineMs));
        }
      }),
    );
  }

  async close(): Promise<void> {
    this.selfCheck.stop();
    this.requester.close();
    this.replies.close();
    await this.connection.close();
  }
}

/** A header block of any bytes, for what the public API would not send. */
export class RawBlock extends MsgHdrsImpl {
  constructor(private readonly bytes: Uint8Array) {
    super();
  }

  override encode(): Uint8Array {
    return this.bytes;
  }
}

export const rawBlock = (text: string): RawBlock => new RawBlock(Buffer.from(text, 'latin1'));

/** The header block of a message as it came, one character per byte. */
export function blockOf(message: Msg): string {
  const { _msg: frame, _rdata: bytes } = message as MsgImpl;
  return frame.hdr > 0 ? Buffer.from(bytes).toString('latin1', 0, frame.hdr) : '';
}

/** Calls the rig as a caller does; the block is sent byte for byte. */
export function invoke(
  caller: NatsConnection,
  rest: string,
  block = '',
  body: Uint8Array | string = 'body',
): Promise<Msg> {
  return caller.request(`${PREFIX}.invoke.${rest}`, body, {
    timeout: 10_000,
    ...(block === '' ? {} : { headers: rawBlock(block) }),
  });
}

export const errorOf = (message: Msg): Record<string, unknown> =>
  (message.json() as { error: Record<string, unknown> }).error;
