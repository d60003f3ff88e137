// How scripts/house.mjs reads a source file: its comments and texts, its imports and exports, its functions.
//
// Biome formats every file, so a function's body begins with a line that ends in `{` and ends with the next line of the same
// indentation that begins with `}`: no parser is needed, only a scanner that knows comments, texts and regular expressions.
import { dirname, resolve } from 'node:path';

/**
 * @typedef {{ kind: 'comment' | 'text', start: number, end: number }} Part `start`, `end`: offsets, of a text without its quotes
 * @typedef {{ names: readonly string[] | 'all' | 'mentioned', path: string }} Import `path`: below src; 'mentioned': a dynamic import
 */

const BEFORE_REGEX = /(?:^|[([{,;=:!&|?+\-*%<>~^]|=>|\b(?:return|typeof|case|in|of|await|yield|new|throw))$/;

/** Comments and pieces of texts, in order. @returns {Part[]} */
export function partsOf(code) {
  const parts = [];
  const templates = []; // depth of braces at which each `${` that is open closes
  let depth = 0;
  let lastCode = 0; // offset behind the last character of code
  const push = (kind, start, end) => parts.push({ kind, start, end });
  const until = (search, from) => {
    const found = code.indexOf(search, from);
    return found === -1 ? code.length : found;
  };
  const template = (from) => {
    let at = from;
    while (at < code.length && code[at] !== '`' && !code.startsWith('${', at)) at += code[at] === '\\' ? 2 : 1;
    push('text', from, at);
    if (code[at] !== '$') return at + 1;
    templates.push(depth);
    return at + 2;
  };
  for (let at = 0; at < code.length; ) {
    const rest = code.slice(at, at + 2);
    const char = code[at];
    if (rest === '//') {
      const end = until('\n', at);
      push('comment', at, end);
      at = end;
      continue;
    }
    if (rest === '/*') {
      const end = Math.min(until('*/', at + 2) + 2, code.length);
      push('comment', at, end);
      at = end;
      continue;
    }
    if (
      char === "'" ||
      char === '"' ||
      (char === '/' && BEFORE_REGEX.test(code.slice(Math.max(0, lastCode - 12), lastCode)))
    ) {
      let end = at + 1;
      for (let isClass = false; end < code.length && code[end] !== '\n' && (isClass || code[end] !== char); end++) {
        if (code[end] === '\\') end++;
        else if (char === '/') isClass = code[end] === '[' || (isClass && code[end] !== ']');
      }
      if (char !== '/') push('text', at + 1, end);
      at = end + 1;
    } else if (char === '`') at = template(at + 1);
    else if (char === '}' && templates.at(-1) === depth) {
      templates.pop();
      at = template(at + 1);
    } else {
      if (char === '{') depth++;
      if (char === '}') depth--;
      at++;
      if (/\s/.test(char)) continue;
    }
    lastCode = at;
  }
  return parts;
}

/** The code with blanks for parts of that kind: offsets and lines stay. */
export function without(code, parts) {
  let rest = '';
  let at = 0;
  for (const { start, end } of parts) {
    rest += code.slice(at, start) + code.slice(start, end).replaceAll(/[^\n]/g, ' ');
    at = end;
  }
  return rest + code.slice(at);
}

/** The path below src that a relative specifier of a file means, or below the repository outside src. `from`: below the repository. */
const pathBelowSrc = (from, specifier) =>
  resolve('/', dirname(from), specifier)
    .replace(/^\/(?:dist\/)?(?:src\/)?/, '')
    .replace(/\.js$/, '.ts');

const namesIn = (clause) =>
  clause
    .split(',')
    .map((one) => one.trim().replace(/^type\s+/, ''))
    .filter((one) => one !== '');

/** `clause`: what stands between `import` or `export` and `from`. */
function importedNames(clause) {
  if (clause.includes('*')) return 'all';
  const braces = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? '';
  const before = clause
    .replace(/\{[\s\S]*\}/, '')
    .replace(/^\s*type\s/, '')
    .replace(',', '')
    .trim();
  return [...(before === '' ? [] : ['default']), ...namesIn(braces).map((one) => one.split(/\s+as\s+/)[0])];
}

/** Relative imports and re-exports, static and dynamic. `path`: below the repository; `code`: without comments. @returns {Import[]} */
export function importsOf(path, code) {
  const statics = [...code.matchAll(/^(?:import|export)\s([^'";]*?)\sfrom\s+['"](\.[^'"]+)['"]/gm)];
  const bare = [...code.matchAll(/^import\s+['"](\.[^'"]+)['"]/gm)];
  const dynamic = [...code.matchAll(/\b(?:import|require)\(\s*['"`](\.[^'"`]+)['"`]/g)];
  return [
    ...statics.map(([, clause, specifier]) => ({ names: importedNames(clause), path: pathBelowSrc(path, specifier) })),
    ...bare.map(([, specifier]) => ({ names: [], path: pathBelowSrc(path, specifier) })),
    ...dynamic.map(([, specifier]) => ({ names: 'mentioned', path: pathBelowSrc(path, specifier) })),
  ];
}

const DECLARED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:const enum|const|let|var|function\*?|class|interface|type|enum|namespace) (\w+)/gm;

/** The names that a file exports; '*' for `export * from`. `code`: without comments. */
export function exportsOf(code) {
  const lists = [...code.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) => namesIn(names));
  const unpacked = [...code.matchAll(/^export (?:const|let|var) [{[]([^=]*)[}\]]/gm)].flatMap(([, names]) =>
    namesIn(names),
  );
  return [
    ...[...code.matchAll(DECLARED)].map(([, name]) => name),
    ...lists.map((one) => one.split(/\s+as\s+/).at(-1)),
    ...unpacked.map((one) => one.split(/\s*:\s*/).at(-1)),
    ...(/^export default\b/m.test(code) ? ['default'] : []),
    ...(/^export \*/m.test(code) ? ['*'] : []),
  ];
}

const NOT_A_FUNCTION = new Set([
  'if',
  'for',
  'while',
  'switch',
  'catch',
  'return',
  'super',
  'await',
  'with',
  'function',
]);
const METHOD =
  /^(?:(?:static|async|get|set|private|protected|public|override|accessor) )*(\*?(?:[#\w]+|\[.+?\]|'[^']*'))(?:<.*>)?\(/;
/** A body follows: not the `{` of a type or of an object. */
const BODY = /\) \{$|\): .*[^\s:,(=|&<{] \{$/;

const indentOf = (line) => line.length - line.trimStart().length;

/** The name of the function that this header begins, and null if it begins none. `header`: in one line, without comments and texts. */
function functionName(header) {
  const arrow = /=> \{$/.test(header) || /=> (?!.* = )[^,]*[({[]$/.test(header) || /=>$/.test(header);
  const method = METHOD.exec(header)?.[1];
  const isMethod = method !== undefined && !NOT_A_FUNCTION.has(method) && BODY.test(header);
  const isFunction = /\bfunction\b/.test(header) && BODY.test(header);
  if (header === 'static {') return 'static';
  if (!arrow && !isMethod && !isFunction) return null;
  const named = /\bfunction\*? ?(\w+)/.exec(header)?.[1];
  const assigned =
    /^(?:export )?(?:default )?(?:const|let|readonly|static|private)? ?(?:readonly )?([#\w]+)(?:: .+)? = /.exec(
      header,
    )?.[1];
  const member = /^([#\w]+): /.exec(header)?.[1];
  return named ?? assigned ?? (isMethod ? method : member) ?? 'a function';
}

/**
 * Functions by where they begin, with their lengths in lines: declarations, methods, and arrow functions wherever they stand.
 * `bare`: lines without comments and texts.
 * @returns {{ path: string, name: string, line: number, length: number, comment: string }[]} `comment`: the line before
 */
export function functionsOf({ path, lines, bare }) {
  const found = [];
  for (const [open, line] of bare.entries()) {
    if (!/(?:[({[]|=>)$/.test(line)) continue;
    const indent = indentOf(line);
    let start = open;
    while (start > 0 && /^[)}\]>]/.test(bare[start].trimStart())) {
      start--;
      while (start > 0 && (bare[start].trim() === '' || indentOf(bare[start]) > indent)) start--;
    }
    const header = bare
      .slice(start, open + 1)
      .map((one) => one.trim())
      .join(' ');
    const name = functionName(header);
    if (name === null) continue;
    const isWithin = (one) => one.trim() === '' || indentOf(one) > indent;
    const end = bare.findIndex((one, at) => at > open && !isWithin(one));
    if (end === -1) continue;
    const last = /=>$/.test(line) ? end - 1 : end;
    found.push({ path, name, line: start + 1, length: last - start + 1, comment: lines[start - 1] ?? '' });
  }
  return found;
}
