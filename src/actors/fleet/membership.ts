// Who the replicas are: says once per second what this one does, hears what the others do, and derives what follows from their number.
//
// MEMBERSHIP-1. A heartbeat is sent each second, and at once when another replica greets or when something changed that others
//     depend on; never more than one in 100 ms, so that a flood of greetings is not answered by one of heartbeats.
// MEMBERSHIP-2. One that has greeted and hears nothing for 300 ms is alone until it hears someone.
// MEMBERSHIP-3. Silence is not held against others while this process stood still; and while nothing arrives from NATS, not even what this
//     replica said itself, the number of replicas stays as it was (shares.ts, SHARES-2).
// MEMBERSHIP-4. Leaving begins with `bye`. Heartbeats go on until the end and say that it leaves, so that a lost `bye` costs a second.
// MEMBERSHIP-5. Without a port it is alone for good, and nothing is said.
//
// Long: one timer, one port and what follows from both.
import type { FleetAnswer, Scope, ScopeReason } from '../../domain/fleet/fleet-answer.js';
import { type Heartbeat, PROTOCOL } from '../../domain/fleet/heartbeat.js';
import { LIVE_MS, Members } from '../../domain/fleet/members.js';
import { distinctId } from '../../domain/fleet/replica-id.js';
import { replicaRows } from '../../domain/fleet/replica-rows.js';
import { FleetSize } from '../../domain/fleet/shares.js';
import { type Candidate, candidateOf, stewardOf } from '../../domain/fleet/stewards.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { FleetListener, FleetMessage, FleetPort, FleetView, OwnFacts } from '../ports/fleet.js';
import { CallRate } from './call-rate.js';

const HEARTBEAT_MS = 1000;
const SPACING_MS = 100;
const ANSWER_MS = 300;
/** A tick that is later than this came late because the process stood still. */
const STOOD_STILL_MS = 500;
/** Of two heartbeats of our own at least one has come back by then. */
const DEAF_MS = 2500;

interface MembershipDeps {
  /** null: MEMBERSHIP-5. */
  readonly port: FleetPort | null;
  readonly id: string;
  /** 32 hexadecimal digits, random. */
  readonly incarnation: string;
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
}

export class Membership implements FleetView, FleetListener {
  replicas = 1;
  readonly #deps: MembershipDeps;
  readonly #members: Members;
  readonly #size = new FleetSize();
  readonly #startedMs: number;
  readonly #warnFull: LimitedWarn;
  #id: string;
  #facts: (() => OwnFacts) | null = null;
  #candidates: readonly Candidate[] = [];
  #own: Candidate;
  #scope: Scope = 'lone';
  #reason: ScopeReason;
  #sinceMs: number;
  #seq = 0;
  #isDraining = false;
  #isStopped = false;
  #isJoining = false;
  #tickTimer: unknown = null;
  #dueMs = 0;
  #joinTimer: unknown = null;
  #sendTimer: unknown = null;
  #sentMs = Number.NEGATIVE_INFINITY;
  #heardOwnMs = Number.NEGATIVE_INFINITY;
  #rate = new CallRate(0, 0);
  #overfull = 0;

  constructor(deps: MembershipDeps) {
    const { id, incarnation, port, clock, wall, log } = deps;
    this.#deps = deps;
    this.#id = id;
    this.#members = new Members(incarnation);
    this.#own = candidateOf(id, incarnation);
    this.#startedMs = clock.now();
    this.#sinceMs = wall();
    this.#reason = port === null ? 'off' : 'not_connected';
    this.#warnFull = createLimitedWarn(log, 'fleet_full', () => clock.now());
  }

  /** Begins to speak and to hear. `facts` is called for each heartbeat. */
  start(facts: () => OwnFacts): void {
    const { port, clock } = this.#deps;
    this.#facts = facts;
    this.#rate = new CallRate(facts().calls, clock.now());
    port?.listen(this);
    this.#arm();
  }

  /** MEMBERSHIP-4. */
  leave(): void {
    if (this.#isDraining || this.#isStopped) return;
    this.#isDraining = true;
    this.#send('bye');
  }

  stop(): void {
    const { port, clock } = this.#deps;
    this.#isStopped = true;
    for (const timer of [this.#tickTimer, this.#joinTimer, this.#sendTimer])
      if (timer !== null) clock.clearTimeout(timer);
    port?.close();
  }

  isSteward(keyHash: number): boolean {
    return this.#candidates.length === 0 || stewardOf(keyHash, [this.#own, ...this.#candidates]) === this.#own;
  }

  /** Other replicas that are live. */
  get peers(): number {
    return this.#members.live.length;
  }

  /** Replicas that are live, this one included unless it leaves. */
  get live(): number {
    return this.peers + (this.#isDraining ? 0 : 1);
  }

  /** Why it is alone, or whose word counts. */
  get reason(): ScopeReason {
    return this.#reason;
  }

  /** Messages that were dropped: no heartbeats, or of one replica too many. */
  get dropped(): number {
    return this.#overfull + (this.#deps.port?.dropped ?? 0);
  }

  connected(): void {
    if (this.#isStopped) return;
    const { clock } = this.#deps;
    this.#isJoining = true;
    if (this.#joinTimer !== null) clock.clearTimeout(this.#joinTimer);
    this.#joinTimer = clock.setTimeout(() => {
      this.#joinTimer = null;
      this.#isJoining = false;
      this.#renew(clock.now());
    }, ANSWER_MS);
    this.#send('hello');
    this.#renew(clock.now());
  }

  heard(message: FleetMessage, said: Heartbeat): void {
    if (this.#isStopped) return;
    const nowMs = this.#deps.clock.now();
    const result = this.#members.hear(said, nowMs);
    switch (result) {
      case 'own':
        return this.#heardOwn(nowMs);
      case 'stale':
        return;
      case 'full':
        this.#overfull++;
        this.#warnFull({ replica: said.id, host: said.host });
        return;
      case 'joined':
        this.#logJoined(said);
        break;
      case 'left':
        this.#deps.log.info({ event: 'fleet_replica_left', ...namesOf(said), reason: 'bye' });
        break;
      case 'updated':
      case 'same':
        break;
      default:
        return result satisfies never;
    }
    if (message === 'hello') this.#sendSoon(nowMs);
    if (said.id === this.#id) this.#keepNameApart(nowMs);
    // Most messages change nothing: what they cost does not grow with the number of replicas.
    if (result !== 'same') this.#renew(nowMs);
  }

  /** What NATS was asked to pass on has come back. */
  #heardOwn(nowMs: number): void {
    const wasHearing = this.#isHearing(nowMs);
    this.#heardOwnMs = nowMs;
    if (!wasHearing) this.#renew(nowMs);
  }

  #isHearing(nowMs: number): boolean {
    const { port } = this.#deps;
    return port === null || (port.problem === null && nowMs - this.#heardOwnMs <= DEAF_MS);
  }

  /** As of now. */
  answer(): FleetAnswer {
    return {
      self: this.#id,
      scope: this.#scope,
      reason: this.#reason,
      since: new Date(this.#sinceMs).toISOString(),
      replicas: replicaRows(this.#heartbeat(), this.#members.all, this.#deps.clock.now()),
    };
  }

  #arm(): void {
    const { clock } = this.#deps;
    this.#dueMs = clock.now() + HEARTBEAT_MS;
    this.#tickTimer = clock.setTimeout(this.#onTick, HEARTBEAT_MS);
  }

  readonly #onTick = (): void => {
    if (this.#isStopped) return;
    const { clock, log } = this.#deps;
    const nowMs = clock.now();
    const lateMs = nowMs - this.#dueMs;
    this.#arm();
    // What arrived meanwhile is read after this.
    if (lateMs > STOOD_STILL_MS) this.#members.credit(lateMs, nowMs);
    const silent = this.#members.expire(nowMs);
    for (const { said } of silent)
      if (!said.draining) log.warn({ event: 'fleet_replica_left', ...namesOf(said), reason: 'silent' });
    this.#rate.measure(this.#facts?.().calls ?? 0, nowMs);
    this.#send('hb');
    this.#renew(nowMs);
  };

  /** MEMBERSHIP-1. */
  #sendSoon(nowMs: number): void {
    const { clock } = this.#deps;
    if (this.#sendTimer !== null) return;
    const waitMs = this.#sentMs + SPACING_MS - nowMs;
    if (waitMs <= 0) return this.#send('hb');
    this.#sendTimer = clock.setTimeout(() => {
      this.#sendTimer = null;
      if (!this.#isStopped) this.#send('hb');
    }, waitMs);
  }

  #send(message: FleetMessage): void {
    const { port, clock } = this.#deps;
    if (port === null || this.#facts === null) return;
    this.#sentMs = clock.now();
    this.#seq++;
    port.publish(message, this.#heartbeat());
  }

  #heartbeat(): Heartbeat {
    const { incarnation, version, host, pid, clock } = this.#deps;
    const facts = this.#facts?.();
    return {
      id: this.#id,
      inc: incarnation,
      seq: this.#seq,
      version,
      proto: [PROTOCOL.min, PROTOCOL.max],
      host,
      pid,
      http: facts?.http ?? '',
      up_s: Math.round(clock.now() - this.#startedMs) / 1000,
      revision: facts?.revision ?? null,
      scope: this.#scope,
      targets: facts?.targets ?? 0,
      rps: this.#rate.perSecond,
      in_flight: facts?.inFlight ?? 0,
      lag_ms: facts?.lagMs ?? 0,
      draining: this.#isDraining,
    };
  }

  /** MEMBERS-4. */
  #keepNameApart(nowMs: number): void {
    const { incarnation, log } = this.#deps;
    const keeper = this.#members.keeperOf(this.#id, (nowMs - this.#startedMs) / 1000, nowMs);
    const id = distinctId(this.#id, incarnation);
    if (keeper === null || this.#id.endsWith(incarnation.slice(0, 8))) return;
    log.warn({ event: 'fleet_duplicate_id', replica: id, duplicate_of: this.#id, host: keeper.said.host });
    this.#id = id;
    this.#own = candidateOf(id, incarnation);
    this.#sendSoon(nowMs);
  }

  /** What follows from who is live now. */
  #renew(nowMs: number): void {
    this.#candidates = this.#members.candidates;
    const peers = this.peers;
    this.replicas = this.#size.update(Math.max(this.live, 1), this.#isHearing(nowMs), LIVE_MS, nowMs);
    this.#enter(peers > 0 ? 'private' : 'lone', this.#reasonOf(peers), nowMs);
  }

  #reasonOf(peers: number): ScopeReason {
    const { port } = this.#deps;
    if (port === null) return 'off';
    if (peers > 0) return 'no_records';
    return port.problem ?? (this.#isJoining ? 'joining' : 'no_peer');
  }

  #enter(scope: Scope, reason: ScopeReason, nowMs: number): void {
    if (scope === this.#scope && reason === this.#reason) return;
    const isOther = scope !== this.#scope;
    this.#scope = scope;
    this.#reason = reason;
    this.#sinceMs = this.#deps.wall();
    if (reason !== 'joining') this.#deps.log.info({ event: 'fleet_scope', scope, reason, replicas: this.peers + 1 });
    if (isOther) this.#sendSoon(nowMs);
  }

  #logJoined(said: Heartbeat): void {
    const { version } = said;
    const protocol = this.#members.commonProtocol(PROTOCOL.max);
    this.#deps.log.info({ event: 'fleet_replica_joined', ...namesOf(said), version, protocol });
  }
}

const namesOf = ({ id, inc, host }: Heartbeat) => ({ replica: id, incarnation: inc, host });
