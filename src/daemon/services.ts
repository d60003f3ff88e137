// What the daemon answers over NATS: invocations, admin verbs, micro discovery, and its own check that it can.
//
// SERVICES-1. The intake listens only once a registry is in force.
import { randomBytes } from 'node:crypto';
import type { Access } from '../actors/access/access.js';
import type { ActorSystem } from '../actors/actor-system.js';
import type { Membership } from '../actors/fleet/membership.js';
import type { Clock } from '../actors/ports/clock.js';
import type { Config } from '../config/config.js';
import type { BrokerConnection } from '../nats/connection/connection.js';
import { Intake } from '../nats/intake/intake.js';
import { IntakeAdmission } from '../nats/intake/intake-admission.js';
import { SelfCheck } from '../nats/intake/self-check.js';
import { AdminService } from '../nats/services/admin.js';
import { adminVerbs } from '../nats/services/admin-verbs.js';
import { MicroService } from '../nats/services/micro.js';
import { type RegistrySources, registryVerbs } from '../nats/services/registry-verbs.js';
import { guarded } from '../telemetry/guard.js';
import type { Logger } from '../telemetry/log.js';
import { overloadNotice } from './overload-notice.js';
import { VERSION } from './version.js';
import type { Wire } from './wire.js';

const MICRO_ID_BYTES = 11;

export interface Services {
  readonly intake: Intake;
  /** null: off. */
  readonly admission: IntakeAdmission | null;
  readonly selfCheck: SelfCheck;
  readonly admin: AdminService;
  readonly micro: MicroService;
  /** Takes calls and verbs; without effect if it does already. */
  start(): void;
}

/** `isOwnServer`: the server is embedded, so that its clients could read its token. */
export function createServices(
  config: Config,
  wire: Wire,
  system: ActorSystem,
  fleet: Membership,
  isOwnServer: boolean,
  access: Access,
  sources: Pick<RegistrySources, 'rows' | 'audit'>,
  clock: Clock,
  log: Logger,
): Services {
  const startedAt = new Date().toISOString();
  const { connection, replies, subjects, randomHex } = wire;
  const admission = createAdmission(config, connection, system, clock, log);
  const takesSelfCheck = (subject: string, reply: string): boolean => selfCheck.takes(subject, reply);
  const intake = createIntake(config, wire, system, admission, takesSelfCheck, clock, log);
  const selfCheck: SelfCheck = new SelfCheck({
    connection,
    subjects,
    replyPrefix: config.reply_prefixes[0] ?? '_INBOX',
    clock,
    randomHex,
    log: log.child({ component: 'nats' }),
    renew: () => intake.renew(),
  });
  const admin = new AdminService({
    connection,
    replies,
    subjects,
    clock,
    log: log.child({ component: 'admin' }),
    replyPrefixes: config.reply_prefixes,
    verbs: new Map([
      ...adminVerbs({ health: system.health, explain: system.explain, fleet: () => fleet.answer() }),
      ...registryVerbs({ board: system.board, ...sources }),
    ]),
    admit: access.admit,
    isTokenRequired: () => access.isRequired,
    isOwnServer,
  });
  access.onChanged(() => admin.accessChanged());
  const micro = new MicroService(connection, subjects, {
    id: randomBytes(MICRO_ID_BYTES).toString('hex'),
    version: VERSION,
    replyPrefixes: config.reply_prefixes,
    startedAt,
    counts: () => intake.counts(),
  });
  const start = (): void => {
    intake.start();
    admin.start();
    selfCheck.start();
  };
  return { intake, admission, selfCheck, admin, micro, start };
}

function createAdmission(
  { admission, admission_target_ms: targetMs }: Config,
  connection: BrokerConnection,
  { notices }: ActorSystem,
  clock: Clock,
  log: Logger,
): IntakeAdmission | null {
  if (admission === 'off') return null;
  return new IntakeAdmission({
    connection,
    clock,
    idleMs: () => performance.eventLoopUtilization().idle,
    targetMs,
    onEdge: guarded(log, 'a notice of overload', (edge) => notices.publish(overloadNotice(edge))),
  });
}

function createIntake(
  config: Config,
  { connection, replies, subjects, calls }: Wire,
  system: ActorSystem,
  admission: IntakeAdmission | null,
  takesSelfCheck: (subject: string, reply: string) => boolean,
  clock: Clock,
  log: Logger,
): Intake {
  const settings = {
    replyPrefixes: config.reply_prefixes,
    minBudgetMs: config.min_budget_ms,
    maxBudgetMs: config.max_budget_ms,
    maxBodyBytes: config.max_body_bytes,
    context: {
      from: config.context_from,
      bodyMaxBytes: config.context_body_max_bytes,
      environment: config.environment,
    },
    takesSelfCheck,
    ...(admission === null ? {} : { admission }),
  };
  const intakeLog = log.child({ component: 'intake' });
  return new Intake(connection, replies, subjects, clock, intakeLog, settings, calls.around(system.router.handle));
}
