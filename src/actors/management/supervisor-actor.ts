// The supervisor as an actor that can be inspected: its statechart, and what is reported to it.
//
// SUPERVISOR-ACTOR-1. It follows the supervisor and never leads: what it does or fails to do changes nothing of the daemon.
import { type Actor, createActor } from 'xstate';
import { type SupervisorEvent, supervisorMachine } from '../../machines/supervisor-machine.js';
import { guarded } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import type { ActorObserver, WatchableActor } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import { ActorInspection } from '../target/actor-inspection.js';

/** What is reported: an event of the machine, without its time. */
type Report<Event = SupervisorEvent> = Event extends SupervisorEvent ? Omit<Event, 'nowMs'> : never;

export class SupervisorActor implements WatchableActor {
  readonly #inspection = new ActorInspection();
  readonly #actor: Actor<typeof supervisorMachine>;
  /** SUPERVISOR-ACTOR-1. */
  readonly report: (report: Report) => void;

  constructor(clock: Clock, log: Logger) {
    this.#actor = createActor(supervisorMachine, { id: 'supervisor', clock });
    // Without an observer, xstate throws an error of the actor in a timer.
    this.#actor.subscribe({
      error: (error) => {
        log.error({ event: 'supervisor_actor_failed', error: String(error) });
        this.#inspection.actorFailed(error);
      },
    });
    this.#inspection.actorCreated(this.#actor);
    this.#actor.start();
    this.report = guarded(log, "the supervisor's statechart", (report: Report) =>
      this.#actor.send({ ...report, nowMs: clock.now() } as SupervisorEvent),
    );
  }

  watch(observer: ActorObserver): () => void {
    return this.#inspection.watch(observer);
  }
}
