// The daemon's core with simulated edges and a simulated clock: what is sent waits until the test says how it ended.
import { Subject } from '#rxjs';
import type { ActorSystem, ActorSystemSettings } from '../../src/actors/actor-system.js';
import type {
  ApplyAutoChange,
  ApplyVerb,
  AuditFact,
  AutoChange,
  FlushResult,
  HealthFlushRow,
  InstanceStatusRow,
  ReadMarks,
  VerbCommand,
  WasFlushed,
  WriteInstanceStatus,
} from '../../src/actors/ports/storage.js';
import type {
  AttemptEnd,
  AttemptListener,
  Invocation,
  LimitAttempts,
  Reply,
  Route,
  RouteSpec,
} from '../../src/actors/ports/transport.js';
import type { HealthReport } from '../../src/domain/health/health-schema.js';
import type { InvocationError } from '../../src/domain/registry/errors.js';
import type { RegistryEvent } from '../../src/domain/registry/events.js';
import type { RegistryUpdate } from '../../src/domain/registry/registry-rows.js';
import type { Context } from '../../src/domain/routing/routing-rules.js';
import { type Logger, silentLogger } from '../../src/telemetry/log.js';
import { createActorSystem } from './actor-system.js';
import { NO_BLOCKS, NO_MESSAGE, NO_REPLY } from './messages.js';
import { SimulatedClock } from './simulated-clock.js';

/** A number is a reply with that service error code, 0 a plain reply. */
export type Ending = number | Exclude<AttemptEnd, 'reply'>;

interface Sent {
  readonly route: Route & { readonly spec: RouteSpec };
  readonly timeoutMs: number;
  end(how: Ending, retryAfterMs?: number): void;
}

export interface SentAttempt extends Sent {
  readonly attempt: number;
  readonly remainingMs: number;
  /** NATS stood still: it may end later than its timeout. */
  delay(): void;
}

export interface SentCheck extends Sent {
  readonly body: string;
  readonly atMs: number;
}

export interface Called {
  /** `ok`, or the error; more than one entry is a bug. */
  readonly answers: ('ok' | InvocationError)[];
  readonly attempts: number[];
}

/** What the wall clock says when the monotonic one is at 0. */
export const START_WALL_MS = Date.UTC(2026, 0, 1);

export class ActorWorld {
  readonly clock = new SimulatedClock();
  readonly feed$ = new Subject<RegistryUpdate>();
  readonly sent: SentAttempt[] = [];
  readonly checks: SentCheck[] = [];
  readonly events: RegistryEvent[] = [];
  readonly audits: AuditFact[] = [];
  readonly flushed: HealthFlushRow[] = [];
  readonly instanceStatuses: InstanceStatusRow[] = [];
  readonly autoChanges: AutoChange[] = [];
  readonly verbs: VerbCommand[] = [];
  readonly applied: RegistryUpdate[] = [];
  snapshotRequests = 0;
  /** Told of each attempt as it is sent. */
  onSent: (attempt: SentAttempt) => void = () => {};
  /** Likewise of each active check. */
  onCheck: (check: SentCheck) => void = () => {};
  random = 0;
  /** It is alone, unless a test says otherwise. */
  readonly fleet = { replicas: 1, isSteward: (_keyHash: number): boolean => true };
  /** How far the wall clock was set forward, or back below 0. */
  wallAheadMs = 0;
  isDatabaseAway = false;
  /** While true, what asks for a round trip waits in `roundTrips`. */
  isNatsStalled = false;
  stalledUntilMs = Number.NEGATIVE_INFINITY;
  /** As the requester is told. */
  readonly limits: Parameters<LimitAttempts>[] = [];
  readonly roundTrips: ((stalledUntilMs: number) => void)[] = [];
  /** What the registry answers to a change by the auto-manager. */
  autoChange: ApplyAutoChange = async (change) => ({ applied: true, revision: change.revision + 1 });
  /** What it answers when it is only asked whether a change was made. */
  askedAutoChange: ApplyAutoChange = async () => ({ applied: false });
  /** What the registry answers to a verb. */
  verb: ApplyVerb = async () => ({ kind: 'extension_not_found' });
  /** Resolves when the registry has these. */
  onInstanceStatuses = async (
    _rows: readonly InstanceStatusRow[],
  ): Promise<Awaited<ReturnType<WriteInstanceStatus>> | undefined> => undefined;
  readMarks: ReadMarks = () => Promise.reject(new Error('connect ECONNREFUSED'));
  flush = async (_rows: readonly HealthFlushRow[]): Promise<FlushResult> => ({ dropped: [], held: [] });
  /** What the database answers when it is asked whether a flush was written. */
  wasFlushed: WasFlushed = async () => null;
  readonly core: ActorSystem;
  readonly #ids = new Map<string, number>();

  constructor(settings: Partial<ActorSystemSettings> = {}, log: Logger = silentLogger) {
    const online = async <T>(work: () => Promise<T>): Promise<T> => {
      if (this.isDatabaseAway) throw new Error('connect ECONNREFUSED');
      return work();
    };
    this.core = createActorSystem(
      {
        feed$: this.feed$,
        requestSnapshot: () => {
          return ++this.snapshotRequests;
        },
        prepareRoute: (spec) => ({ ...spec, ...NO_BLOCKS, sendable: true, spec }),
        send: (route, _invocation, attempt, timeoutMs, remainingMs, listener) => {
          const sent: SentAttempt = {
            route: route as Sent['route'],
            attempt,
            timeoutMs,
            remainingMs,
            end: endOf(listener),
            delay: () => listener.attemptDelayed?.(),
          };
          this.sent.push(sent);
          this.onSent(sent);
        },
        sendCheck: (route, body, timeoutMs, listener) => {
          const check: SentCheck = {
            route: route as Sent['route'],
            body: Buffer.from(body).toString(),
            atMs: this.clock.now(),
            timeoutMs,
            end: endOf(listener),
          };
          this.checks.push(check);
          this.onCheck(check);
        },
        fleet: this.fleet,
        stalledUntil: () => this.stalledUntilMs,
        limitAttempts: (...limit) => this.limits.push(limit),
        afterRoundTrip: (then) => {
          if (this.isNatsStalled) this.roundTrips.push(then);
          else then(this.stalledUntilMs);
        },
        publish: (event) => this.events.push(event),
        wasFlushed: (number) => online(() => this.wasFlushed(number)),
        flushHealth: (_number, rows) =>
          online(async () => {
            const result = await this.flush(rows);
            this.flushed.push(...rows);
            return result;
          }),
        writeInstanceStatus: (rows) =>
          online(async () => {
            const held = await this.onInstanceStatuses(rows);
            this.instanceStatuses.push(...rows);
            return held ?? [];
          }),
        applyAutoChange: (change) =>
          online(async () => {
            const result = await (change.isOnlyAsked ? this.askedAutoChange(change) : this.autoChange(change));
            if (result.applied && !change.isOnlyAsked) this.autoChanges.push(change);
            return result;
          }),
        applyVerb: (command, remainingMs) =>
          online(async () => {
            this.verbs.push(command);
            return this.verb(command, remainingMs);
          }),
        writeAudit: (facts) =>
          online(async () => {
            this.audits.push(...facts);
          }),
        readMarks: (...query) => this.readMarks(...query),
        onApplied: (update) => this.applied.push(update),
        clock: this.clock,
        wall: () => START_WALL_MS + this.wallAheadMs + this.clock.now(),
        random: () => this.random,
        newId: (of) => {
          const number = (this.#ids.get(of) ?? 0) + 1;
          this.#ids.set(of, number);
          return `${of}-${number}`;
        },
        log,
      },
      settings,
    );
    this.core.start();
  }

  /** Simulated time passes in steps, so that timers fire near their time; promises settle in between. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await settle();
    }
  }

  call(extensionId: string, budgetMs: number | null = null, context: Readonly<Record<string, string>> = {}): Called {
    return this.callWith(extensionId, { get: (key) => context[key] }, budgetMs);
  }

  callWith(extensionId: string, context: Context, budgetMs: number | null = null): Called {
    const called: Called = { answers: [], attempts: [] };
    const invocation: Invocation = {
      extensionId,
      arrivedMs: this.clock.now(),
      budgetMs,
      ...NO_MESSAGE,
      context,
      succeed: (_route, _reply, attempts) => {
        called.answers.push('ok');
        called.attempts.push(attempts);
        return null;
      },
      refuse: (error) => {
        called.answers.push(error);
      },
    };
    this.core.router.handle(invocation);
    return called;
  }

  /** A call whose first attempt ends at once. */
  callEnding(extensionId: string, how: Ending): Called {
    const before = this.sent.length;
    const called = this.call(extensionId);
    this.sent[before]?.end(how);
    return called;
  }

  kinds(): string[] {
    return this.events.map((event) => event.event);
  }
}

/** The health of all extensions, as its readers get it. */
export async function reportOf({ core }: Pick<ActorWorld, 'core'>): Promise<HealthReport> {
  const { extensions, ...rest } = await core.health.list({});
  return { ...rest, extensions: extensions.map((json) => JSON.parse(json)) };
}

const endOf =
  (listener: AttemptListener) =>
  (how: Ending, retryAfterMs?: number): void => {
    if (typeof how !== 'number') return listener.attemptEnded(how, null);
    const reply: Reply = {
      ...NO_REPLY,
      serviceErrorCode: how,
      serviceError: how === 0 ? '' : 'no',
      retryAfterMs: retryAfterMs ?? null,
    };
    listener.attemptEnded('reply', reply);
  };

/** Lets promises that are ready go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

export const reasonOf = (called: Called): unknown => {
  const answer = called.answers[0];
  return answer === undefined || answer === 'ok' ? answer : (answer.details?.reason ?? answer.code);
};
