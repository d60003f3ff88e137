// The observers of one target's actor, over the lives of that actor.
//
// ACTOR-INSPECTION-1. Without a viewer nothing is attached to the actor.
// ACTOR-INSPECTION-2. A viewer gets each actor anew, the error that ends one (the actor itself emits no snapshot then) and
//     of its stop.
// ACTOR-INSPECTION-3. An observer that throws is called no more. Within an actor's step its error would reach the sender of the event, and
//     the actor would never take another one.

import type { AnyActor, AnyMachineSnapshot, AnyStateMachine, InspectionEvent, Subscription } from 'xstate';
import { LazySet } from '../../domain/lazy-map.js';
import type { ActorObserver } from '../ports/api.js';

export class ActorInspection {
  /** Read at each success of a target, therefore a field. */
  isWatched = false;
  readonly #observers = new LazySet<ActorObserver>();
  #actor: AnyActor | null = null;
  #attached: Subscription | null = null;

  /** Before it is started. */
  actorCreated(actor: AnyActor): void {
    this.#detach();
    this.#actor = actor;
    if (!this.isWatched) return;
    this.#notify((observer) => this.#introduce(observer, actor));
    this.#attach();
  }

  /** ACTOR-INSPECTION-2. The actor of before stays in sight, in its error, until there is another one. */
  actorFailed(error: unknown): void {
    const actor = this.#actor;
    if (actor === null || !this.isWatched) return;
    const event = { type: `xstate.error.actor.${actor.id}`, error: String(error) };
    this.#notify((observer) => observer.snapshotTaken(actor.getSnapshot() as AnyMachineSnapshot, event));
  }

  watch(observer: ActorObserver): () => void {
    this.#observers.add(observer);
    this.isWatched = true;
    if (this.#actor !== null) this.#introduce(observer, this.#actor);
    this.#attach();
    return () => this.#remove(observer);
  }

  /** ACTOR-INSPECTION-1. */
  #remove(observer: ActorObserver): void {
    this.#observers.delete(observer);
    if (this.#observers.size > 0) return;
    this.isWatched = false;
    this.#detach();
  }

  #introduce(observer: ActorObserver, actor: AnyActor): void {
    observer.actorStarted((actor.logic as AnyStateMachine).config, actor.getSnapshot() as AnyMachineSnapshot);
  }

  #attach(): void {
    this.#attached ??= this.#actor?.system.inspect((event) => this.#inspected(event)) ?? null;
  }

  #detach(): void {
    this.#attached?.unsubscribe();
    this.#attached = null;
  }

  #inspected(inspected: InspectionEvent): void {
    if (inspected.type === '@xstate.event')
      this.#notify((observer) => observer.eventReceived(inspected.event, inspected.sourceRef !== undefined));
    else if (inspected.type === '@xstate.snapshot')
      this.#notify((observer) => observer.snapshotTaken(inspected.snapshot as AnyMachineSnapshot, inspected.event));
  }

  /** ACTOR-INSPECTION-3. */
  #notify(one: (observer: ActorObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        one(observer);
      } catch {
        this.#remove(observer);
      }
    }
  }
}
