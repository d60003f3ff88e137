// Stopping in order: what is being answered first, then what is being written, then what is listened to.
//
// STOP-SEQUENCE-1. Each step has a share of the whole time, a log line, and no way to keep the next from happening.
// STOP-SEQUENCE-2. The other replicas know that this one leaves before it accepts no more calls, and hear of it until the end.

import type { Access } from '../actors/access/access.js';
import type { ActorSystem } from '../actors/actor-system.js';
import type { Membership } from '../actors/fleet/membership.js';
import type { Clock } from '../actors/ports/clock.js';
import type { Config } from '../config/config.js';
import type { HttpServer } from '../http/server.js';
import type { InspectionHub } from '../inspector/hub.js';
import { within } from '../telemetry/deadline.js';
import type { Logger } from '../telemetry/log.js';
import { removeDaemonFile } from './daemon-file.js';
import type { RegistryDatabase } from './database.js';
import type { Services } from './services.js';
import type { Wire } from './wire.js';

/** Everything that has to end. */
interface Running {
  readonly system: ActorSystem;
  readonly services: Services;
  readonly wire: Wire;
  readonly fleet: Membership;
  readonly inspection: InspectionHub;
  readonly http: HttpServer;
  readonly access: Access;
  readonly database: RegistryDatabase;
  readonly stopNats: () => Promise<void>;
  readonly unlock: () => Promise<void>;
}

export async function stopInOrder(running: Running, config: Config, clock: Clock, log: Logger): Promise<void> {
  const { system, services, wire, fleet, inspection, http, access, database } = running;
  const { intake, admin, selfCheck, micro } = services;
  // STOP-SEQUENCE-2.
  fleet.leave();
  system.prober.stop();
  selfCheck.stop();
  system.supervisor.actor.report({ type: 'daemon.draining' });
  const step = stepper(clock, log, config.shutdown_timeout_seconds * 1000);
  await step('intake_drained', 0.3, Promise.all([intake.drain(), admin.drain()]));
  await step('calls_finished', 0.8, system.router.idle());
  // A call that is still in flight is answered: it failed because the daemon stops.
  wire.requester.close();
  await step('core_stopped', 0.9, system.stop());
  // Viewers have seen the end of every actor.
  inspection.close();
  await step('http_closed', 0.92, http.close());
  await step('webhooks_sent', 0.94, wire.webhooks.drain());
  wire.webhooks.close();
  if (wire.tracer !== null) await step('traces_sent', 0.95, wire.tracer.stop());
  access.stop();
  micro.close();
  fleet.stop();
  const flushed = wire.connection.flush().finally(() => wire.replies.close());
  await step('nats_closed', 0.96, flushed.then(running.stopNats));
  await step('database_closed', 1, database.close());
  removeDaemonFile(config.data_dir);
  await running.unlock();
  log.info({ event: 'daemon_stopped' });
}

/** STOP-SEQUENCE-1. */
function stepper(
  clock: Clock,
  log: Logger,
  totalMs: number,
): (name: string, share: number, work: Promise<unknown>) => Promise<void> {
  const startMs = clock.now();
  return async (name, share, work) => {
    const leftMs = Math.max(startMs + totalMs * share - clock.now(), 50);
    const done = work.then(() => 'done' as const);
    try {
      const result = await within(leftMs, done, 'late' as const, clock);
      log.info({ event: 'stop_step', step: name, result, after_ms: Math.round(clock.now() - startMs) });
    } catch (error) {
      log.error({ event: 'stop_step', step: name, result: 'failed', error: String(error) });
    }
  };
}
