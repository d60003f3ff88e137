// The answers about a rollout: what was set, and what the shares of the versions are and were.
import { type Static, Type } from '#typebox';
import { listOf, orNull } from './answer-schema.js';

export type RolloutSet = Static<typeof rolloutSetSchema>;
export const rolloutSetSchema = Type.Object({
  extension_id: Type.String(),
  version: Type.String(),
  percent: orNull<number>('number'),
  was: orNull<number>('number'),
  /** False: it was set already, and nothing was written. */
  changed: Type.Boolean(),
  /** Of the registry, which has the percentage from there on. */
  revision: Type.Number(),
  /** The percentage is in force on this daemon. */
  in_force: Type.Boolean(),
});

export type RolloutShares = Static<typeof rolloutSharesSchema>;
export const rolloutSharesSchema = Type.Object({
  extension_id: Type.String(),
  revision: Type.Number(),
  /** The version that takes what is left, on this daemon; null: there is none, or the extension does not run. */
  default_version: orNull<string>('string'),
  versions: listOf(
    Type.Object({
      version: Type.String(),
      enabled: Type.Boolean(),
      has_rules: Type.Boolean(),
      /** As its row says. */
      percent: orNull<number>('number'),
      rollout_key: orNull<string>('string'),
      /** Percent of the calls that no rules take, in force on this daemon; null: it takes none by a share. */
      share: orNull<number>('number'),
    }),
  ),
  /** Newest first. */
  history: listOf(
    Type.Object({
      version: Type.String(),
      action: Type.String(),
      from: orNull<number>('number'),
      to: orNull<number>('number'),
      by: orNull<string>('string'),
      at: Type.String(),
      reason: orNull<string>('string'),
      revision: Type.Number(),
    }),
  ),
});
