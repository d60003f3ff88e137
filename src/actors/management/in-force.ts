// Waits until this daemon has a revision of the registry in force, so that an operator's change is answered when it has effect.
import { filter, firstValueFrom, race, Subject, startWith } from '#rxjs';
import { after } from '../extension/actor-supervision.js';
import type { Clock } from '../ports/clock.js';

/** Longer than the feed takes to poll. */
const IN_FORCE_MS = 3000;

export class InForce {
  readonly #applied$ = new Subject<void>();

  constructor(
    /** `revision`: of the registry in force; null before the first snapshot. */
    private readonly registry: { readonly revision: number | null },
    private readonly clock: Clock,
  ) {}

  /** To be called when another revision of the registry is in force. */
  noteApplied(): void {
    this.#applied$.next();
  }

  /** Resolves when this revision, or a later one, is in force, and after three seconds at the latest; says whether it is. */
  async reached(revision: number): Promise<boolean> {
    const hasIt = (): boolean => (this.registry.revision ?? -1) >= revision;
    await firstValueFrom(
      race(this.#applied$.pipe(startWith(undefined), filter(hasIt)), after(IN_FORCE_MS, this.clock)),
    );
    return hasIt();
  }
}
