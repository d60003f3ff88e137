// Settings of one connection (SET, set_config) on a session that others use too: read when its turn is over, and made again
// when it has the next.
//
// WIRE-SETTINGS-1. Between the turns of two connections the session has the settings that it began with.
// WIRE-SETTINGS-2. Only a connection that has spoken of settings, or run a block that may have, costs more than its own statements.
//      A function that changes a setting without a word of it in the statement is not noticed.
import { frame, framesOf, frameType } from './wire-frames.js';

const START = String.raw`(?:^|;)(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*`;
/** The daemon's own blocks, which change nothing beyond their transaction, are marked `$extreg$`. */
const STATEMENT = new RegExp(
  String.raw`${START}(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b|discard\b|call\b|do\b(?!\s+\$extreg\$))`,
  'i',
);
/** Settings of no module, as `extreg.actor` is: pg_settings does not list them. */
const CUSTOM = /\b(?:set(?:\s+session)?\s+|set_config\s*\(\s*')(\w+\.\w+)/gi;
const FORGET = ['reset session authorization', 'reset role', 'reset all'].map((text) => frame('Q', text));

type Execute = (messages: Buffer) => Promise<Buffer>;

interface Kept {
  readonly custom: Set<string>;
  /** Messages that make its settings; null: it has none of its own. */
  made: Buffer | null;
}

export class WireSettings {
  readonly #execute: Execute;
  /** Of connections that have spoken of settings. */
  readonly #kept = new WeakMap<object, Kept>();
  /** As messages that make them; null: not known yet. */
  #first: Buffer | null = null;

  constructor(execute: Execute) {
    this.#execute = execute;
  }

  /** A statement that the connection is about to run. */
  note(connection: object, text: string): void {
    if (!mayChangeSettings(text)) return;
    const kept = this.#kept.get(connection) ?? { custom: new Set(), made: null };
    this.#kept.set(connection, kept);
    for (const [, name = ''] of text.matchAll(CUSTOM)) kept.custom.add(name.toLowerCase());
  }

  /** Before its turn, if another one may have had the session. */
  async enter(connection: object): Promise<void> {
    const kept = this.#kept.get(connection);
    if (kept === undefined) return;
    this.#first ??= await this.#read([]);
    if (kept.made !== null) await this.#execute(kept.made);
  }

  /** WIRE-SETTINGS-1. After its turn; it is in no transaction. */
  async leave(connection: object): Promise<void> {
    const kept = this.#kept.get(connection);
    if (kept === undefined) return;
    kept.made = await this.#read([...kept.custom]);
    await this.#execute(this.reset(connection));
  }

  /** The same as messages, for a connection that is gone and was rolled back; empty if there is nothing to reset. */
  reset(connection: object): Buffer {
    return this.#kept.has(connection) ? Buffer.concat([...FORGET, this.#first ?? Buffer.alloc(0)]) : Buffer.alloc(0);
  }

  async #read(custom: readonly string[]): Promise<Buffer> {
    const names = custom.map((name) => `'${name}'`).join(', ');
    const made = frame(
      'Q',
      `select concat_ws(', ', 'select 1', string_agg(format('set_config(%L, %L, false)', name, setting), ', ')) from (
        select name, current_setting(name) as setting from pg_settings where source = 'session'
        union all select name, current_setting(name, true) from unnest(array[${names}]::text[]) as name
        union all select 'role', nullif(current_setting('role'), 'none')) as settings where setting is not null`,
    );
    for (const part of framesOf(await this.#execute(made)))
      if (frameType(part) === 'D') return frame('Q', part.toString('utf8', 11));
    return Buffer.alloc(0);
  }
}

/** WIRE-SETTINGS-2. Whether it may change settings of the session; one for its transaction alone does not. */
function mayChangeSettings(text: string): boolean {
  if (STATEMENT.test(text)) return true;
  const all = text.match(/\bset_config\b/gi)?.length ?? 0;
  return all > (text.match(/,\s*true\s*\)/gi)?.length ?? 0);
}
