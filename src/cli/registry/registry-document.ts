// A registry file as text: YAML or JSON, without a digit lost on the way in or out.
//
// REGISTRY-DOCUMENT-1. Text that could mean something else than it says is refused: keys given twice, aliases, tags, several documents.
// REGISTRY-DOCUMENT-2. Size and nesting are bounded before anything is built of them.
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname, isAbsolute } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, Parser, parseDocument } from '#yaml';
import {
  exactNumber,
  type Json,
  JsonSyntaxError,
  parseExactJson,
  stringifyExactJson,
} from '../../domain/exact-json.js';
import { stringifyExactYaml } from '../../domain/exact-yaml.js';
import { MAX_FILE_DEPTH } from '../../domain/registry-file/registry-file.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';

export const FILE_FORMATS = ['yaml', 'json'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** Some fifty thousand extensions. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

const STANDARD_STREAM = '-';
const FORMAT_OF_ENDING: Readonly<Record<string, FileFormat>> = { '.yaml': 'yaml', '.yml': 'yaml', '.json': 'json' };

/** By what was asked for, else by the file's ending; YAML if there is no file. */
export function formatOf(file: string, given: string | undefined): FileFormat {
  if (given !== undefined) {
    const format = FILE_FORMATS.find((name) => name === given);
    if (format === undefined)
      throw new CommandError(EXIT.usage, `--format: expected ${FILE_FORMATS.join(' or ')}, got '${given}'`);
    return format;
  }
  const format = file === STANDARD_STREAM ? 'yaml' : FORMAT_OF_ENDING[extname(file).toLowerCase()];
  if (format === undefined)
    throw new CommandError(EXIT.usage, `${file}: expected a name that ends in .yaml, .yml or .json, or --format`);
  return format;
}

/** `-`: standard input. Rejects with a CommandError. */
export async function readRegistryDocument(
  { stdin, cwd }: Pick<CommandIo, 'stdin' | 'cwd'>,
  file: string,
  format: FileFormat,
): Promise<Json> {
  const bytes = file === STANDARD_STREAM ? await readBoundedStream(stdin) : readBoundedFile(cwd, file);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(file, 'it is not UTF-8');
  }
  try {
    return format === 'json' ? parseExactJson(text, MAX_FILE_DEPTH) : parseYaml(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw malformed(file, error.message);
    throw error;
  }
}

export function renderRegistryDocument(tree: Json, format: FileFormat): string {
  return format === 'json' ? `${stringifyExactJson(tree, 2)}\n` : stringifyExactYaml(tree);
}

/** `-`: standard output. A file is replaced whole or stays as it is. */
export function writeRegistryDocument(
  { stdout, cwd }: Pick<CommandIo, 'stdout' | 'cwd'>,
  file: string,
  text: string,
): void {
  if (file === STANDARD_STREAM) {
    stdout.write(text);
    return;
  }
  const path = pathIn(cwd, file);
  const unfinished = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    writeFileSync(unfinished, text);
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw new CommandError(EXIT.file, `${file} cannot be written: ${reasonWith(file, path, error)}`);
  }
}

/** As the system would resolve it there, a slash at the end included. */
const pathIn = (cwd: string, file: string): string => (file === '' || isAbsolute(file) ? file : `${cwd}/${file}`);

/** What the system says, with the file named as it was given. */
const reasonWith = (file: string, path: string, error: unknown): string =>
  (error as Error).message.replaceAll(path, file);

const malformed = (file: string, reason: string): CommandError =>
  new CommandError(EXIT.file, `${file === STANDARD_STREAM ? 'standard input' : file} cannot be read: ${reason}`);

const tooLarge = (file: string): CommandError =>
  malformed(file, `it is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);

function readBoundedFile(cwd: string, file: string): Buffer {
  const path = pathIn(cwd, file);
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, 'r');
    if (fstatSync(descriptor).size > MAX_FILE_BYTES) throw tooLarge(file);
    return readFileSync(descriptor);
  } catch (error) {
    throw error instanceof CommandError ? error : malformed(file, reasonWith(file, path, error));
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

async function readBoundedStream(stdin: Readable): Promise<Buffer> {
  let size = 0;
  return buffer(
    (async function* () {
      for await (const chunk of stdin) {
        size += (chunk as Buffer).length;
        if (size > MAX_FILE_BYTES) throw tooLarge(STANDARD_STREAM);
        yield chunk as Buffer;
      }
    })(),
  );
}

/** Throws JsonSyntaxError. */
function parseYaml(text: string): Json {
  refuseDeepNesting(text);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: 'core',
    // Its own check compares every key with every other.
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    lineCounter: lines,
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new JsonSyntaxError(`${problem.message} at ${place(lines, problem.pos[0])}`);
  return jsonOf(document.contents, 0, lines);
}

/** REGISTRY-DOCUMENT-2. Composing the document recurses as deep as the text is nested, until the process dies; cutting it does not. */
function refuseDeepNesting(text: string): void {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAX_OPEN_TOKENS) throw new JsonSyntaxError(`nested deeper than ${MAX_FILE_DEPTH} levels`);
  }
}

/** A level of nesting is one or two tokens that are not ended. */
const MAX_OPEN_TOKENS = 3 * MAX_FILE_DEPTH;

function jsonOf(node: Node | null, depth: number, lines: LineCounter): Json {
  const fail = (what: string): never => {
    throw new JsonSyntaxError(`${what} at ${place(lines, node?.range?.[0] ?? 0)}`);
  };
  if (node === null) return null;
  if (isAlias(node)) return fail(`*${node.source} is an alias, which is not supported`);
  if (node.tag !== undefined) return fail(`${node.tag} is a tag, which is not supported`);
  if (!isScalar(node) && depth >= MAX_FILE_DEPTH) return fail(`nested deeper than ${MAX_FILE_DEPTH} levels`);
  if (isSeq(node)) return node.items.map((item) => jsonOf(item as Node | null, depth + 1, lines));
  if (isMap(node)) {
    const entries = new Map<string, Json>();
    for (const { key, value } of node.items) {
      if (!isScalar(key)) return fail('a key that is not plain text');
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      if (entries.has(name))
        throw new JsonSyntaxError(
          `the key ${JSON.stringify(name)} is given twice at ${place(lines, key.range?.[0] ?? 0)}`,
        );
      entries.set(name, jsonOf(value as Node | null, depth + 1, lines));
    }
    return Object.fromEntries(entries);
  }
  if (!isScalar(node)) return fail('something unknown');
  const { value, source } = node;
  // A bigint has no -0.
  if (typeof value === 'bigint') return exactNumber(value === 0n && source?.startsWith('-') ? '-0' : String(value));
  if (typeof value !== 'number') return value as Json;
  return Number.isFinite(value) || source?.match(/\d/)
    ? exactNumber(jsonNumber(source ?? String(value)))
    : fail(`${source} is not a number that the database can hold`);
}

/** YAML writes `+.5` and `1.` as well. */
function jsonNumber(source: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = ''] =
    /^([-+]?)(\d*)(?:\.(\d*))?([eE][-+]?\d+)?$/.exec(source) ?? [];
  const digits = whole.replace(/^0+(?=\d)/, '') || '0';
  return `${sign === '-' ? '-' : ''}${digits}${fraction === '' ? '' : `.${fraction}`}${exponent}`;
}

function place(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `line ${line}, column ${col}`;
}
