// The settings as the admin API shows them, and those that a restart would change.
import type { SettingShown } from '../actors/ports/management.js';
import { type Config, ConfigError, type ExplainedConfig, printableConfig } from '../config/config.js';
import { SETTING_KEYS, type SettingKey } from '../config/schema.js';
import type { LogControl } from '../telemetry/log-control.js';
import { logLevelsOf } from './daemon-log.js';

export interface SettingsInForce extends ExplainedConfig {
  /** As they would be after a restart; throws a ConfigError. */
  readonly readAgain: () => Promise<ExplainedConfig>;
}

/** Of a program that has no file or environment to read again. */
export function givenSettings(config: Config): SettingsInForce {
  const origins = Object.fromEntries(SETTING_KEYS.map((key) => [key, 'program'])) as ExplainedConfig['origins'];
  return { config, origins, readAgain: async () => ({ config, origins }) };
}

export function shownSettings({ config, origins }: ExplainedConfig): SettingShown[] {
  const values = printableConfig(config);
  return SETTING_KEYS.map((key) => ({ key, value: values[key], origin: origins[key] }));
}

/** Takes effect by a reload; everything else needs a restart. */
export const RELOADED_SETTINGS: readonly SettingKey[] = ['log_level', 'log_levels'];

/** Puts into force what can be without a restart, and says what else a restart would change. */
export async function reloadSettings(
  { config, readAgain }: SettingsInForce,
  levels: LogControl,
): Promise<{ readonly needs_restart: string[]; readonly configuration_problems: string[] }> {
  try {
    const { config: next } = await readAgain();
    levels.configure(logLevelsOf(next));
    const isOther = (key: SettingKey) =>
      !RELOADED_SETTINGS.includes(key) && JSON.stringify(next[key]) !== JSON.stringify(config[key]);
    return { needs_restart: SETTING_KEYS.filter(isOther), configuration_problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { needs_restart: [], configuration_problems: [...error.problems] };
  }
}
