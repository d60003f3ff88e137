// The template of the embedded database: the files of a new one, in one compressed file. Unpacking it costs a tenth of what
// making a database costs.
//
// EMBEDDED-TEMPLATE-1. A template is used as a whole or not at all: its key names the engine and the schema, its digest covers its content.
// EMBEDDED-TEMPLATE-2. A template file is replaced in one step; an unfinished one has another name.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompressSync, constants } from 'node:zlib';

/** In a data directory, and in dist/ of the package. */
export const TEMPLATE_FILE = 'embedded.template';

/** In `pgdata` while it has the identity of its template; the engine does not read it. */
export const UNPACKED_MARK = 'extreg-unpacked';

/** Raised when the layout of the file changes. */
const LAYOUT = 1;
/** A database holds three copies of the system catalogues: the largest window finds the second in the first. */
const COMPRESSION = { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 24 };
const compress = promisify(brotliCompress);

/** The first line of the file; `sha256` is that of the compressed rest, in hex. */
interface TemplateHeader {
  readonly key: string;
  readonly sha256: string;
}

/** Paths relative to the database's directory, parents first; `bytes` is null for a directory. */
type TemplateIndex = readonly (readonly [path: string, bytes: number | null])[];

/** A file that is there and cannot be used; the message says why. */
export class TemplateUnusableError extends Error {
  override readonly name = 'TemplateUnusableError';
}

/** What a template must have been made for; `schema`: the statements that make the schema. */
export function templateKey(schema: string): string {
  const engine = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.resolve('@electric-sql/pglite')), 'utf8'),
  );
  return `layout ${LAYOUT}, pglite ${engine.version}, schema ${sha256(schema).slice(0, 16)}`;
}

/** The files of a database that is closed, as `unpackFiles` takes them. About 40 MB. */
export function packFiles(directory: string): Buffer {
  const contents: Buffer[] = [];
  const index: TemplateIndex = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      if (statSync(join(directory, path)).isDirectory()) return [path, null];
      const content = readFileSync(join(directory, path));
      contents.push(content);
      return [path, content.length];
    });
  return Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...contents]);
}

/** Makes the directory, which must not be there, with its files. Throws the file system's errors. */
export function unpackFiles(packed: Buffer, directory: string): void {
  let at = packed.indexOf('\n') + 1;
  const index: TemplateIndex = JSON.parse(packed.toString('utf8', 0, at));
  mkdirSync(directory, { mode: 0o700 });
  for (const [path, bytes] of index) {
    if (bytes === null) mkdirSync(join(directory, path), { mode: 0o700 });
    else {
      writeFileSync(join(directory, path), packed.subarray(at, at + bytes), { mode: 0o600 });
      at += bytes;
    }
  }
}

/** EMBEDDED-TEMPLATE-2. What a writer that was killed may leave. */
export const unfinishedTemplate = (file: string): string => `${file}.new`;

/** EMBEDDED-TEMPLATE-2. Compresses outside the calling thread. */
export async function writeTemplate(file: string, key: string, packed: Buffer): Promise<void> {
  const content = await compress(packed, {
    params: { ...COMPRESSION, [constants.BROTLI_PARAM_SIZE_HINT]: packed.length },
  });
  const header: TemplateHeader = { key, sha256: sha256(content) };
  const unfinished = unfinishedTemplate(file);
  try {
    writeFileSync(unfinished, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), content]), { mode: 0o600 });
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** EMBEDDED-TEMPLATE-1. Packed files; null if there is no such file. Throws TemplateUnusableError. */
export function readTemplate(file: string, key: string): Buffer | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new TemplateUnusableError(message);
  }
  const end = bytes.indexOf('\n') + 1;
  const header = readHeader(bytes.toString('utf8', 0, end));
  if (header.key !== key) throw new TemplateUnusableError(`it was made for ${header.key}; needed is ${key}`);
  const content = bytes.subarray(end);
  if (sha256(content) !== header.sha256) throw new TemplateUnusableError('its content does not match its digest');
  return brotliDecompressSync(content);
}

function readHeader(line: string): TemplateHeader {
  try {
    const { key, sha256 } = JSON.parse(line);
    if (typeof key === 'string' && typeof sha256 === 'string') return { key, sha256 };
  } catch {
    // not JSON
  }
  throw new TemplateUnusableError('it does not begin as a template does');
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
