// What of a setting may be shown: in a problem, by `check-config --print`. CONFIG-4 of config.ts.
import { type SettingKey, settingOf } from './schema.js';

/** `value` as it was written or as it was checked. */
export function masked(key: SettingKey, value: unknown): unknown {
  const { secret } = settingOf(key);
  if (value === null || secret === undefined) return value;
  if (secret === true) return '***';
  if (secret === 'path') {
    if (Array.isArray(value)) return value.map(originOf);
    const origins = String(value).split(',').map(originOf);
    // If one is malformed, a comma may be part of a password, and what precedes it no host.
    return origins.includes('***') ? '***' : origins.join(', ');
  }
  const text = String(value).replace(/([?&]password=)[^&]*/gi, '$1***');
  // Up to the last @, as a password may hold one. A name alone is hidden too: for NATS it is a token.
  if (text.includes('@')) return text.replace(/^([a-z]+:\/\/)?.*@/i, '$1***@');
  return text.includes('://') ? text : '***';
}

/** Scheme and host of an http or https URL; `***` if it is none. */
function originOf(url: unknown): string {
  const text = String(url).trim();
  if (!/^https?:/i.test(text) || !URL.canParse(text)) return '***';
  return `${new URL(text).origin}/***`;
}
