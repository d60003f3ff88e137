// The flags of the configuration on a command, made from the table of settings.
import { type Command, Option } from '#commander';
import {
  expectedText,
  flagName,
  SETTING_KEYS,
  type Setting,
  type SettingKey,
  schemaFields,
  settingOf,
} from '../../config/schema.js';
import { configFileOption, type SettingsGroup } from './command-definition.js';

const startingWith = (...prefixes: readonly string[]): SettingKey[] =>
  SETTING_KEYS.filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));

const DATABASE: readonly SettingKey[] = ['data_dir', ...startingWith('database_', 'db_')];

export const SETTINGS_OF_GROUP: Readonly<Record<SettingsGroup, readonly SettingKey[]>> = {
  all: SETTING_KEYS,
  /** To reach the NATS server of a daemon. */
  nats: ['data_dir', 'subject_prefix', ...startingWith('nats_')],
  database: DATABASE,
  /** Where the registry is and what it may hold. */
  registry: [...DATABASE, 'subject_prefix', 'subject_prefixes'],
  /** To reach the HTTP server of a daemon. */
  http: ['data_dir', 'http_host', 'http_port'],
  none: [],
};

/** Adds `--config` and a flag for each of these settings. */
export const addConfigOptions = (command: Command, keys: readonly SettingKey[]): Command =>
  addSettings(command.addOption(configFileOption()), keys);

/** Adds a flag for each of these settings. A boolean also gets its `--no-…`. */
export function addSettings(command: Command, keys: readonly SettingKey[]): Command {
  for (const key of keys) {
    const setting = settingOf(key);
    const { type, description = '' } = schemaFields(setting);
    const text = `${description} (${expectedText(setting)}${defaultNote(setting)})`;
    if (type === 'boolean') {
      command.addOption(new Option(`${flagName(key)} [true|false]`, text));
      command.addOption(new Option(`--no-${flagName(key).slice(2)}`).hideHelp());
    } else command.addOption(new Option(`${flagName(key)} <value>`, text));
    if (setting.alias) command.addOption(new Option(`${flagName(setting.alias)} <value>`).hideHelp());
  }
  return command;
}

const defaultNote = (setting: Setting): string => {
  const text = setting.defaultText ?? (setting.default === null ? '' : String(setting.default));
  return text === '' ? '' : `; default ${text}`;
};

/** Keys under which a command's options may be settings. */
const KEY_BY_OPTION: ReadonlyMap<string, string> = new Map(
  [...SETTING_KEYS, ...SETTING_KEYS.flatMap((key) => settingOf(key).alias ?? [])].map((key) => [camelCase(key), key]),
);

/** The settings among parsed options, by key, as loadConfig() takes them. */
export function configFlags(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const key = name === 'config' ? name : KEY_BY_OPTION.get(name);
    if (key !== undefined) flags[key] = value;
  }
  return flags;
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
