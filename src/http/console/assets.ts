// The files of the console, read once: what a request names is looked up among them, so that no path comes from a URL.
//
// ASSETS-1. Each file has a hash of its content in its name, so a browser may keep it for ever. The licences have none, and are asked for again.
// ASSETS-2. What is sent is as small as the client allows: brotli, else gzip, else as it is. Each is there before the first request.
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';

/** As scripts/write-pages.mjs writes it. Names are of files in `assets/`. */
export interface Manifest {
  readonly main: string;
  readonly style: string;
  readonly icon: string;
  /** What `main` imports. */
  readonly preload: readonly string[];
  /** What is loaded before the first page is there. */
  readonly first_page: readonly string[];
  readonly assets: readonly string[];
}

export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
  /** ASSETS-1. */
  readonly isImmutable: boolean;
}

export interface ConsoleFiles {
  readonly manifest: Manifest;
  readonly assets: ReadonlyMap<string, Asset>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
const HASHED = /-[A-Z0-9]{8}\.\w+$/;

/** dist/pages, beside dist/src. */
const PAGES = new URL('../../../pages/', import.meta.url);

let read: ConsoleFiles | null = null;

/** Read once in a process, however many servers it has. Throws where the build wrote none. */
export function consoleFiles(): ConsoleFiles {
  read ??= readFiles(PAGES);
  return read;
}

/** `pages`: a directory's URL, with a slash at its end. */
export function readFiles(pages: URL): ConsoleFiles {
  try {
    const manifest = JSON.parse(readFileSync(new URL('manifest.json', pages), 'utf8')) as Manifest;
    const file = (name: string): Buffer => readFileSync(new URL(`assets/${name}`, pages));
    const assets = manifest.assets.map((name): [string, Asset] => [
      name,
      {
        type: TYPES[extname(name)] ?? 'application/octet-stream',
        bytes: file(name),
        br: file(`${name}.br`),
        gzip: file(`${name}.gz`),
        isImmutable: HASHED.test(name),
      },
    ]);
    return { manifest, assets: new Map(assets) };
  } catch (error) {
    throw new Error(
      `the files of the console cannot be read (${(error as Error).message}): run npm run build, or install the package again`,
      { cause: error },
    );
  }
}

/** ASSETS-2. `header`: Accept-Encoding. */
export function chosenCoding(header: string | string[] | undefined): 'br' | 'gzip' | null {
  const weights = new Map(
    [header ?? []]
      .flat()
      .flatMap((value) => value.split(','))
      .map((one): [string, number] => {
        const [coding = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
        const weight = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
        return [coding, Number.isNaN(weight) ? 0 : weight];
      }),
  );
  const accepts = (coding: string): boolean => (weights.get(coding) ?? weights.get('*') ?? 0) > 0;
  if (accepts('br')) return 'br';
  return accepts('gzip') ? 'gzip' : null;
}
