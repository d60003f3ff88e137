// The daemon's core with its real NATS edges on a real nats-server, and the registry, the clock and the database of the
// test's choice. Each rig has subjects of its own, so several share one server.
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import { Subject } from '#rxjs';
import type { ActorSystem, ActorSystemSettings } from '../../src/actors/actor-system.js';
import type { Clock } from '../../src/actors/ports/clock.js';
import type { Target } from '../../src/actors/target/target.js';
import type { RegistryEvent } from '../../src/domain/registry/events.js';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import type { RegistryEntry, RegistryUpdate } from '../../src/domain/registry/registry-rows.js';
import { BrokerConnection } from '../../src/nats/connection/connection.js';
import type { ConnectionSettings } from '../../src/nats/connection/connection-options.js';
import { CONTEXT_SOURCES } from '../../src/nats/intake/caller-context.js';
import { Intake } from '../../src/nats/intake/intake.js';
import { Replies } from '../../src/nats/intake/replies.js';
import { Requester } from '../../src/nats/requester.js';
import { traceCalls } from '../../src/nats/tracing/traced-calls.js';
import { createRandomHex } from '../../src/nats/wire/random-hex.js';
import { createPrepareRoute } from '../../src/nats/wire/routes.js';
import { Subjects } from '../../src/nats/wire/subjects.js';
import { silentLogger } from '../../src/telemetry/log.js';
import type { Tracer } from '../../src/telemetry/traces/tracer.js';
import { createActorSystem } from '../helpers/actor-system.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { isDirect } from '../helpers/depth.js';
import type { TestServer } from '../helpers/nats-server.js';
import { snapshotOf } from '../helpers/registry-rows.js';
import { until } from '../helpers/until.js';
import { rawBlock, systemClock } from './wire-rig.js';

export interface CoreRigOptions {
  readonly clock?: Clock;
  readonly breaker?: Partial<BreakerSettings>;
  readonly settings?: Partial<ActorSystemSettings>;
  readonly connection?: Partial<ConnectionSettings>;
  /** None without. */
  readonly tracer?: Tracer | null;
}

/** One call and everything that came back for it; more than one reply is a bug. */
export interface Called {
  readonly replies: Msg[];
}

/** What a caller was told. */
export interface Told {
  /** `Extreg-Error`; '' where the extension answered. */
  readonly error: string;
  /** `Nats-Service-Error-Code`; '' without. */
  readonly status: string;
  readonly body: string;
  readonly retryable: boolean | null;
  readonly details: Readonly<Record<string, unknown>> | null;
}

export interface Counts {
  readonly successes: number;
  readonly failures: number;
}

let rigs = 0;

export class CoreRig {
  readonly core: ActorSystem;
  readonly connection: BrokerConnection;
  readonly requester: Requester;
  readonly intake: Intake;
  readonly events: RegistryEvent[] = [];
  readonly #replies: Replies;
  readonly #prefix: string;

  private constructor(
    server: TestServer,
    readonly number: number,
    private readonly caller: NatsConnection,
    entries: readonly RegistryEntry[],
    { clock = systemClock, breaker, settings, connection, tracer = null }: CoreRigOptions,
  ) {
    const subjects = new Subjects(`extreg.t${number}`);
    this.#prefix = `extreg.t${number}.invoke`;
    const rules = { ownPrefix: 'extreg', allowedPrefixes: [] };
    const randomHex = createRandomHex();
    this.connection = BrokerConnection.open(
      { url: server.url, name: `core-rig-${number}`, reconnectMaxMs: 50, isDirect, ...connection },
      silentLogger,
    );
    this.requester = new Requester(this.connection, clock, silentLogger, randomHex);
    this.#replies = new Replies(this.connection, clock, randomHex);
    const calls = traceCalls(tracer, this.requester.send.bind(this.requester));
    const feed$ = new Subject<RegistryUpdate>();
    this.core = createActorSystem(
      {
        feed$,
        prepareRoute: createPrepareRoute(null, rules),
        send: calls.send,
        noteAttempt: calls.note,
        sendCheck: this.requester.sendCheck.bind(this.requester),
        limitAttempts: this.requester.limit.bind(this.requester),
        afterRoundTrip: this.requester.afterRoundTrip.bind(this.requester),
        stalledUntil: () => this.requester.stalledUntilMs,
        publish: (event) => this.events.push(event),
        applyAutoChange: async ({ revision }) => ({ applied: true, revision: revision + 1 }),
        clock,
        random: () => 0,
      },
      { rules, breakerDefaults: breakerSettings(breaker), ...settings },
    );
    this.intake = new Intake(
      this.connection,
      this.#replies,
      subjects,
      clock,
      silentLogger,
      {
        replyPrefixes: ['_INBOX'],
        minBudgetMs: 10,
        maxBudgetMs: 60_000,
        maxBodyBytes: null,
        context: { from: CONTEXT_SOURCES, bodyMaxBytes: 65_536, environment: null },
        takesSelfCheck: () => false,
      },
      calls.around(this.core.router.handle),
    );
    this.core.start();
    feed$.next(snapshotOf(1, ...entries));
    this.intake.start();
  }

  /** `entriesOf` is told the subject that an extension of this rig listens on. `caller` is for calls, kept open. */
  static async start(
    t: { teardown(fn: () => unknown): void },
    server: TestServer,
    caller: NatsConnection,
    entriesOf: (subjectOf: (name: string) => string) => readonly RegistryEntry[],
    options: CoreRigOptions = {},
  ): Promise<CoreRig> {
    rigs += 1;
    const number = rigs;
    const rig = new CoreRig(server, number, caller, entriesOf(subjectIn(number)), options);
    t.teardown(() => rig.#close());
    await rig.connection.firstConnected;
    await rig.connection.flush();
    return rig;
  }

  subjectOf(name: string): string {
    return subjectIn(this.number)(name);
  }

  /** `headers`: `name: value` each. */
  call(extensionId: string, body: Uint8Array | string = 'body', headers: readonly string[] = []): Called {
    const called: Called = { replies: [] };
    const inbox = `_INBOX.t${this.number}.${Math.random().toString(36).slice(2)}`;
    this.caller.subscribe(inbox, { callback: (_, message) => void called.replies.push(message) });
    const lines = headers.map((line) => `${line}\r\n`).join('');
    this.caller.publish(`${this.#prefix}.${extensionId}`, body, {
      reply: inbox,
      ...(lines === '' ? {} : { headers: rawBlock(`NATS/1.0\r\n${lines}\r\n`) }),
    });
    return called;
  }

  async told(called: Called): Promise<Told> {
    await until('the reply', () => called.replies.length > 0);
    return toldBy(called.replies[0] as Msg);
  }

  target(extensionId: string): Target {
    const target = this.core.supervisor.runtimes.get(extensionId)?.defaultService?.target;
    if (target === undefined) throw new Error(`${extensionId} has no default target`);
    return target;
  }

  counts(extensionId: string): Counts {
    const { successes, failures } = this.target(extensionId).counters;
    return { successes, failures };
  }

  /** Calls that hold a place. */
  inFlight(extensionId: string): number {
    return this.core.supervisor.runtimes.get(extensionId)?.inFlight ?? 0;
  }

  async #close(): Promise<void> {
    this.requester.close();
    this.#replies.close();
    await this.core.stop();
    await this.connection.close();
  }
}

const subjectIn =
  (number: number) =>
  (name: string): string =>
    `ext.t${number}.${name}`;

function toldBy(message: Msg): Told {
  const error = message.headers?.get('Extreg-Error') ?? '';
  const body = message.string();
  const ours = error === '' ? null : (JSON.parse(body) as { error: { retryable: boolean; details?: object } }).error;
  return {
    error,
    status: message.headers?.get('Nats-Service-Error-Code') ?? '',
    body,
    retryable: ours?.retryable ?? null,
    details: ours === null ? null : { ...ours.details },
  };
}
