// The log lines that the sources write: which event, at which level, with which members, from which file.
//
// LOG-LINES-1. Every call of a logger is found: an argument that is not `{ event: '<name>', … }` must be one of `INDIRECT`.
import { readdirSync } from 'node:fs';
import { readProjectFile } from './page.js';

export interface LogCall {
  /** Relative to the repository root. */
  readonly file: string;
  readonly event: string;
  readonly level: string;
  /** Of `component: '…'` within the call; null without. */
  readonly component: string | null;
  /** Members that are named in the call. */
  readonly keys: readonly string[];
  /** Whether the call spreads others beside them. */
  readonly spreads: boolean;
}

const LEVELS = 'trace|debug|info|warn|error|fatal';
const LOG_CALL = new RegExp(`[\\w$]*log(?:ger)?\\s*(?:\\?\\.|\\.)\\s*(${LEVELS})\\s*\\(`, 'gi');
/** Any method with the name of a level, whatever it belongs to. */
const ANY_CALL = new RegExp(`([\\w$\\])]+)\\s*(?:\\?\\.|\\.)\\s*(?:${LEVELS})\\s*\\(`, 'g');
/** A method that is taken out of a logger, to be called later under another name; `Logger[…]` is a type. */
const TAKEN = new RegExp(
  `(?<!\\w)(?!Logger\\[)[\\w$]*[lL]og(?:ger)?(?:\\s*(?:\\?\\.)?\\[|\\??\\.(?:${LEVELS})\\b(?!\\s*\\())`,
  'g',
);
/** What is not a logger: RxJS subscribers and commander's commands. */
const NO_LOGGERS = new Set(['subscriber', 'command']);

/** Calls whose event is not a text beside `event:`, as the file has them, and the events that they write. */
const INDIRECT: readonly {
  readonly file: string;
  readonly argument: string;
  readonly events: (code: string) => string[];
}[] = [
  // The events of NATS, which have sections of their own.
  { file: 'src/actors/events/notices.ts', argument: 'fields', events: () => [] },
  // Its callers name the event: `limitedCalls`.
  { file: 'src/telemetry/limited-log.ts', argument: '{ event, ...fields, suppressed }', events: () => [] },
  // Likewise: `sampledCalls`.
  {
    file: 'src/telemetry/limited-log.ts',
    argument: '{ event, ...fields(), ...(suppressed === 0 ? {} : { suppressed }) }',
    events: () => [],
  },
  {
    file: 'src/telemetry/guard.ts',
    argument: '{ event: EVENT, where, error: stackOf(error) }',
    events: (code) => named(code, /const EVENT = ('\w+')/),
  },
  {
    file: 'src/embedded/postgres/embedded.ts',
    argument: '{ event, path, reason }',
    events: (code) => named(code, /readonly event: ('\w+'(?: \| '\w+')*)/),
  },
];

function named(code: string, pattern: RegExp): string[] {
  return [...(pattern.exec(code)?.[1] ?? '').matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
}

const withoutComments = (code: string): string =>
  code.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[\s;,{}()])\/\/.*$/gm, '$1');

/** What is within the bracket that opens at `from`; texts may have brackets of their own. */
function within(code: string, from: number): string {
  let depth = 0;
  let quote = '';
  for (let i = from; i < code.length; i += 1) {
    const char = code[i] as string;
    if (quote !== '') {
      if (char === '\\') i += 1;
      else if (char === quote) quote = '';
    } else if (`'"\``.includes(char)) quote = char;
    else if ('([{'.includes(char)) depth += 1;
    else if (')]}'.includes(char)) {
      depth -= 1;
      if (depth === 0) return code.slice(from + 1, i);
    }
  }
  throw new Error(`a bracket is never closed: ${code.slice(from, from + 80)}`);
}

/** The parts between commas that are in no bracket and no text. */
function partsOf(inside: string): string[] {
  const parts = [''];
  let depth = 0;
  let quote = '';
  for (const char of inside) {
    if (quote !== '') quote = char === quote ? '' : quote;
    else if (`'"\``.includes(char)) quote = char;
    else if ('([{'.includes(char)) depth += 1;
    else if (')]}'.includes(char)) depth -= 1;
    if (char === ',' && depth === 0 && quote === '') parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

type Members = Pick<LogCall, 'keys' | 'spreads' | 'component'>;

/** Of an object literal, with its braces. */
function membersOf(object: string): Members {
  const parts = partsOf(object.slice(1, -1));
  const keys = parts.filter((part) => !part.startsWith('...')).map((part) => /^\w+/.exec(part)?.[0] ?? part);
  const component = parts.map((part) => /^component: '(\w+)'$/.exec(part)?.[1]).find((name) => name !== undefined);
  return { keys, spreads: keys.length < parts.length, component: component ?? null };
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').replace(/,$/, '').trim();

/** The calls with a text beside `event:`, and those of `INDIRECT`. */
function directCalls(file: string, code: string, problems: string[]): LogCall[] {
  return [...code.matchAll(LOG_CALL)].flatMap((found) => {
    const argument = oneLine(within(code, found.index + found[0].length - 1));
    const level = found[1] ?? '';
    const [, event] = /^\{ event: '(\w+)'[ ,]/.exec(argument) ?? [];
    const indirect = INDIRECT.find((one) => one.file === file && one.argument === argument);
    if (event === undefined && indirect === undefined) problems.push(`${file}: ${found[0]}${argument})`);
    const events = event === undefined ? (indirect?.events(code) ?? []) : [event];
    return events.map((name) => ({ file, event: name, level, ...membersOf(argument) }));
  });
}

/** What `createLimitedWarn` makes, with the members of each call of it. */
function limitedCalls(file: string, code: string, problems: string[]): LogCall[] {
  if (file === 'src/telemetry/limited-log.ts') return [];
  return [...code.matchAll(/([#\w]+) = createLimitedWarn\(/g)].flatMap((found) => {
    const argument = within(code, found.index + found[0].length - 1);
    const event = partsOf(argument)[1] ?? '';
    const events = event.startsWith("'") ? [event.slice(1, -1)] : eventsOfMaker(code, event);
    const name = found[1] ?? '';
    const uses = [...code.matchAll(new RegExp(`${name}\\(`, 'g'))].map((use) => within(code, use.index + name.length));
    if (events.length === 0 || uses.length === 0) problems.push(`${file}: ${found[0]}${argument})`);
    return events.flatMap((one) =>
      uses.map((use) => {
        const members = membersOf(oneLine(use));
        return { file, event: one, level: 'warn', ...members, keys: ['event', ...members.keys, 'suppressed'] };
      }),
    );
  });
}

/** What `createSampledDebug` makes: its members are in a function that each call of it gives. */
function sampledCalls(file: string, code: string, problems: string[]): LogCall[] {
  if (file === 'src/telemetry/limited-log.ts') return [];
  return [...code.matchAll(/([#\w]+) = createSampledDebug\(/g)].flatMap((found) => {
    const [, event = ''] = /^'(\w+)'$/.exec(partsOf(within(code, found.index + found[0].length - 1))[1] ?? '') ?? [];
    const name = found[1] ?? '';
    const uses = [...code.matchAll(new RegExp(`\\b${name}\\(\\(\\) => \\(`, 'g'))].map((use) =>
      within(code, use.index + use[0].length - 1),
    );
    if (event === '' || uses.length === 0) problems.push(`${file}: ${found[0]}`);
    return uses.map((use) => {
      const members = membersOf(oneLine(use));
      return { file, event, level: 'debug', ...members, keys: ['event', ...members.keys] };
    });
  });
}

/** `const lineOf = (event: string) => …`, called with the name of an event. */
function eventsOfMaker(code: string, parameter: string): string[] {
  const [, maker] = new RegExp(`const (\\w+) = \\(${parameter}: string\\) =>`).exec(code) ?? [];
  if (maker === undefined) return [];
  const calls = [...code.matchAll(new RegExp(`\\b${maker}\\(([^)]*)\\)`, 'g'))].map(([, argument = '']) => argument);
  return calls.every((argument) => /^'\w+'$/.test(argument)) ? calls.map((argument) => argument.slice(1, -1)) : [];
}

/** Loggers under a name that `LOG_CALL` does not know, methods taken out of one, and limited lines that are not kept under a name. */
function hiddenCalls(file: string, code: string): string[] {
  const others = [...code.matchAll(ANY_CALL)].filter(
    ([, owner = '']) => !/^\W?\w*log(ger)?$/i.test(owner) && !NO_LOGGERS.has(owner),
  );
  const taken = [...code.matchAll(TAKEN)];
  const limited =
    file === 'src/telemetry/limited-log.ts'
      ? []
      : [...code.matchAll(/(?<! = )\bcreate(?:LimitedWarn|SampledDebug)\(/g)];
  return [...others, ...taken, ...limited].map(([text]) => `${file}: ${text}`);
}

/** Of one source; `problems` is added what no event can be derived of (LOG-LINES-1). */
export function logCallsOf(file: string, source: string, problems: string[]): LogCall[] {
  const code = withoutComments(source);
  problems.push(...hiddenCalls(file, code));
  return [
    ...directCalls(file, code, problems),
    ...limitedCalls(file, code, problems),
    ...sampledCalls(file, code, problems),
  ];
}

/** Of all sources. */
export function allLogCalls(): { readonly calls: readonly LogCall[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const calls = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => `src/${name.replaceAll('\\', '/')}`)
    .sort()
    .flatMap((file) => logCallsOf(file, readProjectFile(file), problems));
  return { calls, problems };
}
