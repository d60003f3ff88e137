// What decisions of operators and of the auto-manager do to the breakers of an extension.
//
// DECISION-EFFECTS-1. Each decision of an operator starts a new generation. What is enabled again after it was disabled automatically is
//     probed immediately, anything else that is restored begins closed and empty; what the auto-manager enabled is treated as the
//     consequence it is. An override stays what it is (EXTENSION-RUNTIME-1).
// DECISION-EFFECTS-2. Each target follows what was decided since it followed the last decision, once, in however many steps a change
//     takes effect.
import type { Extension } from '../../domain/registry/extension.js';
import { effectOf, overrideOf } from '../../domain/registry/verbs.js';
import type { Target } from '../target/target.js';
import type { Service } from './service.js';

export class DecisionEffects {
  /** DECISION-EFFECTS-2. The form of the extension that each target follows; targets that are not here follow `#followedByAll`. */
  #followed: WeakMap<Target, Extension> | null = null;
  #followedByAll: Extension;

  constructor(extension: Extension) {
    this.#followedByAll = extension;
  }

  /** Nothing that differs between an earlier form and this one is a decision that some target has yet to follow. */
  settle(extension: Extension): void {
    this.#followedByAll = extension;
    this.#followed = null;
  }

  /** `isMeant`: an operator's verb names this version; `isDefault`: it is the extension's default version. */
  apply({ version, target }: Service, after: Extension, isMeant: boolean, isDefault: boolean, nowMs: number): void {
    const before = this.#followed?.get(target) ?? this.#followedByAll;
    this.#followed ??= new WeakMap();
    this.#followed.set(target, after);
    const override = overrideOf(after, version.version);
    const effect = effectOf(before, after, version.version) ?? (isMeant ? 'renew' : null);
    // First, so that what was isolated is not half-open in between.
    const isReset = effect === 'reset' && override === null;
    if (isReset) target.send({ type: 'breaker.reset', nowMs });
    target.setOverride(override, nowMs);
    if (effect === null || isReset) return;
    // It was the default that was disabled automatically: the others need no probing if they are closed.
    const isSound = !isDefault && target.publishedState === 'closed';
    const isKept = override !== null || (effect === 'probe' && isSound);
    target.send({ type: isKept ? 'breaker.renew' : `breaker.${effect}`, nowMs });
  }
}
