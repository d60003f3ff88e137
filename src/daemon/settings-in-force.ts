// The settings as the admin API shows them, and those that a restart would change.
import type { SettingShown } from '../actors/ports/management.js';
import { type Config, ConfigError, type ExplainedConfig, printableConfig } from '../config/config.js';
import { SETTING_KEYS, type SettingKey } from '../config/schema.js';
import type { LogControl } from '../telemetry/log-control.js';
import { logLevelsOf } from './daemon-log.js';

export interface SettingsInForce extends ExplainedConfig {
  /** As they would be after a restart; throws a ConfigError. */
  readonly readAgain: () => Promise<ExplainedConfig>;
  /** What the last reload read; absent before the first. */
  reloaded?: ExplainedConfig;
}

/** Of a program that has no file or environment to read again. */
export function givenSettings(config: Config): SettingsInForce {
  const origins = Object.fromEntries(SETTING_KEYS.map((key) => [key, 'program'])) as ExplainedConfig['origins'];
  return { config, origins, readAgain: async () => ({ config, origins }) };
}

/** Takes effect by a reload; everything else needs a restart. */
export const RELOADED_SETTINGS: readonly SettingKey[] = ['log_level', 'log_levels'];

/** `reloaded`: as `SettingsInForce` has it. */
export function shownSettings(started: Omit<SettingsInForce, 'readAgain'>): SettingShown[] {
  const shown = ({ config, origins }: ExplainedConfig) => {
    const values = printableConfig(config);
    return (key: SettingKey) => ({ key, value: values[key], origin: origins[key] });
  };
  const [atStart, now] = [shown(started), shown(started.reloaded ?? started)];
  return SETTING_KEYS.map((key) => (RELOADED_SETTINGS.includes(key) ? now(key) : atStart(key)));
}

/** Puts into force what can be without a restart, and says what else a restart would change. */
export async function reloadSettings(
  settings: SettingsInForce,
  levels: LogControl,
): Promise<{ readonly needs_restart: string[]; readonly configuration_problems: string[] }> {
  try {
    const { config } = settings;
    settings.reloaded = await settings.readAgain();
    const { config: next } = settings.reloaded;
    levels.configure(logLevelsOf(next));
    const isOther = (key: SettingKey) =>
      !RELOADED_SETTINGS.includes(key) && JSON.stringify(next[key]) !== JSON.stringify(config[key]);
    return { needs_restart: SETTING_KEYS.filter(isOther), configuration_problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { needs_restart: [], configuration_problems: [...error.problems] };
  }
}
