// A reload that an operator asked for: the whole registry is read again, and what SIGHUP reads, and the trail has who asked.
import type { ActorSystem } from '../actors/actor-system.js';
import type { Reload } from '../actors/ports/management.js';
import type { Logger } from '../telemetry/log.js';
import type { LogControl } from '../telemetry/log-control.js';
import type { RegistryDatabase } from './database.js';
import { reloadSettings, type SettingsInForce } from './settings-in-force.js';

interface ReloadDeps {
  readonly system: Pick<ActorSystem, 'supervisor' | 'audit'>;
  readonly database: Pick<RegistryDatabase, 'isAway'>;
  readonly settings: SettingsInForce;
  /** Certificate, tokens and logins; never rejects. */
  readonly reloadFiles: () => Promise<void>;
  readonly levels: LogControl;
  readonly log: Logger;
}

export const reloadOf =
  ({ system, database, settings, reloadFiles, levels, log }: ReloadDeps): Reload =>
  async ({ force, reason, actor }) => {
    const away = { kind: 'database_unavailable', message: 'the registry is in the database, which is away' } as const;
    if (database.isAway()) return away;
    const [applied] = await Promise.all([system.supervisor.reload(force), reloadFiles()]);
    if (applied === null) {
      // RELOADS-2.
      const later = force
        ? 'it will be read when it can be, but nothing is forced then: repeat the reload with force'
        : 'it will be read when it can be';
      return { ...away, message: `the registry was not read in time; ${later}` };
    }
    const { revision: registry_revision, ...counts } = applied;
    log.info({ event: 'registry_reloaded', actor, reason, force, registry_revision, ...counts });
    system.audit.add({
      extension_id: '_',
      action: 'registry_reload',
      new_values: { force, registry_revision, ...counts },
      changed_by: actor,
      reason,
      at_ms: Date.now(),
    });
    return { kind: 'reloaded', registry_revision, ...counts, ...(await reloadSettings(settings, levels)) };
  };
